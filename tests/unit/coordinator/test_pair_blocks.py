"""Sorted runs at rest: blocks of columns, with rows made the dataset's own."""

from __future__ import annotations

import numpy as np

from hushlink_coordinator.runs import comparing
from hushlink_domain import pairs


def test_blocks_hold_all_columns_of_their_pairs() -> None:
    count = pairs.BLOCK_PAIRS * 2 + 5
    scores = np.linspace(1, 0.5, count)
    left, right = np.arange(count, dtype="<u4"), np.arange(count, dtype="<u4")[::-1].copy()
    data = comparing.blocks(scores.tobytes(), left.tobytes(), right.tobytes())
    assert len(data) == count * pairs.PAIR_BYTES
    start = pairs.BLOCK_PAIRS * pairs.PAIR_BYTES
    inside = slice(pairs.BLOCK_PAIRS, 2 * pairs.BLOCK_PAIRS)
    np.testing.assert_array_equal(np.frombuffer(data, "<f8", pairs.BLOCK_PAIRS, start), scores[inside])
    np.testing.assert_array_equal(
        np.frombuffer(data, "<u4", pairs.BLOCK_PAIRS, start + pairs.BLOCK_PAIRS * 8), left[inside]
    )
    np.testing.assert_array_equal(
        np.frombuffer(data, "<u4", pairs.BLOCK_PAIRS, start + pairs.BLOCK_PAIRS * 12), right[inside]
    )


def test_rows_of_a_side_become_rows_of_the_dataset() -> None:
    rows = np.array([0, 5], "<u4").tobytes()
    assert np.frombuffer(comparing.based(rows, 1_000_000), "<u4").tolist() == [1_000_000, 1_000_005]
