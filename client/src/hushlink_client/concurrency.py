"""Several things at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Abandoned(Exception):  # noqa: N818 - it is no fault
    """Nobody waits for this work any more."""


async def together(*works: Coroutine[Any, Any, object]) -> None:
    """Do all of ``works`` at once. The first error ends the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def in_thread(work: Callable[[Callable[[], None]], T]) -> T:
    """Do long work in a thread.

    Args:
        work: gets a function to call now and then, which raises `Abandoned` once the caller was cancelled; the
            cancellation takes effect when ``work`` has ended.
    """
    abandoned = threading.Event()

    def check() -> None:
        if abandoned.is_set():
            raise Abandoned

    task = asyncio.ensure_future(asyncio.to_thread(work, check))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        abandoned.set()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen, so that nobody reports it
        raise
