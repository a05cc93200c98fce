"""Tiles: the unit of comparing, of retry and of progress: a rectangle of chunks."""

from __future__ import annotations

import dataclasses
import hashlib

from hushlink_domain import chunks, metrics


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """Consecutive chunks of one dataset."""

    dataset: int
    """The dataset's number in its project, from 0."""
    chunks: tuple[chunks.ChunkRef, ...]
    """In row order, without gaps; at least one."""

    @property
    def first_row(self) -> int:
        """The dataset's row that row 0 of this side is."""
        return self.chunks[0].first_row

    @property
    def rows(self) -> int:
        """How many rows."""
        return sum(chunk.rows for chunk in self.chunks)

    @property
    def size_bytes(self) -> int:
        """How many bytes of encodings."""
        return sum(chunk.digest.size_bytes for chunk in self.chunks)


@dataclasses.dataclass(frozen=True, slots=True)
class Comparing:
    """What all tiles of a run share."""

    width_bytes: int
    """Bytes of one row."""
    metric: metrics.Metric
    """How rows are compared."""
    threshold: float
    """Pairs at or above it are candidates; above 0, at most 1."""
    pairs_per_run: int
    """How many pairs one sorted run of a tile has at the most."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tile:
    """Every row of one side compared with every row of the other; without a right side, each with every later one."""

    index: int
    """Its number in the plan, from 0."""
    left: Side
    right: Side | None

    @property
    def comparisons(self) -> int:
        """How many pairs of rows are compared."""
        if self.right is None:
            return self.left.rows * (self.left.rows - 1) // 2
        return self.left.rows * self.right.rows

    def identity(self, comparing: Comparing) -> str:
        """A name computed from what is compared and how, so that planning twice plans once; 32 hexadecimal digits."""
        how = (comparing.width_bytes, comparing.metric.value, comparing.threshold, comparing.pairs_per_run)
        name = hashlib.sha256(repr(how).encode())
        for side in (self.left, self.right):
            name.update(b"|" if side is None else f"|{side.dataset}:{side.first_row}".encode())
            for chunk in side.chunks if side else ():
                name.update(chunk.digest.hash)
        return name.hexdigest()[:32]


@dataclasses.dataclass(frozen=True, slots=True)
class TileAnswer:
    """What a matcher found in a tile; two matchers asked for the same tile give equal ones but for who and how long."""

    index: int
    """The tile's number in the plan."""
    run_pairs: tuple[int, ...]
    """How many pairs each of its sorted runs has; empty when nothing was found."""
    comparisons: int
    """Pairs of rows compared."""
    matcher_id: str
    """Who."""
    busy_nanos: int
    """How long the kernel worked, in nanoseconds."""

    @property
    def pairs(self) -> int:
        """How many candidate pairs were found."""
        return sum(self.run_pairs)
