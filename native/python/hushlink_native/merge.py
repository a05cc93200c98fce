"""Merging sorted runs of pairs that need not fit in memory."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy
import numpy.typing

from hushlink_native import _binding, columns

RUNS_MAX: int = _binding.lib.HL_MERGE_MAX_RUNS
"""Runs of one merge, at most."""


@dataclasses.dataclass(frozen=True, slots=True)
class SortedPairs:
    """Pairs of any datasets in canonical order, as columns of one length.

    The order: score descending, then dataset_a, dataset_b, row_a, row_b ascending. A dataset column
    may be one number that holds for every pair. What a merge returns has arrays of uint16.
    """

    scores: numpy.typing.NDArray[numpy.float64]
    datasets_a: int | numpy.typing.NDArray[numpy.uint16]
    datasets_b: int | numpy.typing.NDArray[numpy.uint16]
    rows_a: numpy.typing.NDArray[numpy.uint32]
    rows_b: numpy.typing.NDArray[numpy.uint32]

    def __len__(self) -> int:
        return len(self.scores)


class Merger:
    """Merges `runs` sorted runs that arrive in segments, with one segment of each in memory.

    The caller moves the bytes, as asynchronously as it likes::

        merger = Merger(runs=len(readers))
        while not merger.done:
            for run in merger.wanting:
                segment, last = await readers[run].read()
                merger.supply(run, segment, last=last)
            block = merger.next(65_536)
    """

    def __init__(self, runs: int) -> None:
        """Prepare for 1 to 4096 runs. Raises ValueError outside that."""
        if not 1 <= runs <= RUNS_MAX:
            raise ValueError(f"a merge takes 1 to {RUNS_MAX} runs, not {runs}: merge in levels")
        self._count = runs
        self._runs = _binding.ffi.new("hl_run[]", runs)
        self._alive: list[Any] = [None] * runs
        size = _binding.lib.hl_merge_size(runs)
        self._memory = numpy.zeros(size, dtype=numpy.uint8)
        self._done = False

    @property
    def done(self) -> bool:
        """Has everything been merged?"""
        return self._done

    @property
    def wanting(self) -> list[int]:
        """Runs whose next segment must be supplied before the merge can go on."""
        return [
            index
            for index in range(self._count)
            if not self._runs[index].last and self._runs[index].consumed == self._runs[index].count
        ]

    def supply(self, run: int, segment: SortedPairs, *, last: bool) -> None:
        """Hand over the next segment of a run; `last` when nothing follows it. It may be empty.

        Raises IndexError for a run that does not exist, ValueError for one that wants nothing or
        for columns of different lengths, TypeError for columns of another type. The order inside
        the run is trusted.
        """
        if not 0 <= run < self._count:
            raise IndexError(f"run {run} of a merge of {self._count}")
        target = self._runs[run]
        if target.last or target.consumed != target.count:
            raise ValueError(f"run {run} wants no segment now")
        datasets_a = columns.datasets("datasets_a", segment.datasets_a, len(segment))
        datasets_b = columns.datasets("datasets_b", segment.datasets_b, len(segment))
        scores = columns.exact("scores", segment.scores, numpy.float64, len(segment))
        rows_a = columns.exact("rows_a", segment.rows_a, numpy.uint32, len(segment))
        rows_b = columns.exact("rows_b", segment.rows_b, numpy.uint32, len(segment))
        self._alive[run] = (scores, datasets_a, datasets_b, rows_a, rows_b)
        target.scores = _binding.pointer(scores)
        target.rows_a = _binding.pointer(rows_a)
        target.rows_b = _binding.pointer(rows_b)
        columns.place(target, "a", datasets_a)
        columns.place(target, "b", datasets_b)
        target.count, target.consumed, target.last = len(segment), 0, last

    def next(self, capacity: int) -> SortedPairs:
        """Merged pairs, at most `capacity`; fewer when a run wants a segment or all is done.

        It may return none. Raises ValueError for a capacity below 1.
        """
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        scores = numpy.empty(capacity, dtype=numpy.float64)
        datasets_a, datasets_b = (numpy.empty(capacity, dtype=numpy.uint16) for _ in "ab")
        rows_a, rows_b = (numpy.empty(capacity, dtype=numpy.uint32) for _ in "ab")
        out = _binding.ffi.new("hl_merged *")
        out.scores = _binding.pointer(scores, writable=True)
        out.datasets_a = _binding.pointer(datasets_a, writable=True)
        out.datasets_b = _binding.pointer(datasets_b, writable=True)
        out.rows_a = _binding.pointer(rows_a, writable=True)
        out.rows_b = _binding.pointer(rows_b, writable=True)
        out.capacity = capacity
        self._done = self._merge_into(out)
        end = int(out.count)
        if end == capacity:
            return SortedPairs(scores, datasets_a, datasets_b, rows_a, rows_b)
        return SortedPairs(
            scores[:end].copy(),
            datasets_a[:end].copy(),
            datasets_b[:end].copy(),
            rows_a[:end].copy(),
            rows_b[:end].copy(),
        )

    def _merge_into(self, out: Any) -> bool:
        """Fill `out`; is everything merged?"""
        memory = _binding.pointer(self._memory, writable=True)
        status = _binding.lib.hl_merge(self._runs, self._count, out, memory, len(self._memory))
        return bool(_binding.check(status, "merge") == _binding.lib.HL_DONE)


def merge_runs(runs: Sequence[Iterable[SortedPairs]], *, capacity: int = 65_536) -> Iterator[SortedPairs]:
    """Merge runs that are iterables of segments, in blocks of at most `capacity` pairs.

    Holds one segment of each run. Raises as `Merger` does.
    """
    if not runs:
        return
    readers = [iter(run) for run in runs]
    merger = Merger(len(readers))
    nothing = numpy.empty(0, dtype=numpy.uint32)
    end = SortedPairs(numpy.empty(0, dtype=numpy.float64), 0, 0, nothing, nothing)
    while not merger.done:
        for run in merger.wanting:
            segment = next(readers[run], None)
            merger.supply(run, end if segment is None else segment, last=segment is None)
        block = merger.next(capacity)
        if len(block):
            yield block
