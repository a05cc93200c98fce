"""Progress: what a run tells while it works, often enough to be seen and seldom enough to cost nothing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from hushlink_coordinator.store import runs as run_store
from hushlink_domain import runs, states

REPORT_SECONDS = 0.25


class Reporter:
    """Keeps the newest numbers of a stage and reports them a few times a second."""

    def __init__(self, store: run_store.RunStore, lease: runs.Lease, stage: states.RunState) -> None:
        self._store = store
        self._lease = lease
        self._stage = stage
        self._fraction = 0.0
        self._comparisons = 0
        self._changed = False

    def tell(self, fraction: float, comparisons: int = 0) -> None:
        """Remember how far the stage is: the share that is done, and the comparisons done."""
        self._fraction = max(self._fraction, fraction)
        self._comparisons = max(self._comparisons, comparisons)
        self._changed = True

    @contextlib.asynccontextmanager
    async def reporting(self) -> Any:
        """Report inside the block, and a last time behind it."""
        task = asyncio.create_task(self._repeat(), name=f"progress {self._lease.run_id}")
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._report()

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            if self._changed:
                await self._report()

    async def _report(self) -> None:
        self._changed = False
        await self._store.report(self._lease, self._stage, self._fraction, self._comparisons)
