"""Deletion: what is over leaves nothing behind.

A project goes with everything of it, in the object store first, in Postgres last, so that a deletion that was cut is
finished by whoever looks next. A run that has ended keeps its result; its sorted runs of pairs go.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from hushlink_coordinator import blobs, keys
from hushlink_coordinator.store import changes, projects, runs
from hushlink_domain import errors

logger = logging.getLogger(__name__)

_WAIT_SECONDS = 0.2
_LOOK_SECONDS = 5.0
"""How often to look for leftovers that nobody announced, such as a dead process's."""


async def delete(store: projects.ProjectStore, objects: blobs.Blobs, project_id: str) -> int:
    """Delete a project once nobody works on its runs, and return how many objects it had.

    Raises:
        errors.CapacityError: BLOBS_UNAVAILABLE, STORE_UNAVAILABLE; a janitor finishes the deletion later.
    """
    await store.begin_deletion(project_id)
    while await store.is_worked_on(project_id):  # noqa: ASYNC110 - another process's lease
        await asyncio.sleep(_WAIT_SECONDS)
    return await _finish(store, objects, project_id)


async def _finish(store: projects.ProjectStore, objects: blobs.Blobs, project_id: str) -> int:
    """Finish a deletion that began: delete every object, look that none is left, forget the project."""
    deleted = await objects.delete_all(keys.project(project_id))
    await store.finish_deletion(project_id, deleted)
    return deleted


async def undo_writes(store: projects.ProjectStore, objects: blobs.Blobs, project_id: str) -> None:
    """Delete what was written for a project that has been deleted meanwhile, which its deletion can't have seen."""
    try:
        if not await store.exists(project_id):
            await objects.delete_all(keys.project(project_id))
    except errors.CapacityError:
        logger.warning("what was written for a deleted project may be left", extra={"project": project_id})


class Janitor:
    """Finishes deletions that were cut, here or elsewhere, and deletes the pairs of runs that have ended."""

    def __init__(
        self,
        project_facts: projects.ProjectStore,
        run_facts: runs.RunStore,
        objects: blobs.Blobs,
        heard: changes.Changes,
        call_seconds: float,
    ) -> None:
        """``call_seconds`` is how long the call that asked for a deletion has to finish it itself."""
        self._projects = project_facts
        self._runs = run_facts
        self._objects = objects
        self._changes = heard
        self._call_seconds = call_seconds

    async def work(self) -> None:
        """Look for leftovers until cancelled."""
        async with contextlib.aclosing(self._changes.ticks(changes.LEFTOVERS, _LOOK_SECONDS)) as ticks:
            async for _ in ticks:
                try:
                    await self._tidy()
                except errors.CapacityError:
                    logger.warning("leftovers stay: something their deletion needs is out of reach")

    async def _tidy(self) -> None:
        for project_id in await self._projects.deletions(self._call_seconds):
            await _finish(self._projects, self._objects, project_id)
        while ended := await self._runs.with_pairs_left():
            for project_id, run_id in ended:
                await self._objects.delete_all(keys.pairs(project_id, run_id))
                await self._runs.forget_pairs(run_id)
