"""What waits to be sent to a coordinator: a bounded number of answers, and the credit that pairs need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from hushlink_domain import errors, pairs
from hushlink_matcher import answers

ROOM = 32
"""How many answers wait at the most; frames of pairs are some 256 KiB."""


class Outbox:
    """Answers in the order they were put; whoever puts waits while it is full."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(ROOM)
        self._waiting: asyncio.Queue[answers.Answer | None] = asyncio.Queue()
        self._closed = False
        self._error: errors.DomainError | None = None

    async def put(self, answer: answers.Answer) -> None:
        """Have an answer sent, as soon as there is room for it."""
        await self._room.acquire()
        self._waiting.put_nowait(answer)

    @property
    def full(self) -> bool:
        """Whether the next answer would have to wait."""
        return self._room.locked()

    def close(self, error: errors.DomainError | None = None) -> None:
        """End ``drain`` at once, with ``error`` if there is one; what waits is not sent. Only the first call counts."""
        if not self._closed:
            self._closed, self._error = True, error
            self._waiting.put_nowait(None)

    async def drain(self) -> AsyncIterator[answers.Answer]:
        """The answers to send, until the outbox is closed.

        Raises:
            errors.DomainError: what it was closed with.
        """
        while True:
            answer = await self._waiting.get()
            if self._closed or answer is None:
                break
            self._room.release()
            yield answer
        if self._error is not None:
            raise self._error


class PairCredit:
    """How many bytes of pair columns the coordinator still takes."""

    def __init__(self, size_bytes: int) -> None:
        self._left_bytes = size_bytes
        self._enough = asyncio.Event()
        self.grant(0)

    def grant(self, size_bytes: int) -> None:
        """Note that the coordinator takes so many more."""
        self._left_bytes += size_bytes
        if self._left_bytes >= pairs.PAIR_BYTES:
            self._enough.set()

    async def take(self, pair_count: int) -> int:
        """Take credit for 1 to ``pair_count`` pairs and say for how many; waits while there is none."""
        while self._left_bytes < pairs.PAIR_BYTES:
            self._enough.clear()
            await self._enough.wait()
        taken = min(pair_count, self._left_bytes // pairs.PAIR_BYTES)
        self._left_bytes -= taken * pairs.PAIR_BYTES
        return taken
