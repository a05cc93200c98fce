"""Pair intake: a matcher's frames of pairs become whole sorted runs, and nothing it says is believed unchecked."""

from __future__ import annotations

import dataclasses

import numpy

from hushlink_coordinator.dispatch import frames
from hushlink_domain import pairs, tiles
from hushlink_mesh import framing


@dataclasses.dataclass(frozen=True, slots=True)
class SortedRun:
    """One whole sorted run of a tile."""

    number: int
    """Its number in the tile, from 0."""
    scores: bytes
    left_rows: bytes
    right_rows: bytes
    crc32c: int
    """CRC-32C of the columns: equal runs have equal ones."""

    @property
    def pairs(self) -> int:
        """How many pairs."""
        return len(self.left_rows) // 4

    @property
    def size_bytes(self) -> int:
        """How much credit its frames took."""
        return self.pairs * pairs.PAIR_BYTES


class PairIntake:
    """The runs of one assignment, as they come in."""

    def __init__(self, tile: tiles.Tile, comparing: tiles.Comparing) -> None:
        self._tile = tile
        self._comparing = comparing
        self._parts: list[frames.Pairs] = []
        self._pending = 0
        self.run_pairs: list[int] = []
        """How many pairs each complete run has."""

    @property
    def pending_bytes(self) -> int:
        """How much credit the frames of the run that is not complete took."""
        return self._pending * pairs.PAIR_BYTES

    def take(self, frame: frames.Pairs) -> SortedRun | None:
        """Take the next frame; returns the run it completes, if it does.

        Raises:
            frames.ViolationError: the frame or the run is not as it should be.
        """
        count = _pairs_in(frame)
        if frame.run != len(self.run_pairs):
            raise frames.ViolationError(f"run {frame.run} came where run {len(self.run_pairs)} was due")
        if self.run_pairs and self.run_pairs[-1] < self._comparing.pairs_per_run:
            raise frames.ViolationError(f"run {frame.run} follows one that was not full")
        self._parts.append(frame)
        self._pending += count
        if self._pending > self._comparing.pairs_per_run:
            raise frames.ViolationError(f"run {frame.run} has more than {self._comparing.pairs_per_run} pairs")
        if not frame.last:
            return None
        run = self._joined(frame.run)
        check_run(run, self._tile, self._comparing)
        self.run_pairs.append(self._pending)
        self._parts, self._pending = [], 0
        if sum(self.run_pairs) > self._tile.comparisons:
            raise frames.ViolationError("a tile has more pairs than comparisons")
        return run

    def check_end(self, done: frames.Done) -> None:
        """Check that a tile's end agrees with what came before it.

        Raises:
            frames.ViolationError: it does not.
        """
        found = (len(self.run_pairs), sum(self.run_pairs), self._tile.comparisons)
        told = (done.run_count, done.pair_count, done.comparisons)
        if self._parts or found != told:
            raise frames.ViolationError(f"runs, pairs, comparisons are {found}, the matcher tells of {told}")

    def _joined(self, number: int) -> SortedRun:
        scores, left, right = (
            b"".join(getattr(part, column) for part in self._parts) for column in ("scores", "left_rows", "right_rows")
        )
        return SortedRun(number, scores, left, right, framing.crc32c(scores, left, right))


def _pairs_in(frame: frames.Pairs) -> int:
    count, rest = divmod(frame.size_bytes, pairs.PAIR_BYTES)
    if not count or rest or len(frame.scores) != 8 * count or len(frame.left_rows) != 4 * count:
        raise frames.ViolationError("the columns of a frame of pairs have different lengths, or none")
    if framing.crc32c(frame.scores, frame.left_rows, frame.right_rows) != frame.crc32c:
        raise frames.ViolationError("a frame of pairs does not have the CRC-32C sent with it")
    return count


def check_run(run: SortedRun, tile: tiles.Tile, comparing: tiles.Comparing) -> None:
    """Check that a run's pairs are pairs of the tile, at or above the threshold, each after the one before.

    Raises:
        frames.ViolationError: they are not.
    """
    scores = numpy.frombuffer(run.scores, "<f8")
    left = numpy.frombuffer(run.left_rows, "<u4")
    right = numpy.frombuffer(run.right_rows, "<u4")
    if int(left.max()) >= tile.left.rows or int(right.max()) >= (tile.right or tile.left).rows:
        raise frames.ViolationError("a pair names a row that the tile does not have")
    if tile.right is None and not bool((left < right).all()):
        raise frames.ViolationError("a pair of a tile without a right side does not have the later row on the right")
    falling = scores[1:] < scores[:-1]
    place = (left.astype(numpy.uint64) << numpy.uint64(32)) | right
    tied = (scores[1:] == scores[:-1]) & (place[1:] > place[:-1])
    if not bool((falling | tied).all()):
        raise frames.ViolationError("the pairs of a run are not in order")
    # Ordered, so the ends tell of all; a score that is no number is never in order, but may stand alone.
    if not comparing.threshold <= float(scores[-1]) <= float(scores[0]) <= 1.0:
        raise frames.ViolationError("a pair's score is below the threshold or above 1")
