"""Planning: how sealed datasets become tiles.

A tile is a rectangle of chunks. Work grows with the area of a tile and bytes only with its sides, so tiles grow with
the run: about ``TILES`` of them, none below a smallest number of comparisons, which keeps a run's end from waiting for
one slow matcher. The plan is a function of the datasets and the settings alone; planning twice plans the same.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from hushlink_domain import chunks, tiles

TILES = 512
"""About how many tiles a large run has."""

MOST_SIDE_BYTES = 32 << 20
"""A side of a tile has at most this many bytes (or one chunk): bounds what a matcher holds for it."""

Chunks = tuple[chunks.ChunkRef, ...]


def plan(datasets: Mapping[int, Chunks], smallest_comparisons: int) -> list[tiles.Tile]:
    """The tiles of a run over every pair of different datasets.

    Args:
        datasets: the chunks of each dataset, in row order.
        smallest_comparisons: about how many pairs of rows the smallest tile of a large run compares.
    """
    pairs = list(itertools.combinations(sorted(datasets), 2))
    rows = {dataset: sum(chunk.rows for chunk in refs) for dataset, refs in datasets.items()}
    total = sum(rows[left] * rows[right] for left, right in pairs)
    target = max(smallest_comparisons, total // TILES)
    sides = {dataset: _sides(dataset, refs, target) for dataset, refs in datasets.items()}
    rectangles = [
        (left_side, right_side) for left, right in pairs for left_side in sides[left] for right_side in sides[right]
    ]
    return [tiles.Tile(index, left, right) for index, (left, right) in enumerate(rectangles)]


def _sides(dataset: int, refs: Chunks, target: int) -> list[tiles.Side]:
    """A dataset cut into equal sides whose squares have about ``target`` comparisons."""
    per_side = max(1, round(math.sqrt(target) / refs[0].rows))
    per_side = min(per_side, max(1, MOST_SIDE_BYTES // refs[0].digest.size_bytes))
    return [tiles.Side(dataset, part) for part in _equal_parts(refs, math.ceil(len(refs) / per_side))]


def _equal_parts(refs: Chunks, count: int) -> Sequence[Chunks]:
    bounds = [len(refs) * part // count for part in range(count + 1)]
    return [refs[start:stop] for start, stop in itertools.pairwise(bounds)]
