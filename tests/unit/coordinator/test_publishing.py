"""Pages of a result: every group once, in order, within the bounds of a page, and read back as they were written."""

from __future__ import annotations

import itertools

import hypothesis
import numpy as np
from hypothesis import strategies as st

import hushlink_native as native
from hushlink_coordinator import reading
from hushlink_coordinator.runs import publishing
from hushlink_domain import groups


def offsets_of(sizes: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint64)


@hypothesis.given(
    st.lists(st.sampled_from([2, 3, 1000, groups.PAGE_MEMBERS - 1, groups.PAGE_MEMBERS + 5]), max_size=60)
)
def test_pages_are_within_their_bounds(sizes: list[int]) -> None:
    bounds = [*publishing.page_bounds(offsets_of(sizes)), len(sizes)]
    assert bounds[0] == 0
    for start, stop in itertools.pairwise(bounds):
        members = sum(sizes[start:stop])
        assert stop > start
        assert members <= groups.PAGE_MEMBERS or stop == start + 1


def test_a_page_has_at_most_so_many_groups() -> None:
    bounds = publishing.page_bounds(offsets_of([2] * (groups.PAGE_GROUPS + 1)))
    assert bounds == [0, groups.PAGE_GROUPS]


def test_a_page_reads_back_as_it_was_written() -> None:
    columns = native.GroupColumns(
        np.array([0, 2, 5], np.uint64),
        np.array([0, 1, 0, 1, 2], np.uint16),
        np.array([7, 8, 9, 10, 2**32 - 1], np.uint32),
    )
    page = reading.page(3, 40, publishing.page(columns, 0, 2), "key")
    assert (page.number, page.first_group) == (3, 40)
    assert page.member_counts.tolist() == [2, 3]
    assert page.member_datasets.tolist() == [0, 1, 0, 1, 2]
    assert page.member_rows.tolist() == [7, 8, 9, 10, 2**32 - 1]
