"""Asynchronous work as a command does it: it ends in good order when a signal asks for it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from hushlink_client import cli

T = TypeVar("T")

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do the work; the first signal cancels it, further ones have to wait until it has cleaned up.

    Raises:
        cli.InterruptedBySignal: a signal came.
    """
    return asyncio.run(_interruptible(work))


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    received: list[int] = []

    def interrupt(number: int) -> None:
        if not received:
            task.cancel()
        received.append(number)

    loop = asyncio.get_running_loop()
    try:
        for number in _SIGNALS:
            loop.add_signal_handler(number, interrupt, number)
    except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt instead
        return await task
    try:
        return await task
    except asyncio.CancelledError:
        if received:
            raise cli.InterruptedBySignal(received[0]) from None
        raise
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
