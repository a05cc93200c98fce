"""Groups: rows that belong to one person, and the layout of a result of them at rest.

Members ascend by (dataset, row), groups by their first member. A result is a sequence of pages; a page is how many
groups and how many members it has (two unsigned 32-bit integers), then three columns one after the other: the groups'
member counts (32 bits each), the members' datasets (16 bits each), the members' rows (32 bits each); all little-endian.
"""

from __future__ import annotations

import dataclasses

from hushlink_domain import digests

PAGE_GROUPS = 16_384
"""A page has at most this many groups."""

PAGE_MEMBERS = 65_536
"""A page has at most this many members, unless one group alone has more."""


@dataclasses.dataclass(frozen=True, slots=True)
class PublishedGroups:
    """Where a run's groups rest, and what they are in numbers."""

    run_id: str
    digest: digests.Digest
    """Of the whole result."""
    group_count: int
    member_count: int
    candidate_pairs: int
    dataset_rows: tuple[int, ...]
    """Rows of each dataset."""
    page_offsets: tuple[int, ...]
    """The byte each page starts at, and at the end the size of all."""
    page_first_groups: tuple[int, ...]
    """The number of each page's first group."""
