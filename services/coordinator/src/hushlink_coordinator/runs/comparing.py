"""Comparing: tiles go to matchers, sorted runs of pairs go to the object store."""

from __future__ import annotations

import contextlib
import logging

import numpy as np

from hushlink_coordinator import blobs, keys, meters
from hushlink_coordinator.runs import desk, progress
from hushlink_domain import digests, pairs, states, tiles

logger = logging.getLogger(__name__)


async def compare(work: desk.Desk) -> None:
    """Compare every tile of the plan that is not compared yet.

    Raises:
        errors.StateError: TILE_REFUSED, when matchers refuse a tile.
        errors.CapacityError: STORE_UNAVAILABLE, BLOBS_UNAVAILABLE.
        store.runs.LeaseLostError: another process works on the run.
    """
    plan = await work.plan()
    open_tiles = [planned.tile for planned in plan if planned.run_pairs is None]
    total = sum(planned.tile.comparisons for planned in plan)
    before = total - sum(tile.comparisons for tile in open_tiles)
    names = {planned.tile.index: planned.name for planned in plan}
    place = _Place(work, names)
    reporter = progress.Reporter(work.rooms.runs, work.lease, states.RunState.COMPARING)
    async with reporter.reporting():
        answers = work.rooms.matchers.compare(
            open_tiles,
            work.comparing,
            place,
            place,
            lambda done: reporter.tell((before + done) / max(total, 1), before + done),
        )
        async with contextlib.aclosing(answers):
            async for answer in answers:
                await work.rooms.tiles.finish(work.lease, answer)
                meters.COMPARED_TILES.inc()
        reporter.tell(1.0, total)
    logger.info("compared", extra={"run": work.lease.run_id, "tiles": len(open_tiles), "comparisons": total})


class _Place:
    """Where tiles' bytes come from and where their pairs go: the object store, under the project's prefix."""

    def __init__(self, work: desk.Desk, names: dict[int, str]) -> None:
        self._objects: blobs.Blobs = work.rooms.objects
        self._project_id = work.lease.project_id
        self._run_id = work.lease.run_id
        self._names = names

    async def read(self, digest: digests.Digest) -> bytes:
        """A chunk's bytes."""
        return await self._objects.get_checked(keys.chunk(self._project_id, digest), digest)

    async def store(self, tile: tiles.Tile, run: int, scores: bytes, left_rows: bytes, right_rows: bytes) -> None:
        """Keep a sorted run of pairs; its rows become the datasets' own. Twice the same writes the same."""
        right = tile.right or tile.left
        data = blocks(scores, based(left_rows, tile.left.first_row), based(right_rows, right.first_row))
        key = keys.tile_pairs(self._project_id, self._run_id, self._names[tile.index], run)
        await self._objects.put(key, data)


def based(rows: bytes, first_row: int) -> bytes:
    """Rows counted from a side's first row, made rows of the dataset; 32-bit, little-endian."""
    return (np.frombuffer(rows, "<u4") + np.uint32(first_row)).astype("<u4").tobytes()


def blocks(scores: bytes, left_rows: bytes, right_rows: bytes) -> bytes:
    """Columns of a sorted run in the layout it rests in: block after block (see ``domain.pairs``)."""
    count = len(left_rows) // 4
    parts = []
    for start in range(0, count, pairs.BLOCK_PAIRS):
        stop = min(start + pairs.BLOCK_PAIRS, count)
        parts += [scores[start * 8 : stop * 8], left_rows[start * 4 : stop * 4], right_rows[start * 4 : stop * 4]]
    return b"".join(parts)
