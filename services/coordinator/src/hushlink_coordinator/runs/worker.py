"""The worker: takes leases of runs, keeps them alive while it works, and decides what becomes of one that stumbles."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Iterator

from hushlink_coordinator import deletion, meters
from hushlink_coordinator.runs import desk, execution
from hushlink_coordinator.store import changes
from hushlink_coordinator.store import projects as project_store
from hushlink_coordinator.store import runs as run_store
from hushlink_domain import errors, runs, states
from hushlink_mesh import error_desk

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 5.0
"""How often, at the least, to look for work that nobody announced, such as a dead process's."""

_RENEW_SECONDS = 0.5
"""How soon to try again to renew a lease."""

_RETRY_SECONDS = 2.0
"""How long a run rests after a stumble."""


class CancelRequestedError(Exception):
    """Somebody asked for the run's end."""


class Worker:
    """Works on up to ``runs_at_once`` runs at a time, each in a task of its own."""

    def __init__(self, rooms: desk.Rooms, projects: project_store.ProjectStore, heard: changes.Changes) -> None:
        self._rooms = rooms
        self._projects = projects
        self._changes = heard
        self._holder = f"{rooms.settings.holder}/{secrets.token_hex(4)}"
        self._lease_seconds = rooms.settings.lease_seconds
        self._look_seconds = min(_LOOK_SECONDS, self._lease_seconds)

    async def work(self) -> None:
        """Take and work on runs until cancelled; then leases are given back: another process goes on at once."""
        running: set[asyncio.Task[None]] = set()
        try:
            with self._changes.watching(changes.WORK) as announced:
                while True:
                    announced.clear()
                    await self._take(running, announced)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._look_seconds):
                            await announced.wait()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _take(self, running: set[asyncio.Task[None]], announced: asyncio.Event) -> None:
        while len(running) < self._rooms.settings.runs_at_once:
            try:
                lease = await self._rooms.runs.claim(self._holder, self._lease_seconds)
            except errors.CapacityError:
                logger.warning("the database can't be reached: looking for work again soon")
                return
            if lease is None:
                return
            logger.info("run taken", extra={"run": lease.run_id, "state": lease.state.value, "fence": lease.fence})
            task = asyncio.create_task(self._hold(lease), name=f"run {lease.run_id}")
            running.add(task)

            def ended(done: asyncio.Task[None]) -> None:
                running.discard(done)
                announced.set()

            task.add_done_callback(ended)

    async def _hold(self, lease: runs.Lease) -> None:
        """Work on a run while its lease is kept alive beside it."""
        try:
            async with asyncio.TaskGroup() as group:
                heartbeat = group.create_task(self._heartbeat(lease), name=f"lease {lease.run_id}")
                await execution.execute(self._rooms, self._projects, lease)
                heartbeat.cancel()
        except asyncio.CancelledError:
            await asyncio.shield(self._released(lease, lease.attempts, 0.0))
            raise
        except Exception as error:
            await self._settle(lease, error)

    async def _settle(self, lease: runs.Lease, error: Exception) -> None:
        """Decide what becomes of a run whose work ended with an error."""
        causes = list(_causes(error))
        kinds = {type(cause) for cause in causes}
        try:
            if run_store.LeaseLostError in kinds:
                await self._lost(lease)
            elif CancelRequestedError in kinds:
                await self._cancelled(lease)
            else:
                await self._stumbled(lease, causes[0])
        except run_store.LeaseLostError:  # which may be found out late: what others deleted can't be read any more
            await self._lost(lease)
        except errors.CapacityError:
            logger.warning("the run rests until its lease runs out", extra={"run": lease.run_id})

    async def _lost(self, lease: runs.Lease) -> None:
        """See to what we wrote after others had ended the run, or deleted its project, and looked for leftovers."""
        meters.RUNS.labels("lease lost").inc()
        logger.warning("lease lost", extra={"run": lease.run_id, "fence": lease.fence})
        with contextlib.suppress(errors.CapacityError):
            await self._rooms.runs.remember_pairs(lease.run_id)
        await deletion.undo_writes(self._projects, self._rooms.objects, lease.project_id)

    async def _released(self, lease: runs.Lease, attempts: int, retry_seconds: float) -> None:
        with contextlib.suppress(errors.CapacityError, run_store.LeaseLostError):
            await self._rooms.runs.release(lease, attempts, retry_seconds)

    async def _heartbeat(self, lease: runs.Lease) -> None:
        """Renew the lease; an outage of the database is waited out until the lease would have run out."""
        ticks = self._changes.ticks(changes.cancelling(lease.run_id), self._lease_seconds / 3)
        async with contextlib.aclosing(ticks):
            async for _ in ticks:
                if await self._renewed(lease):
                    raise CancelRequestedError

    async def _renewed(self, lease: runs.Lease) -> bool:
        """Whether the run is to be cancelled.

        Raises:
            errors.CapacityError: STORE_UNAVAILABLE, until the lease must have run out.
        """
        try:
            async with asyncio.timeout(self._lease_seconds):
                while True:
                    with contextlib.suppress(errors.CapacityError):
                        return await self._rooms.runs.renew(lease, self._lease_seconds)
                    await asyncio.sleep(_RENEW_SECONDS)
        except TimeoutError:
            raise errors.CapacityError(
                errors.Reason.STORE_UNAVAILABLE, "the lease ran out while the database could not be reached"
            ) from None

    async def _cancelled(self, lease: runs.Lease) -> None:
        await self._rooms.runs.end(lease, states.RunState.CANCELLED)
        meters.RUNS.labels("cancelled").inc()
        logger.info("run cancelled", extra={"run": lease.run_id})

    async def _stumbled(self, lease: runs.Lease, error: Exception) -> None:
        """An outage is waited out, an unforeseen error tried again a few times; anything else fails the run."""
        foreseen = error_desk.foreseen(error)
        run = {"run": lease.run_id, "reason": foreseen.reason.value}
        if isinstance(foreseen, errors.CapacityError):
            meters.RUNS.labels("rests").inc()
            logger.warning("run rests: something it needs is out of reach", extra=run)
            await self._rooms.runs.release(lease, lease.attempts, _RETRY_SECONDS)
        elif isinstance(foreseen, errors.InternalError) and lease.attempts + 1 < self._rooms.settings.run_attempts:
            meters.RUNS.labels("rests").inc()
            logger.warning("run rests after an error", extra=run)
            await self._rooms.runs.release(lease, lease.attempts + 1, _RETRY_SECONDS)
        else:
            meters.RUNS.labels("failed").inc()
            logger.error("run failed", extra=run)
            failure = runs.Failure(foreseen.reason.value, foreseen.message)
            await self._rooms.runs.end(lease, states.RunState.FAILED, failure)


def _causes(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    else:
        yield error
