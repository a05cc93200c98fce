"""A run's plan and how far it is compared, as Postgres keeps them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from hushlink_coordinator.store import changes, connection
from hushlink_coordinator.store.runs import LeaseLostError
from hushlink_domain import chunks, runs, tiles

_sql = connection.queries("tiles")

Datasets = Mapping[int, tuple[chunks.ChunkRef, ...]]
"""The chunks of each dataset, in row order."""


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedTile:
    """A tile of a run's plan."""

    tile: tiles.Tile
    name: str
    """Computed from what is compared and how; its sorted runs of pairs rest under it."""
    run_pairs: tuple[int, ...] | None
    """How many pairs each of its sorted runs has; None until it is compared."""


@dataclasses.dataclass(frozen=True, slots=True)
class MergedRun:
    """A sorted run of pairs that a merging pass made of several others."""

    object_name: str
    left_dataset: int
    right_dataset: int
    pairs: int


def _side(datasets: Datasets, dataset: int, first_row: int, rows: int) -> tiles.Side:
    inside = [c for c in datasets[dataset] if first_row <= c.first_row < first_row + rows]
    return tiles.Side(dataset, tuple(inside))


def _planned(row: Any, datasets: Datasets) -> PlannedTile:
    left = _side(datasets, row["left_dataset"], row["left_first_row"], row["left_rows"])
    right = None
    if row["right_dataset"] is not None:
        right = _side(datasets, row["right_dataset"], row["right_first_row"], row["right_rows"])
    run_pairs = None if row["run_pairs"] is None else tuple(row["run_pairs"])
    return PlannedTile(tiles.Tile(row["tile_index"], left, right), row["tile_name"], run_pairs)


class TileStore:
    """Keeps plans and what was compared. Every write carries the lease's fence."""

    def __init__(self, database: connection.Database) -> None:
        self._database = database

    async def keep_plan(self, lease: runs.Lease, plan: Sequence[tiles.Tile], comparing: tiles.Comparing) -> None:
        """Keep a plan, unless the run has one already.

        Raises:
            LeaseLostError: another process has the lease.
        """
        async with self._database.transaction() as database:
            await _fenced(database, lease)
            if not await _sql.count_tiles(database, run_id=lease.run_id):
                await _sql.insert_tiles(database, [_columns(lease.run_id, tile, comparing) for tile in plan])
            await _sql.record_plan(database, run_id=lease.run_id)
            await changes.announce(database, lease.run_id)

    async def plan(self, run_id: str, datasets: Datasets) -> list[PlannedTile]:
        """A run's plan, in its order; empty before it is planned."""
        async with self._database.connection() as database:
            return [_planned(row, datasets) async for row in _sql.select_tiles(database, run_id=run_id)]

    async def finish(self, lease: runs.Lease, answer: tiles.TileAnswer) -> None:
        """Record that a tile is compared; a second answer changes nothing.

        Raises:
            LeaseLostError: another process has the lease.
        """
        async with self._database.transaction() as database:
            await _fenced(database, lease)
            status = await _sql.finish_tile(
                database,
                run_id=lease.run_id,
                tile_index=answer.index,
                run_pairs=list(answer.run_pairs),
                matcher_id=answer.matcher_id,
                busy_nanos=answer.busy_nanos,
            )
            if status == "UPDATE 1":
                await _sql.count_finished_tile(database, run_id=lease.run_id, pairs=answer.pairs)

    async def keep_merged_run(self, lease: runs.Lease, merged: MergedRun) -> None:
        """Record a sorted run that is in the object store.

        Raises:
            LeaseLostError: another process has the lease.
        """
        async with self._database.transaction() as database:
            await _fenced(database, lease)
            await _sql.insert_merged_run(
                database,
                run_id=lease.run_id,
                object_name=merged.object_name,
                left_dataset=merged.left_dataset,
                right_dataset=merged.right_dataset,
                pair_count=merged.pairs,
            )

    async def merged_runs(self, run_id: str) -> dict[str, MergedRun]:
        """What merging passes have made so far, by object name."""
        async with self._database.connection() as database:
            rows = [row async for row in _sql.select_merged_runs(database, run_id=run_id)]
        return {
            row["object_name"]: MergedRun(
                row["object_name"], row["left_dataset"], row["right_dataset"], row["pair_count"]
            )
            for row in rows
        }


async def _fenced(database: Any, lease: runs.Lease) -> None:
    if not await _sql.lock_lease(database, run_id=lease.run_id, fence=lease.fence):
        raise LeaseLostError


def _columns(run_id: str, tile: tiles.Tile, comparing: tiles.Comparing) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "tile_index": tile.index,
        "tile_name": tile.identity(comparing),
        "left_dataset": tile.left.dataset,
        "left_first_row": tile.left.first_row,
        "left_rows": tile.left.rows,
        "right_dataset": tile.right and tile.right.dataset,
        "right_first_row": tile.right and tile.right.first_row,
        "right_rows": tile.right and tile.right.rows,
        "comparisons": tile.comparisons,
    }
