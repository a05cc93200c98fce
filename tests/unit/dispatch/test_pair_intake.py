"""Runs as they come in, checked by themselves; what a lie leads to is tested with scripted matchers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
import pytest

from hushlink_coordinator.dispatch import frames, pair_intake
from hushlink_domain import chunks, digests, metrics, tiles
from hushlink_mesh import framing


def _tile(left_rows: int, right_rows: int | None) -> tiles.Tile:
    left, right = (
        rows and tiles.Side(dataset, (chunks.ChunkRef(digests.Digest.of(bytes(rows)), 0, rows),))
        for dataset, rows in enumerate((left_rows, right_rows))
    )
    assert isinstance(left, tiles.Side)
    return tiles.Tile(0, left, right or None)


def _intake(tile: tiles.Tile, pairs_per_run: int = 3, threshold: float = 0.5) -> pair_intake.PairIntake:
    return pair_intake.PairIntake(tile, tiles.Comparing(8, metrics.Metric.DICE, threshold, pairs_per_run))


def _frame(run: int, pairs: Sequence[tuple[float, int, int]], *, last: bool = True) -> frames.Pairs:
    scores, left, right = (
        numpy.array([pair[place] for pair in pairs], dtype=kind).tobytes()
        for place, kind in enumerate(("<f8", "<u4", "<u4"))
    )
    return frames.Pairs(1, run, scores, left, right, framing.crc32c(scores, left, right), last)


def _done(pairs: int, runs: int, comparisons: int) -> frames.Done:
    return frames.Done(1, pairs, runs, comparisons, 1)


def test_joins_frames_to_runs() -> None:
    intake = _intake(_tile(2, 4), 3)
    assert intake.take(_frame(0, [(1.0, 0, 1)], last=False)) is None
    assert intake.pending_bytes == 16
    run = intake.take(_frame(0, [(0.75, 0, 2), (0.75, 1, 0)]))
    assert run is not None and (run.number, run.pairs, run.size_bytes) == (0, 3, 48)
    assert run.scores == numpy.array([1.0, 0.75, 0.75]).tobytes()
    assert run.left_rows == numpy.array([0, 0, 1], dtype="<u4").tobytes()
    assert run.right_rows == numpy.array([1, 2, 0], dtype="<u4").tobytes()
    assert intake.pending_bytes == 0
    assert intake.take(_frame(1, [(0.5, 1, 3)])) is not None
    assert intake.run_pairs == [3, 1]
    intake.check_end(_done(4, 2, 8))


def test_a_tile_without_pairs_just_ends() -> None:
    _intake(_tile(2, 4)).check_end(_done(0, 0, 8))


@pytest.mark.parametrize("pair", [(1.0, 1, 1), (1.0, 2, 1)])
def test_a_tile_of_one_side_has_the_later_row_on_the_right(pair: tuple[float, int, int]) -> None:
    _intake(_tile(3, None)).take(_frame(0, [(1.0, 1, 2)]))
    _intake(_tile(3, 3)).take(_frame(0, [pair]))
    with pytest.raises(frames.ViolationError, match="later row"):
        _intake(_tile(3, None)).take(_frame(0, [pair]))


def test_a_tile_has_no_more_pairs_than_comparisons() -> None:
    intake = _intake(_tile(2, 2), 3)
    intake.take(_frame(0, [(1.0, 0, 0), (1.0, 0, 1), (1.0, 1, 0)]))
    with pytest.raises(frames.ViolationError, match="more pairs than comparisons"):
        intake.take(_frame(1, [(1.0, 0, 0), (1.0, 0, 1)]))


def test_rows_that_share_their_low_bits_are_still_in_order() -> None:
    rows = 1 << 17
    intake = _intake(_tile(rows, rows), 10)
    assert intake.take(_frame(0, [(1.0, 0, rows - 1), (1.0, 1, 0), (1.0, rows - 1, rows - 1)])) is not None
    with pytest.raises(frames.ViolationError, match="order"):
        _intake(_tile(rows, rows), 10).take(_frame(0, [(1.0, 1, 0), (1.0, 0, rows - 1)]))


def test_scores_at_the_very_ends_are_welcome() -> None:
    assert _intake(_tile(2, 2)).take(_frame(0, [(1.0, 0, 0), (0.5, 0, 1)])) is not None
