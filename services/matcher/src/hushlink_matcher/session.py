"""A session: what one coordinator's stream has a matcher do."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import hushlink_native
from hushlink_domain import digests, errors
from hushlink_matcher import answers, assignments, chunk_cache, chunk_intake, comparing, meters, outbox, slots
from hushlink_mesh import error_desk

logger = logging.getLogger(__name__)

FRAME_PAIRS = 1 << 14
"""How many pairs one frame carries at the most: 256 KiB."""

PROGRESS_SECONDS = 0.25
"""How often progress is told."""

PROGRESS_FRAMES_PER_SECOND = 64
"""With very many tiles at work it is told less often, to stay below so many frames."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What a matcher announces to every coordinator."""

    chunk_cache_bytes: int
    chunk_credit_bytes: int
    max_pairs_per_run: int


@dataclasses.dataclass(slots=True)
class _Tile:
    """A tile that was assigned and has not ended."""

    assignment: assignments.Assignment
    comparison: comparing.Comparison
    names: frozenset[digests.Digest]
    task: asyncio.Task[None] | None = None
    told: int = -1
    """The comparisons last told."""


class Session:
    """Takes what a coordinator sends and produces what it is answered."""

    def __init__(
        self,
        limits: Limits,
        bench: slots.Slots,
        threads: concurrent.futures.Executor,
        pair_credit_bytes: int,
    ) -> None:
        """``bench`` and ``threads``, one for each slot, are shared with other sessions."""
        self._limits = limits
        self._slots = bench
        self._threads = threads
        self._cache = chunk_cache.ChunkCache(limits.chunk_cache_bytes)
        self._intake = chunk_intake.ChunkIntake(self._cache, limits.chunk_credit_bytes)
        self._outbox = outbox.Outbox()
        self._credit = outbox.PairCredit(pair_credit_bytes)
        self._sending = asyncio.Lock()
        # Tiles that wait for credit hold their pairs; no more than these are begun, so that no more pairs wait.
        self._begun = asyncio.Semaphore(bench.count + 1)
        self._tiles: dict[int, _Tile] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._owed_credit = 0
        self._closed = False
        self._start("progress", self._tell_progress())

    # ---- what the coordinator sends ----

    async def take_chunk(self, digest: digests.Digest, offset: int, piece: bytes) -> None:
        """A piece of a chunk.

        Raises:
            errors.CallerError: it breaks the protocol; the session can't go on.
        """
        used = self._cache.used_bytes
        changed = self._intake.take(digest, offset, piece)
        meters.CHUNK_BYTES.inc(self._cache.used_bytes - used)
        meters.CHUNK_BYTES_RECEIVED.inc(len(piece))
        if changed is not None:
            await self._outbox.put(changed)
        self._owed_credit += len(piece)
        if self._owed_credit * 4 >= self._limits.chunk_credit_bytes:
            owed, self._owed_credit = self._owed_credit, 0
            self._intake.returned(owed)
            await self._outbox.put(answers.ChunkCredit(owed))

    async def take_tile(self, request: assignments.Request) -> None:
        """Work. A tile that can't be compared is answered as failed.

        Raises:
            errors.CallerError: STREAM_ORDER, when the assignment's number is taken; the session can't go on.
        """
        if request.number in self._tiles:
            raise errors.CallerError(
                errors.Reason.STREAM_ORDER,
                f"assignment {request.number} is at work already: a number is used once on a stream",
                expected="a new assignment",
                found=request.number,
            )
        try:
            self._assign(request)
        except errors.DomainError as error:
            await self._outbox.put(self._failure(request.number, error))

    def cancel_tile(self, number: int) -> None:
        """Stop a tile; nothing more is sent about it. One that has ended already is none of our concern."""
        tile = self._end(number)
        if tile is not None:
            meters.TILES.labels("cancelled").inc()
            if tile.task is not None:
                tile.task.cancel()

    def take_credit(self, size_bytes: int) -> None:
        """Room for pairs."""
        self._credit.grant(size_bytes)

    # ---- what it is answered ----

    def outgoing(self) -> AsyncIterator[answers.Answer]:
        """What to send, until the session is closed; raises what it was closed with."""
        return self._outbox.drain()

    # ---- its end ----

    def close(self, error: errors.DomainError | None = None) -> None:
        """Drop all work and end ``outgoing``, with ``error`` if there is one. Calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        meters.TILES.labels("dropped").inc(len(self._tiles))
        self._tiles.clear()
        for task in self._tasks:
            task.cancel()
        self._outbox.close(error)
        meters.CHUNK_BYTES.dec(self._cache.used_bytes)
        self._cache.clear()

    async def closed(self) -> None:
        """Wait until nothing of it runs any more; call ``close`` first."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    # ---- the work ----

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._stopped)
        return task

    def _stopped(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self.close(error_desk.foreseen(error))

    def _assign(self, request: assignments.Request) -> None:
        assignment = assignments.checked(request, self._limits.max_pairs_per_run)
        most = 2 * self._slots.count + 2
        if len(self._tasks) > most:
            raise errors.CapacityError(
                errors.Reason.LIMIT_EXCEEDED,
                f"{most} tiles of this stream are at work, of which {self._slots.count} at a time: wait for answers",
                limit="assigned_tiles",
                allowed=most,
            )
        names = frozenset(assignment.left + assignment.right)
        self._cache.pin(names)
        comparison = comparing.Comparison(
            assignment,
            [self._cache.get(digest) for digest in assignment.left],
            [self._cache.get(digest) for digest in assignment.right],
        )
        tile = _Tile(assignment, comparison, names)
        self._tiles[assignment.number] = tile
        tile.task = self._start(f"tile {assignment.number}", self._work_on(tile))

    def _end(self, number: int) -> _Tile | None:
        """Forget a tile, whose chunks may go from now on; None when it was forgotten before."""
        tile = self._tiles.pop(number, None)
        if tile is not None:
            self._cache.unpin(tile.names)
        return tile

    async def _work_on(self, tile: _Tile) -> None:
        number = tile.assignment.number
        try:
            async with self._begun:
                answer: answers.Answer = await self._compare(tile)
        except errors.DomainError as error:
            answer = self._failure(number, error)
        except MemoryError:
            answer = self._failure(
                number,
                errors.CapacityError(errors.Reason.LIMIT_EXCEEDED, "this matcher is out of memory", limit="memory"),
            )
        except Exception as error:
            answer = self._failure(number, error_desk.foreseen(error))
        self._end(number)
        await self._outbox.put(answer)

    @staticmethod
    def _failure(number: int, error: errors.DomainError) -> answers.Failed:
        meters.TILES.labels("failed").inc()
        logger.warning("tile failed", extra={"assignment": number, "reason": error.reason.value, "facts": error.facts})
        return answers.Failed(number, error)

    async def _compare(self, tile: _Tile) -> answers.Done:
        comparison = tile.comparison
        runs = pairs = 0
        while not comparison.finished:
            async with self._slots.turn(self, ahead=runs > 0):
                run = await self._next_run(comparison)
            if run is not None:
                await self._send(tile.assignment.number, runs, run)
                runs += 1
                pairs += len(run)
        meters.TILES.labels("done").inc()
        meters.COMPARISONS.inc(comparison.comparisons)
        meters.PAIRS.inc(pairs)
        meters.BUSY_SECONDS.inc(comparison.busy_nanos / 1e9)
        return answers.Done(tile.assignment.number, pairs, runs, comparison.comparisons, comparison.busy_nanos)

    async def _next_run(self, comparison: comparing.Comparison) -> comparing.Run | None:
        """The comparison's next run, from a thread, which has stopped before this returns, also when cancelled."""
        working = asyncio.get_running_loop().run_in_executor(self._threads, comparison.next_run)
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            comparison.cancel()
            await asyncio.wait([working])
            if not working.cancelled() and (error := working.exception()) is not None:
                logger.debug("comparing stopped", extra={"error_type": type(error).__name__})
            raise
        except hushlink_native.JoinCancelledError:
            raise asyncio.CancelledError from None

    async def _send(self, number: int, run_number: int, run: comparing.Run) -> None:
        """Put a run's frames, as far as credit reaches; runs of one stream are not mixed."""
        async with self._sending:
            first = 0
            while first < len(run):
                end = first + await self._credit.take(min(FRAME_PAIRS, len(run) - first))
                await self._outbox.put(
                    answers.Pairs(number, run_number, *run.columns(first, end), last=end == len(run))
                )
                first = end

    async def _tell_progress(self) -> None:
        """Tell how far the tiles are that moved; when none did, tell of one, as a sign of life."""
        while True:
            await asyncio.sleep(max(PROGRESS_SECONDS, len(self._tiles) / PROGRESS_FRAMES_PER_SECOND))
            told = 0
            tiles = list(self._tiles.values())
            for tile in tiles:
                comparisons = tile.comparison.comparisons
                silent = told == 0 and tile is tiles[-1]
                if self._outbox.full or (comparisons == tile.told and not silent):
                    continue
                tile.told = comparisons
                told += 1
                await self._outbox.put(answers.Progress(tile.assignment.number, comparisons))
