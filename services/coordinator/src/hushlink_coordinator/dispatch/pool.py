"""The pool: every matcher that can be reached, and the tiles of every run that is being compared."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

from hushlink_coordinator.dispatch import (
    assigning,
    chunk_shelf,
    comparison,
    connection,
    discovery,
    frames,
    matcher,
    meters,
    settings,
)
from hushlink_domain import errors, tiles
from hushlink_mesh import lifecycle

logger = logging.getLogger(__name__)

FIRST_REDIAL_SECONDS = 0.1
"""How long after a stream's end its matcher is dialled again at first."""


@dataclasses.dataclass(frozen=True, slots=True)
class _End:
    """How a stream ended."""

    why: str
    useful: bool = False
    """Whether the matcher had introduced itself."""
    broken: bool = False
    """Whether the matcher broke the protocol."""


class MatcherPool:
    """Finds matchers, stays connected to them, and has them compare tiles. Lives as long as the process."""

    def __init__(self, config: settings.Settings, supervisor: lifecycle.Supervisor) -> None:
        """Use ``open``."""
        self._settings = config
        self._supervisor = supervisor
        self._shelf = chunk_shelf.ChunkShelf(config.chunk_shelf_bytes)
        self._dialling: dict[discovery.Address, asyncio.Task[None]] = {}
        self._addresses: frozenset[discovery.Address] = frozenset()
        self._matchers: dict[str, matcher.Matcher] = {}
        self._comparisons: list[comparison.Comparison] = []
        self._assignment: asyncio.Handle | None = None
        self._told_of_none = False

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, config: settings.Settings, supervisor: lifecycle.Supervisor) -> AsyncIterator[MatcherPool]:
        """A pool that looks for matchers inside the ``async with`` block.

        Args:
            config: where matchers are and how long they are trusted.
            supervisor: who the pool's tasks are started with.

        Raises:
            ValueError: an address is not written as HOST:PORT.
        """
        targets = [discovery.Target.parse(text) for text in config.matchers]
        pool = cls(config, supervisor)
        found = discovery.Discovery(targets, config.resolve_seconds, pool._found)
        tasks = [
            supervisor.start("discover matchers", found.watch()),
            supervisor.start("watch matchers", pool._watch()),
        ]
        try:
            yield pool
        finally:
            tasks += pool._dialling.values()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if pool._assignment is not None:
                pool._assignment.cancel()

    @property
    def matchers(self) -> int:
        """How many matchers are connected."""
        return len(self._matchers)

    async def compare(
        self,
        plan: Iterable[tiles.Tile],
        comparing: tiles.Comparing,
        source: chunk_shelf.ChunkSource,
        sink: comparison.PairSink,
        on_progress: Callable[[int], None],
    ) -> AsyncGenerator[tiles.TileAnswer, None]:
        """Have tiles compared; closing the iterator takes back what is not answered yet.

        Args:
            plan: the tiles, each with an index of its own; read as needed.
            comparing: how they are compared.
            source: where their chunks rest.
            sink: where their pairs go; every run of a tile is there before its answer comes.
            on_progress: told the comparisons made so far, in all these tiles together; the number only grows.

        Yields:
            Each tile's answer once, in the order of completion.

        Raises:
            errors.StateError: TILE_REFUSED, when no matcher can compare a tile.
            errors.InternalError: DIGEST_MISMATCH, when the source is damaged; INTERNAL, when two matchers disagree.
            Exception: what the plan, the source, the sink or ``on_progress`` raised.
        """
        opened = comparison.Comparison(
            plan, comparing, source, sink, on_progress, self._changed, self._settings.attempts
        )
        self._comparisons.append(opened)
        meters.WAITING_RUNS.inc()
        self._changed()
        try:
            async for answer in opened.answers():
                yield answer
        finally:
            self._comparisons.remove(opened)
            meters.WAITING_RUNS.dec()
            await opened.close()

    # ---- matchers come and go ----

    def _found(self, addresses: frozenset[discovery.Address]) -> None:
        """Dial the addresses that are new; those that are gone are left when their stream ends."""
        self._addresses = addresses
        for address in addresses - self._dialling.keys():
            task = self._supervisor.start(f"dial matcher {address}", self._dial(address))
            self._dialling[address] = task
            task.add_done_callback(functools.partial(self._dialled, address))

    def _dialled(self, address: discovery.Address, task: asyncio.Task[None]) -> None:
        del self._dialling[address]
        if not task.cancelled() and task.exception() is None and address in self._addresses:
            self._found(self._addresses)  # it came back just when we had left it

    async def _dial(self, address: discovery.Address) -> None:
        """Be connected to an address as long as it is one of the matchers'."""
        misses, last = 0, ""
        while address in self._addresses:
            end = await self._attend(address)
            if end.useful or end.why != last:
                logger.info("matcher not connected", extra={"address": str(address), "why": end.why})
            misses, last = 0 if end.useful else misses + 1, end.why
            pause = min(FIRST_REDIAL_SECONDS * 2 ** min(misses, 16), self._settings.redial_seconds)
            if end.broken:
                pause = self._settings.distrust_seconds
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - only spreads the redialling

    async def _attend(self, address: discovery.Address) -> _End:
        """Serve one stream from its beginning to its end."""
        useful = False
        try:
            async with connection.opened(
                address, self._settings.channel, self._settings.pair_credit_bytes, self._settings.hello_seconds
            ) as link:
                if link.hello.matcher_id in self._matchers:
                    return _End("the same matcher is connected by another address")
                useful = True
                await self._serve(link, address)
        except connection.LostError as error:
            return _End(str(error), useful)
        except frames.ViolationError as error:
            meters.VIOLATIONS.inc()
            return _End(f"the matcher broke the protocol: {error}", useful, broken=True)
        return _End("the matcher ended the stream", useful)

    async def _serve(self, link: connection.Connection, address: discovery.Address) -> None:
        served = matcher.Matcher(link, self._shelf, self._settings.pair_credit_bytes, self._changed)
        self._matchers[served.matcher_id] = served
        hello = link.hello
        facts = {"matcher": served.matcher_id, "address": str(address)}
        more = {"slots": hello.slots, "kernel": hello.kernel_path, "version": hello.version}
        logger.info("matcher joined", extra=facts | more)
        meters.MATCHERS.inc()
        meters.SLOTS.inc(hello.slots)
        self._changed()
        orderly = False
        try:
            await served.run()
            orderly = True
        except frames.ViolationError:
            for open_comparison in self._comparisons:
                open_comparison.distrust(served)
            raise
        finally:
            del self._matchers[served.matcher_id]
            meters.MATCHERS.dec()
            meters.SLOTS.dec(hello.slots)
            logger.info("matcher left", extra=facts)
            served.lost(orderly=orderly)
            self._changed()

    # ---- tiles are given out ----

    def _changed(self) -> None:
        """Something may be given out now: do so, once, as soon as what is going on has ended."""
        if self._assignment is None:
            self._assignment = asyncio.get_running_loop().call_soon(self._assign)

    def _assign(self) -> None:
        """Give tiles to whoever has the fewest for their slots, until nobody has room or nothing suits."""
        self._assignment = None
        now = asyncio.get_running_loop().time()
        open_matchers = [each for each in self._matchers.values() if each.has_room]
        while open_matchers:
            freest = min(open_matchers, key=lambda each: each.load)
            choice = assigning.next_tile(freest, self._matchers.values(), self._comparisons, now)
            if choice is not None:
                freest.give(*choice, "again" if choice[1].attempts or choice[1].copies else "first")
            elif not (freest.is_idle and self._relieve(freest, now)):
                open_matchers.remove(freest)
            if not freest.has_room and freest in open_matchers:
                open_matchers.remove(freest)

    def _relieve(self, idle: matcher.Matcher, now: float) -> bool:
        """Give a matcher that has nothing to do a tile that another has not begun with, or is slow with."""
        others = [each for each in self._matchers.values() if each is not idle]
        known = [each.speed for each in self._matchers.values() if each.speed is not None]
        found = assigning.slowest_elsewhere(idle, idle.speed or max(known, default=None), others, now)
        if found is None:
            return False
        copy, begun = found
        if begun:
            idle.give(copy.comparison, copy.open_tile, "slow")
        else:
            copy.comparison.move(copy)
            idle.give(copy.comparison, copy.open_tile, "moved")
        return True

    # ---- lateness ----

    async def _watch(self) -> None:
        """Look for matchers that are silent, tiles that stand still, and tiles that nobody can take, for ever."""
        while True:
            await asyncio.sleep(self._settings.tick_seconds)
            now = asyncio.get_running_loop().time()
            for each in self._matchers.values():
                if each.owes_a_word and not each.silent and now - each.heard > self._settings.silence_seconds:
                    each.suspect()
            for opened in self._comparisons:
                self._find_stalled(opened, now)
                self._find_unfit(opened, now)
            self._tell_of_none()
            self._changed()

    def _find_stalled(self, opened: comparison.Comparison, now: float) -> None:
        for copy in list(opened.at_work()):
            if not copy.late and now - copy.advanced > self._settings.stall_seconds:
                logger.warning("tile stands still", extra={"tile": copy.tile.index, "matcher": copy.worker.matcher_id})
                copy.late = True
                opened.wait_again(copy.open_tile)

    def _find_unfit(self, opened: comparison.Comparison, now: float) -> None:
        open_tile = next(opened.waiting(), None)
        if open_tile is None or not self._matchers:
            return
        if any(each.can_ever_take(open_tile.needs, opened.comparing) for each in self._matchers.values()):
            open_tile.unfit_since = None
        elif open_tile.unfit_since is None:
            open_tile.unfit_since = now
        elif now - open_tile.unfit_since > self._settings.unfit_seconds:
            opened.fail(_unfit(open_tile, opened.comparing))

    def _tell_of_none(self) -> None:
        none = bool(self._comparisons) and not self._matchers
        if none and not self._told_of_none:
            logger.warning("no matcher is connected: runs wait", extra={"addresses": sorted(map(str, self._addresses))})
        self._told_of_none = none


def _unfit(open_tile: comparison.OpenTile, comparing: tiles.Comparing) -> errors.StateError:
    size_bytes = sum(digest.size_bytes for digest in open_tile.needs.values())
    return errors.StateError(
        errors.Reason.TILE_REFUSED,
        f"no connected matcher can take tile {open_tile.tile.index}: it needs {size_bytes} bytes of chunks, "
        f"{8 * comparing.width_bytes} bits of width and the metric {comparing.metric.value}; raise the matchers' "
        "HUSHLINK_CHUNK_CACHE_BYTES or upgrade them",
        problem="beyond every matcher's limits",
        tile=open_tile.tile.index,
        bytes=size_bytes,
    )
