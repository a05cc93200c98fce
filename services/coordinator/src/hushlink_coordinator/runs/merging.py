"""Merging: sorted runs of pairs become one sorted stream, without ever being held whole.

A merge reads one block of each run at a time. When there are more runs than may be merged at one time, passes make
longer runs of several first; each is an object and a row, so a pass that was cut goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import itertools
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import numpy as np

import hushlink_native as native
from hushlink_coordinator import blobs, keys
from hushlink_coordinator.runs import comparing, desk, progress
from hushlink_coordinator.store import tiles as tile_store
from hushlink_domain import pairs, states

logger = logging.getLogger(__name__)

OUTPUT_PAIRS = 1 << 16
"""How many merged pairs come at a time."""


@dataclasses.dataclass(frozen=True, slots=True)
class RestingRun:
    """A sorted run of pairs in the object store."""

    key: str
    left_dataset: int
    right_dataset: int
    pairs: int


async def resting_runs(work: desk.Desk) -> list[RestingRun]:
    """The runs that the solver is to merge: those of the tiles, or what passes made of them."""
    merged = await work.rooms.tiles.merged_runs(work.lease.run_id)
    level = _tile_runs(work, await work.plan())
    while len(level) > work.rooms.settings.merge_fan_in and (batches := _batches(work, level)):
        level = [batch[0] if len(batch) == 1 else _merged(work, merged[_name(batch)]) for batch in batches]
    return level


async def merge(work: desk.Desk) -> None:
    """Make passes until what is left can be merged at one time.

    Raises:
        errors.CapacityError: STORE_UNAVAILABLE, BLOBS_UNAVAILABLE.
        store.runs.LeaseLostError: another process works on the run.
    """
    merged = await work.rooms.tiles.merged_runs(work.lease.run_id)
    level = _tile_runs(work, await work.plan())
    reporter = progress.Reporter(work.rooms.runs, work.lease, states.RunState.MERGING)
    passes = 0
    async with reporter.reporting():
        while len(level) > work.rooms.settings.merge_fan_in and (batches := _batches(work, level)):
            following = []
            for number, batch in enumerate(batches):
                if len(batch) > 1 and _name(batch) not in merged:
                    merged[_name(batch)] = await _pass(work, batch)
                    passes += 1
                following.append(batch[0] if len(batch) == 1 else _merged(work, merged[_name(batch)]))
                reporter.tell((number + 1) / len(batches) * 0.9)
            level = following
        reporter.tell(1.0)
    logger.info("merged", extra={"run": work.lease.run_id, "passes": passes, "sorted_runs": len(level)})


def _tile_runs(work: desk.Desk, plan: Sequence[tile_store.PlannedTile]) -> list[RestingRun]:
    project_id, run_id = work.lease.project_id, work.lease.run_id
    return [
        RestingRun(
            keys.tile_pairs(project_id, run_id, planned.name, number),
            planned.tile.left.dataset,
            (planned.tile.right or planned.tile.left).dataset,
            count,
        )
        for planned in plan
        for number, count in enumerate(planned.run_pairs or ())
    ]


def _merged(work: desk.Desk, merged: tile_store.MergedRun) -> RestingRun:
    key = keys.merged_pairs(work.lease.project_id, work.lease.run_id, merged.object_name)
    return RestingRun(key, merged.left_dataset, merged.right_dataset, merged.pairs)


def _batches(work: desk.Desk, level: Sequence[RestingRun]) -> list[list[RestingRun]]:
    """Runs of the same two datasets, as many together as may be merged at one time; none when nothing gets shorter."""
    by_datasets = defaultdict(list)
    for run in level:
        by_datasets[run.left_dataset, run.right_dataset].append(run)
    fan_in = work.rooms.settings.merge_fan_in
    batches = [
        runs[start : start + fan_in] for _, runs in sorted(by_datasets.items()) for start in range(0, len(runs), fan_in)
    ]
    return batches if len(batches) < len(level) else []


def _name(batch: Sequence[RestingRun]) -> str:
    """A name computed from what is merged, so that a pass made twice is made once."""
    return hashlib.sha256("\n".join(run.key for run in batch).encode()).hexdigest()[:32]


async def _pass(work: desk.Desk, batch: Sequence[RestingRun]) -> tile_store.MergedRun:
    first = batch[0]
    merged = tile_store.MergedRun(
        _name(batch), first.left_dataset, first.right_dataset, sum(run.pairs for run in batch)
    )
    key = keys.merged_pairs(work.lease.project_id, work.lease.run_id, merged.object_name)
    async with work.rooms.objects.writing(key) as writer:
        pending: list[native.SortedPairs] = []
        waiting = 0
        async for part in stream(work.rooms.objects, batch):
            pending.append(part)
            waiting += len(part.scores)
            if waiting >= 2 * pairs.BLOCK_PAIRS:
                waiting = await _flush(writer, pending, waiting - waiting % pairs.BLOCK_PAIRS)
        await _flush(writer, pending, waiting)
    await work.rooms.tiles.keep_merged_run(work.lease, merged)
    return merged


async def _flush(writer: blobs.Writer, pending: list[native.SortedPairs], count: int) -> int:
    """Write the first ``count`` pending pairs as blocks; what is left stays pending, and its number is returned."""
    scores = np.concatenate([part.scores for part in pending]) if pending else np.empty(0, "<f8")
    left = np.concatenate([part.rows_a for part in pending]) if pending else np.empty(0, "<u4")
    right = np.concatenate([part.rows_b for part in pending]) if pending else np.empty(0, "<u4")
    await writer.write(comparing.blocks(scores[:count].tobytes(), left[:count].tobytes(), right[:count].tobytes()))
    pending[:] = [native.SortedPairs(scores[count:], 0, 0, left[count:], right[count:])]
    return len(scores) - count


async def stream(objects: blobs.Blobs, runs: Sequence[RestingRun]) -> AsyncGenerator[native.SortedPairs]:
    """The pairs of all runs in their one order, some at a time; holds one block of each run."""
    merger = native.Merger(len(runs))
    readers = [_reader(objects, run) for run in runs]
    fetched: list[asyncio.Task[tuple[native.SortedPairs, bool]]] = [
        asyncio.create_task(_next(reader), name="pairs") for reader in readers
    ]
    try:
        while not merger.done:
            for number in merger.wanting:
                block, last = await fetched[number]
                merger.supply(number, block, last=last)
                if not last:  # the next block is on its way while this one is merged
                    fetched[number] = asyncio.create_task(_next(readers[number]), name="pairs")
            merged = await asyncio.to_thread(merger.next, OUTPUT_PAIRS)
            if len(merged.scores):
                yield merged
    finally:
        for task in fetched:
            task.cancel()
        await asyncio.gather(*fetched, return_exceptions=True)


async def _next(reader: AsyncIterator[tuple[native.SortedPairs, bool]]) -> tuple[native.SortedPairs, bool]:
    return await anext(reader)


async def _reader(objects: blobs.Blobs, run: RestingRun) -> AsyncIterator[tuple[native.SortedPairs, bool]]:
    """The blocks of a run, each with whether it is the last."""
    starts = range(0, max(run.pairs, 1), pairs.BLOCK_PAIRS)
    for start, following in itertools.zip_longest(starts, starts[1:]):
        count = (following or run.pairs) - start
        data = await objects.get(run.key, start * pairs.PAIR_BYTES, (start + count) * pairs.PAIR_BYTES)
        yield (
            native.SortedPairs(
                np.frombuffer(data, "<f8", count),
                run.left_dataset,
                run.right_dataset,
                np.frombuffer(data, "<u4", count, count * 8),
                np.frombuffer(data, "<u4", count, count * 12),
            ),
            following is None,
        )
