"""Changes: how a process hears of what others wrote, through Postgres' notifications."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg

logger = logging.getLogger(__name__)

CHANNEL = "hushlink_changes"
_RECONNECT_SECONDS = 1.0

WORK = "work"
"""The subject of everything that may let a waiting run go on."""

LEFTOVERS = "leftovers"
"""The subject of runs that ended: something of theirs may be deleted."""


def cancelling(run_id: str) -> str:
    """The subject of requests to cancel a run, apart from its own steady progress."""
    return f"cancel {run_id}"


async def announce(connection: Any, subject: str) -> None:
    """Tell every listening process that ``subject`` (a run's id, or ``WORK``) changed; sent at the commit."""
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, subject)


class Changes:
    """Wakes whoever waits for a subject. A notification can be lost with its connection: waiting always has a limit."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def listen(self) -> None:
        """Listen until cancelled, connecting again when the connection breaks."""
        while True:
            try:
                await self._listen_once()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.warning("changes are not heard", extra={"error_type": type(error).__name__})
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(self._url)
        broken = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: broken.set())
            await connection.add_listener(CHANNEL, self._heard)
            self.wake_all()
            await broken.wait()
        finally:
            connection.terminate()

    def _heard(self, _connection: Any, _pid: int, _channel: str, subject: object) -> None:
        for event in self._waiting.get(str(subject), ()):
            event.set()

    def wake_all(self) -> None:
        """Wake everybody: something may have been missed."""
        for events in self._waiting.values():
            for event in events:
                event.set()

    @contextlib.contextmanager
    def watching(self, subject: str) -> Any:
        """Inside the block the event that is yielded is set whenever the subject changes; clear it before reading."""
        event = asyncio.Event()
        self._waiting[subject].add(event)
        try:
            yield event
        finally:
            self._waiting[subject].discard(event)
            if not self._waiting[subject]:
                del self._waiting[subject]

    async def ticks(self, subject: str, seconds: float) -> AsyncGenerator[None]:
        """Once at once, then whenever the subject changed, and at the latest after ``seconds``."""
        with self.watching(subject) as event:
            while True:
                event.clear()
                yield
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await event.wait()
