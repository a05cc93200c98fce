"""Deletion: everything of a project goes, in the object store first, in Postgres last, so a cut one is finished."""

from __future__ import annotations

import asyncio

from hushlink_coordinator import blobs, keys
from hushlink_coordinator.store import projects

_WAIT_SECONDS = 0.2


async def delete(store: projects.ProjectStore, objects: blobs.Blobs, project_id: str) -> int:
    """Delete a project once nobody works on its runs, and return how many objects it had.

    Raises:
        errors.CapacityError: BLOBS_UNAVAILABLE, STORE_UNAVAILABLE; a worker finishes the deletion later.
    """
    await store.begin_deletion(project_id)
    while project_id not in await store.deletions():  # noqa: ASYNC110 - another process's lease
        await asyncio.sleep(_WAIT_SECONDS)
    return await finish(store, objects, project_id)


async def finish(store: projects.ProjectStore, objects: blobs.Blobs, project_id: str) -> int:
    """Finish a deletion that began: delete every object, look that none is left, forget the project."""
    deleted = await objects.delete_all(keys.project(project_id))
    await store.finish_deletion(project_id, deleted)
    return deleted
