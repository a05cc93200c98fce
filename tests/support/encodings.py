"""Synthetic encodings, cut into chunks and tiles, and what comparing them must give."""

from __future__ import annotations

import dataclasses
import functools

import numpy
import numpy.typing

import hushlink_native
from hushlink_domain import chunks, digests, metrics, tiles

Rows = numpy.typing.NDArray[numpy.uint8]
Pair = tuple[float, int, int]


def encodings(rows: int, width_bytes: int, seed: int, *, fill: float = 0.4) -> Rows:
    """Random rows with about ``fill`` of their bits set."""
    generator = numpy.random.default_rng(seed)
    return numpy.packbits(generator.random((rows, 8 * width_bytes)) < fill, axis=1)


def overlapping(left_rows: int, right_rows: int, width_bytes: int, seed: int) -> tuple[Rows, Rows]:
    """Two sides of which about half are near-copies of each other, in another order."""
    generator = numpy.random.default_rng(seed)
    left = encodings(left_rows, width_bytes, seed)
    right = encodings(right_rows, width_bytes, seed + 1)
    shared = min(left_rows, right_rows) // 2
    noise = numpy.packbits(generator.random((shared, 8 * width_bytes)) < 0.03, axis=1)
    right[:shared] = left[generator.permutation(left_rows)[:shared]] ^ noise
    return left, right[generator.permutation(right_rows)]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Rows in chunks."""

    rows: Rows
    number: int
    chunk_rows: int

    @functools.cached_property
    def chunks(self) -> tuple[chunks.ChunkRef, ...]:
        return tuple(
            chunks.ChunkRef(digests.Digest.of(part.tobytes()), first, len(part))
            for first in range(0, len(self.rows), self.chunk_rows)
            for part in [self.rows[first : first + self.chunk_rows]]
        )

    def sides(self, chunks_per_side: int) -> list[tiles.Side]:
        return [
            tiles.Side(self.number, self.chunks[first : first + chunks_per_side])
            for first in range(0, len(self.chunks), chunks_per_side)
        ]

    def blobs(self) -> dict[digests.Digest, bytes]:
        return {ref.digest: self.rows[ref.first_row : ref.first_row + ref.rows].tobytes() for ref in self.chunks}


def rectangles(left: Dataset, right: Dataset, chunks_per_side: int = 1) -> list[tiles.Tile]:
    """Every tile of two datasets."""
    pairs = [(one, other) for one in left.sides(chunks_per_side) for other in right.sides(chunks_per_side)]
    return [tiles.Tile(index, one, other) for index, (one, other) in enumerate(pairs)]


def triangle(dataset: Dataset, chunks_per_side: int = 1) -> list[tiles.Tile]:
    """Every tile of a dataset with itself."""
    sides = dataset.sides(chunks_per_side)
    pairs: list[tuple[tiles.Side, tiles.Side | None]] = [(side, None) for side in sides]
    pairs += [(one, other) for place, one in enumerate(sides) for other in sides[place + 1 :]]
    return [tiles.Tile(index, one, other) for index, (one, other) in enumerate(pairs)]


def expected(left: Rows, right: Rows | None, comparing: tiles.Comparing) -> list[Pair]:
    """What the kernel finds in one go."""
    columns = hushlink_native.candidate_pairs(left, right, comparing.threshold, metric=comparing.metric.value)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def dice(width_bytes: int, threshold: float, pairs_per_run: int = 1 << 18) -> tiles.Comparing:
    """A comparing by Dice."""
    return tiles.Comparing(width_bytes, metrics.Metric.DICE, threshold, pairs_per_run)
