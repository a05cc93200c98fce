"""Solving: the sorted stream of pairs becomes groups."""

from __future__ import annotations

import asyncio
import contextlib

import hushlink_native as native
from hushlink_coordinator import meters
from hushlink_coordinator.runs import desk, merging, progress
from hushlink_domain import states


async def solve(work: desk.Desk) -> native.GroupColumns:
    """The groups of a run by the plain greedy solver; memory grows with records, not with pairs.

    Raises:
        errors.CapacityError: STORE_UNAVAILABLE, BLOBS_UNAVAILABLE.
        store.runs.LeaseLostError: another process works on the run.
    """
    runs = await merging.resting_runs(work)
    total = sum(run.pairs for run in runs)
    solver = native.GreedySolver(work.dataset_rows)
    reporter = progress.Reporter(work.rooms.runs, work.lease, states.RunState.SOLVING)
    solved = 0
    async with reporter.reporting():
        if runs:
            async with contextlib.aclosing(merging.stream(work.rooms.objects, runs)) as merged:
                async for part in merged:
                    await asyncio.to_thread(solver.feed, part.datasets_a, part.datasets_b, part.rows_a, part.rows_b)
                    solved += len(part.scores)
                    meters.SOLVED_PAIRS.inc(len(part.scores))
                    reporter.tell(solved / total)
        reporter.tell(1.0)
    return await asyncio.to_thread(solver.groups)
