"""A matcher as its coordinator sees it while the stream lasts: its tiles, its chunks, and the credit of both sides."""

from __future__ import annotations

import asyncio
import collections
import functools
import itertools
import logging
from collections.abc import Awaitable, Callable

from hushlink_coordinator.dispatch import chunk_shelf, comparison, connection, frames, held_chunks, meters
from hushlink_domain import digests, errors, pairs, tiles
from hushlink_mesh import framing

logger = logging.getLogger(__name__)

RUNS_ON_THE_WAY = 2
"""A matcher always has credit for so many whole runs of each tile it gets."""

LAST_WORD_SECONDS = 1.0
"""How long to wait for the reason why a stream has ended."""


class Matcher:
    """One connected matcher."""

    def __init__(
        self,
        link: connection.Connection,
        shelf: chunk_shelf.ChunkShelf,
        pair_credit_bytes: int,
        changed: Callable[[], None],
    ) -> None:
        """``changed`` is called when it has room for another tile."""
        hello = link.hello
        self.matcher_id = hello.matcher_id
        self.slots = hello.slots
        self.speed: float | None = None
        """Comparisons a second of one slot, from the tiles it has finished; None before the first."""
        self.heard = asyncio.get_running_loop().time()
        """When it last said something, or began to owe us a word, in the event loop's time."""
        self.silent = False
        """Whether it was taken for hung, and its tiles given to others."""
        self._hello = hello
        self._link = link
        self._shelf = shelf
        self._changed = changed
        self._copies: dict[int, comparison.Copy] = {}
        self._numbers = itertools.count(1)
        self._last_number = 0
        self._held = held_chunks.HeldChunks(hello.chunk_cache_bytes, hello.held)
        self._needed: collections.Counter[bytes] = collections.Counter()
        self._needed_bytes = 0
        self._pinned: set[comparison.Copy] = set()
        self._to_send: asyncio.Queue[comparison.Copy] = asyncio.Queue()
        self._controls: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._chunk_credit = hello.chunk_credit_bytes
        self._chunk_credit_came = asyncio.Event()
        self._awaits_chunk_credit = False
        self._pair_window = pair_credit_bytes
        self._pair_credit = pair_credit_bytes
        self._arriving: comparison.Copy | None = None
        """Whose run is coming in."""

    # ---- for who gives tiles ----

    @property
    def copies(self) -> list[comparison.Copy]:
        """What it has, in the order it was given."""
        return list(self._copies.values())

    @property
    def load(self) -> float:
        """Tiles for each slot."""
        return len(self._copies) / self.slots

    @property
    def has_room(self) -> bool:
        """Whether it may be given a tile: one for each slot, and one more, whose chunks come in meanwhile."""
        return not self.silent and len(self._copies) < self.slots + 1

    @property
    def is_idle(self) -> bool:
        """Whether a slot has nothing to do."""
        return not self.silent and len(self._copies) < self.slots

    def can_ever_take(self, needs: held_chunks.Needs, comparing: tiles.Comparing) -> bool:
        """Whether such a tile is within its limits."""
        return (
            comparing.metric.value in self._hello.metrics
            and 8 * comparing.width_bytes <= self._hello.max_width_bits
            and held_chunks.size_of(needs) <= self._hello.chunk_cache_bytes
        )

    def has_room_for(self, needs: held_chunks.Needs) -> bool:
        """Whether its cache can hold these chunks beside those of the tiles it has."""
        more = sum(needs[name].size_bytes for name in needs.keys() - self._needed.keys())
        return self._needed_bytes + more <= self._hello.chunk_cache_bytes

    def missing_bytes(self, needs: held_chunks.Needs) -> int:
        """What would have to be sent for a tile, beside what will be sent for the tiles it has."""
        return self._held.missing_bytes(needs)

    @property
    def owes_a_word(self) -> bool:
        """Whether it has something to say now and then: it knows of a tile, or we wait for its credit."""
        return bool(self._pinned) or self._awaits_chunk_credit

    def give(self, work: comparison.Comparison, open_tile: comparison.OpenTile, why: str) -> None:
        """Assign a tile."""
        number = self._last_number = next(self._numbers)
        copy = work.give(open_tile, self, number)
        self._copies[number] = copy
        self._need(open_tile.needs)
        self._to_send.put_nowait(copy)
        meters.ASSIGNED.labels(why).inc()

    def drop(self, copy: comparison.Copy) -> None:
        """Take a tile back; nothing that it still says about it counts."""
        if self._forget(copy):
            if copy in self._pinned:
                self._unpin(copy)
                self._controls.put_nowait(functools.partial(self._link.send_cancel, copy.number))
            self._changed()

    # ---- its life ----

    async def run(self) -> None:
        """Talk with the matcher until the stream ends.

        Raises:
            connection.LostError: the stream broke.
            frames.ViolationError: the matcher broke the protocol.
        """
        name = self.matcher_id
        tasks = [
            asyncio.create_task(self._read(), name=f"read matcher {name}"),
            asyncio.create_task(self._send_tiles(), name=f"send tiles to matcher {name}"),
            asyncio.create_task(self._send_controls(), name=f"send controls to matcher {name}"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # Writing fails without a reason where the stream has ended; reading tells it.
            await asyncio.wait(tasks[:1], timeout=LAST_WORD_SECONDS)
        finally:
            ended = [task for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in ended:
            task.result()

    def lost(self, *, orderly: bool) -> None:
        """The stream is over: its tiles are for others. Those it was in the middle of count as failed, unless it ended
        in good order.
        """
        self._to_send = asyncio.Queue()
        for place, copy in enumerate(self.copies):
            begun = place < self.slots
            self._forget(copy)
            copy.comparison.lost(copy, outcome="lost", counts=begun and not orderly)

    def suspect(self) -> None:
        """It says nothing: give its tiles to others as well."""
        self.silent = True
        logger.warning("matcher is silent", extra={"matcher": self.matcher_id, "tiles": len(self._copies)})
        for copy in reversed(self.copies):
            copy.late = True
            copy.comparison.wait_again(copy.open_tile)

    def _speak(self) -> None:
        self.heard = asyncio.get_running_loop().time()
        if self.silent:
            self.silent = False
            logger.info("matcher is back", extra={"matcher": self.matcher_id, "tiles": len(self._copies)})
            for copy in self.copies:
                copy.late = False
                copy.advanced = self.heard
                copy.comparison.wait_no_more(copy.open_tile)
            self._changed()

    # ---- what it says ----

    async def _read(self) -> None:
        async for frame in self._link.frames():
            self._speak()
            self._take(frame)

    def _take(self, frame: frames.Frame) -> None:
        match frame:
            case frames.Pairs():
                self._take_pairs(frame)
            case frames.Progress():
                if (copy := self._copy(frame.assignment)) is not None:
                    copy.comparison.advanced(copy, frame.comparisons)
            case frames.ChunkCredit():
                self._chunk_credit += frame.size_bytes
                self._chunk_credit_came.set()
            case frames.ChunksDropped():
                self._held.dropped(frame.digests)
            case frames.Done():
                self._take_done(frame)
            case frames.Failed():
                self._take_failed(frame)

    def _copy(self, number: int) -> comparison.Copy | None:
        """The copy that an assignment's number stands for; None when it has ended.

        Raises:
            frames.ViolationError: it stands for none.
        """
        if not 0 < number <= self._last_number:
            raise frames.ViolationError(f"assignment {number} was never made")
        return self._copies.get(number)

    def _take_pairs(self, frame: frames.Pairs) -> None:
        meters.PAIR_BYTES.inc(frame.size_bytes)
        self._pair_credit -= frame.size_bytes
        if self._pair_credit < 0:
            raise frames.ViolationError("more pairs than there was credit for")
        copy = self._copy(frame.assignment)
        if copy is None:
            self._give_credit(frame.size_bytes)
            return
        if self._arriving is not None and self._arriving is not copy:
            raise frames.ViolationError("the frames of two runs are mixed")
        run = copy.intake.take(frame)
        self._arriving = copy if run is None else None
        if run is not None:
            size_bytes = run.size_bytes
            copy.comparison.store(copy, run, lambda: self._give_credit(size_bytes))

    def _take_done(self, frame: frames.Done) -> None:
        copy = self._copy(frame.assignment)
        if copy is None:
            return
        copy.intake.check_end(frame)
        if frame.busy_nanos:
            speed = frame.comparisons / frame.busy_nanos * 1e9
            self.speed = speed if self.speed is None else 0.7 * self.speed + 0.3 * speed
        self._end(copy)
        copy.comparison.done(copy, frame)
        self._changed()

    def _take_failed(self, frame: frames.Failed) -> None:
        copy = self._copy(frame.assignment)
        if copy is None:
            return
        logger.warning(
            "matcher failed at a tile",
            extra={"matcher": self.matcher_id, "tile": copy.tile.index, "reason": frame.reason[:40]},
        )
        self._end(copy)
        error = errors.StateError(
            errors.Reason.TILE_REFUSED,
            f"matcher {self.matcher_id} refuses tile {copy.tile.index}: {frame.message[:500]}",
            problem=frame.reason[:40],
            tile=copy.tile.index,
        )
        missing = frame.retryable and frame.reason == errors.Reason.TILE_REFUSED.value
        copy.comparison.failed(copy, error, retryable=frame.retryable, avoid=not missing)
        self._changed()

    # ---- what it is sent ----

    async def _send_controls(self) -> None:
        while True:
            send = await self._controls.get()
            await send()

    async def _send_tiles(self) -> None:
        while True:
            copy = await self._to_send.get()
            try:
                await self._send_chunks(copy)
            except (connection.LostError, asyncio.CancelledError):
                raise
            except Exception as error:
                copy.comparison.fail(error)  # the source's fault
                continue
            if copy.number in self._copies:
                self._pin(copy)
                self._widen(copy.comparison.comparing.pairs_per_run)
                await self._link.send_tile(copy.number, copy.tile, copy.comparison.comparing)

    async def _send_chunks(self, copy: comparison.Copy) -> None:
        source = copy.comparison.source
        wanted = self._held.to_send(copy.open_tile.needs)
        reading: collections.deque[asyncio.Task[bytes]] = collections.deque()
        try:
            for place, digest in enumerate(wanted):
                if copy.number not in self._copies:
                    return
                while len(reading) < min(2, len(wanted) - place):
                    following = wanted[place + len(reading)]
                    reading.append(asyncio.create_task(self._shelf.read(following, source), name="read chunk"))
                data = await reading[0]
                reading.popleft()
                await self._send_chunk(digest, data)
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)

    async def _send_chunk(self, digest: digests.Digest, data: bytes) -> None:
        view = memoryview(data)
        offset = 0
        while offset < len(view):
            if self._chunk_credit <= 0:
                await self._chunk_credit_given()
            piece = view[offset : offset + min(framing.PIECE_BYTES, self._chunk_credit)]
            self._chunk_credit -= len(piece)
            await self._link.send_chunk(digest, offset, bytes(piece))
            offset += len(piece)
        meters.CHUNK_BYTES.inc(len(view))
        self._held.sent(digest)

    async def _chunk_credit_given(self) -> None:
        self._begin_to_listen()
        self._awaits_chunk_credit = True
        try:
            while self._chunk_credit <= 0:
                self._chunk_credit_came.clear()
                await self._chunk_credit_came.wait()
        finally:
            self._awaits_chunk_credit = False

    def _begin_to_listen(self) -> None:
        """It is about to owe us a word; before, it may have had nothing to say for long."""
        if not self.owes_a_word:
            self.heard = asyncio.get_running_loop().time()

    def _widen(self, pairs_per_run: int) -> None:
        """See to it that whole runs of a tile fit in the credit."""
        wanted = RUNS_ON_THE_WAY * pairs_per_run * pairs.PAIR_BYTES
        if wanted > self._pair_window:
            more = wanted - self._pair_window
            self._pair_window = wanted
            self._give_credit(more)

    def _give_credit(self, size_bytes: int) -> None:
        if size_bytes:
            self._pair_credit += size_bytes
            self._controls.put_nowait(functools.partial(self._link.send_credit, size_bytes))

    # ---- a copy's end ----

    def _end(self, copy: comparison.Copy) -> None:
        """A copy's end, by the matcher's own word."""
        self._forget(copy)
        if copy in self._pinned:
            self._unpin(copy)

    def _forget(self, copy: comparison.Copy) -> bool:
        """Stop listening for a copy; says whether we did."""
        if self._copies.pop(copy.number, None) is None:
            return False
        self._need_no_more(copy.open_tile.needs)
        if self._arriving is copy:
            self._arriving = None
        self._give_credit(copy.intake.pending_bytes)
        begins = self.copies[self.slots - 1 : self.slots]
        for following in begins:
            following.since = following.advanced = asyncio.get_running_loop().time()
        return True

    def _need(self, needs: held_chunks.Needs) -> None:
        for name, digest in needs.items():
            if not self._needed[name]:
                self._needed_bytes += digest.size_bytes
            self._needed[name] += 1

    def _need_no_more(self, needs: held_chunks.Needs) -> None:
        for name, digest in needs.items():
            self._needed[name] -= 1
            if not self._needed[name]:
                del self._needed[name]
                self._needed_bytes -= digest.size_bytes

    def _pin(self, copy: comparison.Copy) -> None:
        self._begin_to_listen()
        self._pinned.add(copy)
        self._held.pin(copy.open_tile.needs)

    def _unpin(self, copy: comparison.Copy) -> None:
        self._pinned.remove(copy)
        self._held.unpin(copy.open_tile.needs)
        if not self.owes_a_word:
            self.silent = False  # with nothing left to say it could never show that it is back
