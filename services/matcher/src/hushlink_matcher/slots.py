"""Slots: how many tiles are compared at a time, shared fairly among the coordinators that ask."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
from collections.abc import AsyncIterator, Hashable

from hushlink_matcher import meters


class Slots:
    """A fixed number of slots. A free one goes to the holder that has the fewest, of these to the one
    served longest ago.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        """How many there are."""
        self._free = count
        self._busy: collections.Counter[Hashable] = collections.Counter()
        self._waiting: dict[Hashable, collections.deque[asyncio.Future[None]]] = {}
        self._served: dict[Hashable, int] = {}
        self._turns = itertools.count(1)

    @contextlib.asynccontextmanager
    async def turn(self, holder: Hashable, *, ahead: bool = False) -> AsyncIterator[None]:
        """Hold a slot inside the ``async with`` block.

        Args:
            holder: on whose behalf; slots are shared among holders, whatever the number of turns each waits for.
            ahead: before the other turns this holder waits for, as one who only goes on with what it began.
        """
        await self._acquire(holder, ahead=ahead)
        try:
            yield
        finally:
            self._give_back(holder)

    async def _acquire(self, holder: Hashable, *, ahead: bool) -> None:
        if self._free and not self._waiting:
            self._hand_out(holder)
            return
        turn = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(holder, collections.deque())
        if ahead:
            queue.appendleft(turn)
        else:
            queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(holder)  # handed out just before
            else:
                self._leave(holder, turn)
            raise

    def _hand_out(self, holder: Hashable) -> None:
        self._free -= 1
        self._busy[holder] += 1
        self._served[holder] = next(self._turns)
        meters.BUSY_SLOTS.inc()

    def _give_back(self, holder: Hashable) -> None:
        self._free += 1
        self._busy[holder] -= 1
        meters.BUSY_SLOTS.dec()
        self._forget(holder)
        while self._free and self._waiting:
            neediest = min(self._waiting, key=lambda each: (self._busy[each], self._served.get(each, 0)))
            queue = self._waiting[neediest]
            turn = queue.popleft()
            if not queue:
                del self._waiting[neediest]
            if not turn.done():  # done: given up, by a task that has not run since
                turn.set_result(None)
                self._hand_out(neediest)

    def _leave(self, holder: Hashable, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(holder)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[holder]
        self._forget(holder)

    def _forget(self, holder: Hashable) -> None:
        """Keep nothing about a holder that neither has a slot nor waits for one."""
        if not self._busy[holder]:
            del self._busy[holder]
            if holder not in self._waiting:
                self._served.pop(holder, None)
