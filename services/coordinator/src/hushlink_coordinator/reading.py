"""Reading: published groups, page by page, from the object store."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

import numpy as np

from hushlink_coordinator import blobs, keys
from hushlink_domain import groups

Column = np.ndarray[tuple[int], np.dtype[np.uint32]]


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Consecutive groups, as columns."""

    number: int
    """The page's number, from 0."""
    first_group: int
    member_counts: Column
    member_datasets: Column
    member_rows: Column


async def pages(
    objects: blobs.Blobs, project_id: str, published: groups.PublishedGroups, first: int, count: int | None
) -> AsyncIterator[Page]:
    """Pages from number ``first`` on, at most ``count``.

    Raises:
        errors.CapacityError: BLOBS_UNAVAILABLE.
        errors.InternalError: INTERNAL, when the store gave other bytes than were written.
    """
    key = keys.groups(project_id, published.run_id)
    total = len(published.page_first_groups)
    for number in range(first, total if count is None else min(first + count, total)):
        start, stop = published.page_offsets[number : number + 2]
        yield page(number, published.page_first_groups[number], await objects.get(key, start, stop), key)


def page(number: int, first_group: int, data: bytes, key: str) -> Page:
    """A page from its bytes; ``key`` is named if they are damaged."""
    group_count, member_count = np.frombuffer(data, "<u4", 2).tolist()
    if len(data) != 8 + 4 * group_count + 6 * member_count:
        raise blobs.damaged(key)
    datasets_at = 8 + 4 * group_count
    return Page(
        number=number,
        first_group=first_group,
        member_counts=np.frombuffer(data, "<u4", group_count, 8),
        member_datasets=np.frombuffer(data, "<u2", member_count, datasets_at).astype(np.uint32),
        member_rows=np.frombuffer(data, "<u4", member_count, datasets_at + 2 * member_count),
    )
