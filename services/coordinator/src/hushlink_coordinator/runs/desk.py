"""The desk a run is worked on at: what all its stages need."""

from __future__ import annotations

import dataclasses

from hushlink_coordinator import blobs, config
from hushlink_coordinator.dispatch import pool
from hushlink_coordinator.store import runs as run_store
from hushlink_coordinator.store import tiles as tile_store
from hushlink_coordinator.store import uploads as upload_store
from hushlink_domain import chunks, pairs, runs, tiles


@dataclasses.dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms of the coordinator that stages work with."""

    settings: config.CoordinatorConfig
    runs: run_store.RunStore
    tiles: tile_store.TileStore
    uploads: upload_store.UploadStore
    objects: blobs.Blobs
    matchers: pool.MatcherPool


@dataclasses.dataclass(frozen=True, slots=True)
class Desk:
    """One run under one lease."""

    rooms: Rooms
    lease: runs.Lease
    run: runs.Run
    width_bits: int
    datasets: dict[int, tuple[chunks.ChunkRef, ...]]

    @property
    def comparing(self) -> tiles.Comparing:
        """What all its tiles share."""
        return tiles.Comparing(self.width_bits // 8, self.run.metric, self.run.threshold, pairs.PAIRS_PER_RUN)

    @property
    def dataset_rows(self) -> tuple[int, ...]:
        """The rows of each dataset."""
        return tuple(sum(chunk.rows for chunk in self.datasets[dataset]) for dataset in sorted(self.datasets))

    async def plan(self) -> list[tile_store.PlannedTile]:
        """The run's plan as it is kept."""
        return await self.rooms.tiles.plan(self.lease.run_id, self.datasets)
