"""The life of a process: it starts, works until it is asked to stop, finishes its last writes, and ends.

It is asked by SIGTERM, by SIGINT, or by the end of its lifeline, a pipe that whoever started it holds open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from hushlink_mesh import config, telemetry

logger = logging.getLogger(__name__)


def main(
    kind: type[config.ConfigT], serve: Callable[[config.ConfigT, asyncio.Event], Coroutine[Any, Any, None]]
) -> int:
    """Read the configuration, serve until asked to stop, and return the exit status.

    Args:
        kind: the configuration class to read from the environment.
        serve: the process's work; it must return soon after the event it is given is set.
    """
    try:
        settings = config.read(kind)
    except config.ConfigError as error:
        sys.stderr.write(f"configuration:\n{error}\n")
        return 2
    telemetry.set_up_logging(settings.log_level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_run(settings, serve))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where there is one: a data owner's Windows has none."""
    try:
        import uvloop  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(
    settings: config.ConfigT, serve: Callable[[config.ConfigT, asyncio.Event], Coroutine[Any, Any, None]]
) -> int:
    stop = asyncio.Event()
    with _stopped_by_signals(stop), _stopped_by_lifeline(stop, settings.lifeline):
        try:
            await serve(settings, stop)
        except Exception as error:
            logger.critical("the process ends with an error", exc_info=error)
            return 1
    return 0


@contextlib.contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Any:
    loop = asyncio.get_running_loop()
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt instead
        yield
        return
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _stopped_by_lifeline(stop: asyncio.Event, descriptor: int | None) -> Any:
    if descriptor is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(descriptor, 1):
            loop.remove_reader(descriptor)
            stop.set()

    os.set_blocking(descriptor, False)
    loop.add_reader(descriptor, readable)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)


class Supervisor:
    """Side tasks of a process: each has a name, and one that fails is logged and stops the process."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a side task that is meant to run until the process stops, or to end by itself without an error."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.critical("side task failed", extra={"task": task.get_name()}, exc_info=error)
            self._stop.set()

    async def close(self) -> None:
        """Cancel what still runs and wait for it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
