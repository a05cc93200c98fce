"""The similarity join: all pairs of rows at or above a threshold, streamed or at once."""

import dataclasses
import threading
from typing import Any

import numpy
import numpy.typing

from hushlink_native import _binding, paths, rows
from hushlink_native import blocks as block_lists

Scores = numpy.typing.NDArray[numpy.float64]
Rows = numpy.typing.NDArray[numpy.uint32]

METRICS: dict[str, int] = {
    "dice": _binding.lib.HL_DICE,
    "jaccard": _binding.lib.HL_JACCARD,
    "hamming": _binding.lib.HL_HAMMING,
    "cosine": _binding.lib.HL_COSINE,
    "overlap": _binding.lib.HL_OVERLAP,
}

_METRICS_OF_PAIRS = frozenset({"cosine", "overlap"})

LEFT_BLOCK: int = _binding.lib.HL_LEFT_BLOCK
RIGHT_BLOCK: int = _binding.lib.HL_RIGHT_BLOCK
"""Sizes of the blocks, in rows, that define the order in which a join emits its pairs."""

_FIRST_CAPACITY = 1 << 16
_LARGEST_CAPACITY = 1 << 22


class JoinCancelledError(Exception):
    """The join was cancelled; the pairs of the call that was stopped are lost."""


@dataclasses.dataclass(frozen=True, slots=True)
class PairColumns:
    """Pairs as columns of one length: float64 scores, uint32 rows of the left and of the right."""

    scores: Scores
    left: Rows
    right: Rows

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def empty(cls, capacity: int) -> "PairColumns":
        """Columns with room for `capacity` pairs, not yet written."""
        return cls(
            numpy.empty(capacity, dtype=numpy.float64),
            numpy.empty(capacity, dtype=numpy.uint32),
            numpy.empty(capacity, dtype=numpy.uint32),
        )

    def first(self, count: int) -> "PairColumns":
        """The first `count` pairs: these columns themselves when that is all, else a copy."""
        if count == len(self):
            return self
        return PairColumns(self.scores[:count].copy(), self.left[:count].copy(), self.right[:count].copy())


class Join:
    """One join, made in as many calls as its pairs need.

    Pairs come in the kernel's own order (blocks of the left, blocks of the right, left row, right
    row), the same on every instruction set and whatever the capacities; `sort_pairs` puts a batch in
    the canonical order. `next` releases the GIL. One thread at a time makes progress; `progress`,
    `done` and `cancel` may be used from any thread meanwhile.
    """

    def __init__(
        self,
        left: rows.Bytes,
        right: rows.Bytes | None,
        threshold: float,
        *,
        metric: str = "dice",
        left_popcounts: rows.Counts | None = None,
        right_popcounts: rows.Counts | None = None,
        blocks: block_lists.Blocks | None = None,
        by_popcount: bool = False,
        path: str | None = None,
        prune: bool = True,
    ) -> None:
        """Prepare a join of `left` with `right`, or of the pairs r < s of `left` when right is None.

        The rows are C-contiguous uint8 arrays of shape (rows, width_bytes), 1 to 2048 bytes wide;
        they are read, not copied, and must not change until the join is done. Popcounts handed in
        save counting: they are trusted, and wrong ones give wrong pairs. With `blocks`, only rows
        that share a block are compared, block by block; a pair that shares several leaves once, but
        counts as a comparison in each. With `by_popcount`, which excludes blocks, rows take their
        turn by their number of set bits, and so do their pairs: groups of rows that cannot match
        are passed over whole (see `popcounts_exclude`). `path` forces an
        instruction set and `prune=False` compares every pair in full; both are for tests and
        measurements and never change the pairs.

        Raises TypeError and ValueError for arrays, thresholds (outside (0, 1]), metrics and
        combinations that do not fit.
        """
        if by_popcount and blocks is not None:
            raise ValueError("blocks have an order of their own: by_popcount is for joins without them")
        self._rows = _Sides(left, right, left_popcounts, right_popcounts)
        _check_question(metric, threshold)
        self._table = _smallest_common(metric, self._rows.width, threshold)
        self._signals = _binding.ffi.new("hl_signals *")
        self._lock = threading.Lock()
        self._done = False
        size = _binding.lib.hl_join_size(self._rows.width)
        self._memory = numpy.zeros(size, dtype=numpy.uint8)
        settings = self._rows.settings(by_popcount)
        settings.metric = METRICS[metric]
        settings.path = paths.number(path)
        settings.pruning = _binding.lib.HL_PRUNE_AUTO if prune else _binding.lib.HL_PRUNE_OFF
        settings.threshold = threshold
        self._blocks = None if blocks is None else self._rows.block_lists(blocks)
        if self._blocks is not None:
            settings.blocks = self._blocks.pointer
        if self._table is not None:
            settings.smallest_common = _binding.pointer(self._table)
        self._pointer = _binding.pointer(self._memory, writable=True)
        _binding.check(_binding.lib.hl_join_begin(self._pointer, size, settings), f"{metric} join")

    @property
    def total(self) -> int:
        """Comparisons that the whole join makes."""
        return int(_binding.lib.hl_join_total(self._pointer))

    @property
    def progress(self) -> int:
        """Comparisons made so far; only grows, and ends at `total`."""
        return int(self._signals.compared)

    @property
    def done(self) -> bool:
        """Has the last comparison been made?"""
        return self._done

    def cancel(self) -> None:
        """Stop the running call within 50 ms; it and every later one raise JoinCancelledError."""
        self._signals.cancel = 1

    def next(self, capacity: int) -> PairColumns:
        """The next pairs, at most `capacity` (1 or more); none when and only when the join is done.

        Raises JoinCancelledError after `cancel`.
        """
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        columns = PairColumns.empty(capacity)
        return columns.first(self.fill(columns))

    def fill(self, columns: PairColumns) -> int:
        """Write the next pairs into columns of the caller and return how many; 0 when done.

        Raises TypeError or ValueError for columns of another type, of different lengths, empty or
        read-only, and JoinCancelledError after `cancel`.
        """
        out = _output(columns)
        with self._lock:
            status = _binding.check(_binding.lib.hl_join_next(self._pointer, out, self._signals), "join")
            if status == _binding.lib.HL_CANCELLED or self._signals.cancel:
                raise JoinCancelledError("the join was cancelled")
            self._done = status == _binding.lib.HL_DONE
        return int(out.count)


class _Sides:
    """The rows and popcounts of both sides, kept alive for the kernel."""

    def __init__(
        self,
        left: rows.Bytes,
        right: rows.Bytes | None,
        left_popcounts: rows.Counts | None,
        right_popcounts: rows.Counts | None,
    ) -> None:
        if right is None and right_popcounts is not None:
            raise ValueError("right_popcounts given without right rows")
        self._left = rows.checked("left", left)
        self._left_counts = rows.counts_of("left_popcounts", left, left_popcounts)
        self.width = left.shape[1]
        self._right = None if right is None else rows.checked("right", right)
        if right is not None and right.shape[1] != self.width:
            raise ValueError(f"left is {self.width} bytes wide and right {right.shape[1]}: widths must be equal")
        self._right_counts = None if right is None else rows.counts_of("right_popcounts", right, right_popcounts)

    def block_lists(self, blocks: block_lists.Blocks) -> block_lists.BlockLists:
        """The blocks for these rows, in the form of the kernel."""
        right = None if self._right is None else self._right.shape[0]
        return block_lists.BlockLists(blocks, self._left.shape[0], right)

    def settings(self, by_popcount: bool) -> Any:
        """hl_join_settings with the rows filled in, in the order of their popcounts or as they come."""
        settings = _binding.ffi.new("hl_join_settings *")
        settings.width_bytes = self.width
        settings.left.bytes = _binding.pointer(self._left)
        settings.left.popcounts = _binding.pointer(self._left_counts)
        settings.left.count = self._left.shape[0]
        settings.self_join = self._right is None
        if self._right is not None and self._right_counts is not None:
            settings.right.bytes = _binding.pointer(self._right)
            settings.right.popcounts = _binding.pointer(self._right_counts)
            settings.right.count = self._right.shape[0]
        if by_popcount:
            self._left_order = _order(self._left_counts)
            settings.left_order = _binding.pointer(self._left_order)
        if by_popcount and self._right_counts is not None:
            self._right_order = _order(self._right_counts)
            settings.right_order = _binding.pointer(self._right_order)
        return settings


def _order(popcounts: rows.Counts) -> Rows:
    """Rows by popcount, equal ones as they come."""
    return numpy.argsort(popcounts, kind="stable").astype(numpy.uint32)


_QUANTILES = 128
_EXCLUDED_SHARE = 0.1


def popcounts_exclude(
    left_popcounts: rows.Counts, right_popcounts: rows.Counts, width_bytes: int, threshold: float, metric: str = "dice"
) -> bool:
    """Can popcounts alone rule out a tenth of all pairs or more, so that a join `by_popcount` pays?

    So it is where many records lack fields, and not where encodings are full or balanced. Asked of
    128 evenly spaced popcounts of each side. Raises ValueError for an unknown metric or a threshold
    outside (0, 1].
    """
    _check_question(metric, threshold)
    if metric == "overlap" or not len(left_popcounts) or not len(right_popcounts):
        return False
    a, b = (_quantiles(counts) for counts in (left_popcounts, right_popcounts))
    least = numpy.minimum(a[:, None], b[None, :])
    table = _smallest_common(metric, width_bytes, threshold)
    if table is None:
        excluded = least < threshold * numpy.sqrt(a[:, None] * b[None, :].astype(numpy.float64))
    else:
        excluded = least < table[a[:, None] + b[None, :]]
    return float(excluded.mean()) >= _EXCLUDED_SHARE


def _quantiles(popcounts: rows.Counts) -> numpy.typing.NDArray[numpy.int64]:
    places = numpy.linspace(0, len(popcounts) - 1, _QUANTILES).astype(numpy.int64)
    return numpy.sort(popcounts)[places].astype(numpy.int64)


def _check_question(metric: str, threshold: float) -> None:
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}: use one of {', '.join(METRICS)}")
    if not 0.0 < threshold <= 1.0:
        raise ValueError(f"threshold must be above 0 and at most 1, not {threshold}")


def _smallest_common(metric: str, width: int, threshold: float) -> Rows | None:
    """The threshold as integers; None for a metric whose score is no function of a + b and c."""
    if metric in _METRICS_OF_PAIRS:
        return None
    table = numpy.empty(16 * width + 1, dtype=numpy.uint32)
    _binding.check(
        _binding.lib.hl_smallest_common(METRICS[metric], width, threshold, _binding.pointer(table, writable=True)),
        f"metric {metric!r}",
    )
    return table


def _output(columns: PairColumns) -> Any:
    if columns.scores.dtype != numpy.float64 or {columns.left.dtype, columns.right.dtype} != {
        numpy.dtype(numpy.uint32)
    }:
        raise TypeError("columns must be float64 scores and uint32 rows")
    if not len(columns.scores) == len(columns.left) == len(columns.right) > 0:
        raise ValueError("columns must have one length, at least 1")
    out = _binding.ffi.new("hl_pairs *")
    out.scores = _binding.pointer(columns.scores, writable=True)
    out.left = _binding.pointer(columns.left, writable=True)
    out.right = _binding.pointer(columns.right, writable=True)
    out.capacity = len(columns)
    return out


def sort_pairs(scores: Scores, left: Rows, right: Rows) -> PairColumns:
    """The pairs in canonical order: score descending, then left row, then right row; a new copy.

    Raises TypeError for columns other than float64 and uint32, ValueError for different lengths.
    """
    if len({scores.shape, left.shape, right.shape, (len(scores),)}) != 1:
        raise ValueError("scores, left and right must be columns of one length")
    if scores.dtype != numpy.float64 or left.dtype != numpy.uint32 or right.dtype != numpy.uint32:
        raise TypeError("scores must be float64, left and right uint32")
    columns = PairColumns(scores.copy(), left.copy(), right.copy())
    spare = numpy.empty(4 * len(scores), dtype=numpy.uint64)
    _binding.check(
        _binding.lib.hl_pairs_sort(
            _binding.pointer(columns.scores, writable=True),
            _binding.pointer(columns.left, writable=True),
            _binding.pointer(columns.right, writable=True),
            len(scores),
            _binding.pointer(spare, writable=True),
        ),
        "sort_pairs",
    )
    return columns


def candidate_pairs(
    left: rows.Bytes,
    right: rows.Bytes | None,
    threshold: float,
    *,
    metric: str = "dice",
    blocks: block_lists.Blocks | None = None,
    path: str | None = None,
    prune: bool = True,
) -> tuple[Scores, Rows, Rows]:
    """All pairs at or above the threshold, in canonical order: (scores, left_rows, right_rows).

    Arguments and errors are those of `Join`; right=None compares the rows r < s of `left`. The
    result is held in memory whole: use `Join` where it may be large.
    """
    left_counts = rows.popcounts(rows.checked("left", left))
    right_counts = None if right is None else rows.popcounts(rows.checked("right", right))
    others = left_counts if right_counts is None else right_counts
    join = Join(
        left,
        right,
        threshold,
        metric=metric,
        left_popcounts=left_counts,
        right_popcounts=right_counts,
        blocks=blocks,
        by_popcount=blocks is None and popcounts_exclude(left_counts, others, left.shape[1], threshold, metric),
        path=path,
        prune=prune,
    )
    batches: list[PairColumns] = []
    capacity = _FIRST_CAPACITY
    while not join.done:
        batches.append(join.next(capacity))
        capacity = min(2 * capacity, _LARGEST_CAPACITY)
    pairs = sort_pairs(
        numpy.concatenate([batch.scores for batch in batches]),
        numpy.concatenate([batch.left for batch in batches]),
        numpy.concatenate([batch.right for batch in batches]),
    )
    return pairs.scores, pairs.left, pairs.right
