"""One tile's comparing, by itself."""

from __future__ import annotations

import threading

import numpy
import pytest

import hushlink_native
from hushlink_domain import digests, metrics
from hushlink_matcher import assignments, chunk_cache, comparing
from tests.support import encodings

WIDTH = 64


def _chunk(rows: encodings.Rows) -> chunk_cache.Chunk:
    return chunk_cache.Chunk(digests.Digest.of(rows.tobytes()), rows.reshape(-1))


def _comparison(
    left: list[encodings.Rows], right: list[encodings.Rows], *, threshold: float = 0.8, pairs_per_run: int = 1000
) -> comparing.Comparison:
    sides = [[_chunk(rows) for rows in side] for side in (left, right)]
    names = [tuple(chunk.digest for chunk in side) for side in sides]
    width = left[0].shape[1]
    assignment = assignments.Assignment(1, width, metrics.Metric.DICE, threshold, names[0], names[1], pairs_per_run)
    return comparing.Comparison(assignment, *sides)


def _runs(comparison: comparing.Comparison) -> list[list[encodings.Pair]]:
    runs = []
    while not comparison.finished:
        run = comparison.next_run()
        if run is not None:
            scores, left, right = run.columns(0, len(run))
            columns = (numpy.frombuffer(scores, "<f8"), numpy.frombuffer(left, "<u4"), numpy.frombuffer(right, "<u4"))
            runs.append(list(zip(*(column.tolist() for column in columns), strict=True)))
    return runs


@pytest.mark.parametrize("cuts", [[], [1], [250, 251], [100, 200, 300, 400]])
@pytest.mark.parametrize("sides", [1, 2])
def test_finds_the_same_however_the_rows_are_cut(cuts: list[int], sides: int) -> None:
    left, right = encodings.overlapping(500, 500, WIDTH, 1)
    found = _runs(_comparison(numpy.split(left, cuts), numpy.split(right, cuts) if sides == 2 else []))
    other = right if sides == 2 else None
    assert [pair for run in found for pair in run] == encodings.expected(left, other, encodings.dice(WIDTH, 0.8))


def test_runs_are_full_but_for_the_last() -> None:
    left, right = encodings.overlapping(300, 300, WIDTH, 2)
    count = len(encodings.expected(left, right, encodings.dice(WIDTH, 0.8)))
    for pairs_per_run in (1, 2, count - 1, count, count + 1):
        runs = _runs(_comparison([left], [right], pairs_per_run=pairs_per_run))
        sizes = [len(run) for run in runs]
        full, rest = divmod(count, pairs_per_run)
        assert sizes == [pairs_per_run] * full + [rest] * (rest > 0)


def test_counts_comparisons_as_it_goes() -> None:
    left, right = encodings.overlapping(300, 200, WIDTH, 3)
    comparison = _comparison(numpy.split(left, [100]), [right], pairs_per_run=10)
    counts = [comparison.comparisons]
    while not comparison.finished:
        comparison.next_run()
        counts.append(comparison.comparisons)
    assert counts[0] == 0 and counts[-1] == 300 * 200 and len(counts) > 5
    assert counts == sorted(counts)
    assert comparison.busy_nanos > 0


def test_a_cancel_that_comes_early_is_not_lost() -> None:
    rows = encodings.encodings(100, WIDTH, 4)
    comparison = _comparison([rows], [])
    comparison.cancel()
    with pytest.raises(hushlink_native.JoinCancelledError):
        comparison.next_run()


def test_a_cancel_in_the_middle_stops_it() -> None:
    ones = numpy.full((1 << 20, 1), 0x0F, dtype=numpy.uint8)
    comparison = _comparison([ones], [~ones] * 1000, threshold=1.0)  # hours
    stopped: list[bool] = []

    def work() -> None:
        try:
            comparison.next_run()
        except hushlink_native.JoinCancelledError:
            stopped.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    while not comparison.comparisons:
        pass
    comparison.cancel()
    thread.join()
    assert stopped
