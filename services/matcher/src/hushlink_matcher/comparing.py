"""Comparing a tile: joins of chunk with chunk, one after the other, cut into sorted runs.

What comes out is a function of the tile alone. Chunks are joined left by left, each with every right one in order, or,
without a right side, with itself and every later one. The pairs leave each join in the kernel's order, which depends
on the rows and the threshold but on no machine; every ``pairs_per_run`` pairs in that order are one run, which is then
sorted.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator, Sequence

import numpy
import numpy.typing

import hushlink_native
from hushlink_matcher import assignments, chunk_cache


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """Some pairs of a tile in canonical order; rows are counted from 0 in each side."""

    pairs: hushlink_native.PairColumns

    def __len__(self) -> int:
        return len(self.pairs)

    def columns(self, first: int, end: int) -> tuple[bytes, bytes, bytes]:
        """Scores, left rows and right rows of the pairs from ``first`` to ``end``, little-endian."""
        return (
            self.pairs.scores[first:end].astype("<f8", copy=False).tobytes(),
            self.pairs.left[first:end].astype("<u4", copy=False).tobytes(),
            self.pairs.right[first:end].astype("<u4", copy=False).tobytes(),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Joining:
    """The join of one chunk with another, and where their first rows are in the tile."""

    join: hushlink_native.Join
    left_base: int
    right_base: int


class Comparison:
    """One tile's comparing. ``next_run`` is for one thread at a time; the rest is for any thread meanwhile."""

    def __init__(
        self,
        assignment: assignments.Assignment,
        left: Sequence[chunk_cache.Chunk],
        right: Sequence[chunk_cache.Chunk],
    ) -> None:
        """Nothing is computed yet. An empty ``right`` compares the left rows with each other."""
        self._assignment = assignment
        self._joins = self._planned(left, right)
        # Comparisons of finished joins, and the present join: one object, so that another thread never sees half of it.
        self._place: tuple[int, _Joining | None] = (0, None)
        self._buffer: hushlink_native.PairColumns | None = None
        self._cancelled = threading.Event()
        self.finished = False
        """Whether every pair was handed out."""
        self.busy_nanos = 0
        """How long ``next_run`` has worked, in nanoseconds."""

    @property
    def comparisons(self) -> int:
        """Pairs of rows compared so far; never goes down."""
        before, current = self._place
        return before + (current.join.progress if current else 0)

    def cancel(self) -> None:
        """Stop the running call within 50 ms; it and every later one raise JoinCancelledError."""
        self._cancelled.set()
        _, current = self._place
        if current is not None:
            current.join.cancel()

    def next_run(self) -> Run | None:
        """The next sorted run, full unless it is the last; None when there are no more pairs.

        Raises:
            hushlink_native.JoinCancelledError: after ``cancel``.
        """
        started = time.perf_counter_ns()
        try:
            return self._next_run()
        finally:
            self.busy_nanos += time.perf_counter_ns() - started

    def _next_run(self) -> Run | None:
        if self._buffer is None:
            self._buffer = hushlink_native.PairColumns.empty(self._assignment.pairs_per_run)
            self._advance(0)
        buffer = self._buffer
        filled = 0
        while filled < len(buffer) and not self.finished:
            filled += self._fill(
                hushlink_native.PairColumns(buffer.scores[filled:], buffer.left[filled:], buffer.right[filled:])
            )
        if not filled:
            return None
        return Run(hushlink_native.sort_pairs(buffer.scores[:filled], buffer.left[:filled], buffer.right[:filled]))

    def _advance(self, comparisons: int) -> None:
        """Go on to the next join, ``comparisons`` behind us."""
        following = next(self._joins, None)
        self._place = (comparisons, following)
        self.finished = following is None

    def _fill(self, room: hushlink_native.PairColumns) -> int:
        before, current = self._place
        assert current is not None  # noqa: S101 - for the type checker: not finished
        # A cancel that did not find this join is seen here, a later one by the join.
        if self._cancelled.is_set():
            raise hushlink_native.JoinCancelledError
        count = current.join.fill(room)
        room.left[:count] += numpy.uint32(current.left_base)
        room.right[:count] += numpy.uint32(current.right_base)
        if current.join.done:
            self._advance(before + current.join.total)
        return count

    def _planned(self, left: Sequence[chunk_cache.Chunk], right: Sequence[chunk_cache.Chunk]) -> Iterator[_Joining]:
        """Every join of the tile in order; set bits of a left chunk are counted once."""
        width = self._assignment.width_bytes
        left_base = 0
        for number, chunk in enumerate(left):
            rows = chunk.rows(width)
            popcounts = hushlink_native.popcounts(rows)
            if not right:
                yield _Joining(self._join(rows, popcounts, None), left_base, left_base)
            right_base = 0 if right else left_base + len(rows)
            for other in right or left[number + 1 :]:
                yield _Joining(self._join(rows, popcounts, other.rows(width)), left_base, right_base)
                right_base += len(other.rows(width))
            left_base += len(rows)

    def _join(
        self,
        left: numpy.typing.NDArray[numpy.uint8],
        popcounts: numpy.typing.NDArray[numpy.uint32],
        right: numpy.typing.NDArray[numpy.uint8] | None,
    ) -> hushlink_native.Join:
        threshold, metric = self._assignment.threshold, self._assignment.metric.value
        others = popcounts if right is None else hushlink_native.popcounts(right)
        return hushlink_native.Join(
            left,
            right,
            threshold,
            metric=metric,
            left_popcounts=popcounts,
            right_popcounts=None if right is None else others,
            by_popcount=hushlink_native.popcounts_exclude(popcounts, others, left.shape[1], threshold, metric),
        )
