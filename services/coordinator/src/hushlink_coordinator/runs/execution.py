"""Execution: a run under a lease goes through its stages, whoever began them."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Awaitable, Callable

from hushlink_coordinator import meters
from hushlink_coordinator.runs import comparing, desk, merging, planning, publishing, solving
from hushlink_coordinator.store import projects as project_store
from hushlink_domain import errors, runs, states

logger = logging.getLogger(__name__)

_State = states.RunState
_ORDER = (_State.QUEUED, *states.STAGES)


async def _plan(work: desk.Desk) -> None:
    plan = planning.plan(work.datasets, work.rooms.settings.tile_comparisons)
    await work.rooms.tiles.keep_plan(work.lease, plan, work.comparing)


_RECORDED: tuple[tuple[states.RunState, Callable[[desk.Desk], Awaitable[None]]], ...] = (
    (_State.PLANNING, _plan),
    (_State.COMPARING, comparing.compare),
    (_State.MERGING, merging.merge),
)
"""The stages whose outcome is recorded as it comes, so that whoever takes the run over goes on in the middle."""


async def execute(rooms: desk.Rooms, projects: project_store.ProjectStore, lease: runs.Lease) -> None:
    """Work on a run from the stage its lease found it in until it has succeeded.

    Solving keeps its groups in memory, so a run that is found in SOLVING or PUBLISHING is solved (again) first.

    Raises:
        errors.DomainError: what went wrong; the caller decides whether to try again.
        store.runs.LeaseLostError: another process works on the run.
    """
    work = await _desk(rooms, projects, lease)
    begun = max(_ORDER.index(lease.state), 1)
    for stage, work_on in _RECORDED:
        if _ORDER.index(stage) >= begun:
            await rooms.runs.enter(lease, stage)
            await work_on(work)
    if begun <= _ORDER.index(_State.SOLVING):
        await rooms.runs.enter(lease, _State.SOLVING)
    columns = await solving.solve(work)
    await rooms.runs.enter(lease, _State.PUBLISHING)
    work = dataclasses.replace(work, run=await rooms.runs.find(lease.project_id, lease.run_id))
    published = await publishing.publish(work, columns)
    await rooms.runs.report(lease, _State.PUBLISHING, 1.0, groups=published.group_count)
    await rooms.runs.end(lease, _State.SUCCEEDED)
    meters.RUNS.labels("succeeded").inc()
    logger.info("run succeeded", extra={"run": lease.run_id, "groups": published.group_count})


async def _desk(rooms: desk.Rooms, projects: project_store.ProjectStore, lease: runs.Lease) -> desk.Desk:
    project = await projects.find(lease.project_id)
    if project is None:
        raise errors.StateError(errors.Reason.RUN_NOT_FOUND, "the run's project is being deleted", run_id=lease.run_id)
    return desk.Desk(
        rooms=rooms,
        lease=lease,
        run=await rooms.runs.find(lease.project_id, lease.run_id),
        width_bits=project.agreement.width_bits,
        datasets=await rooms.uploads.datasets(lease.project_id),
    )
