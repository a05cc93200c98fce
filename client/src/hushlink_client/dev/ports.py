"""Ports of the loopback interface, for servers that can't be told to take any free one."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hushlink_client import errors

LOOPBACK = "127.0.0.1"
_ATTEMPTS = 3

T = TypeVar("T")


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` at this moment."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def any_free() -> int:
    """A port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def preferred(port: int | None) -> int:
    """``port`` if it is free, else 0: the server chooses."""
    return port if port is not None and is_free(port) else 0


async def claimed(port: int | None, start: Callable[[int], Awaitable[T]]) -> T:
    """What ``start`` gives for ``port`` if it is free, else for a free one.

    Between choosing and listening another process may take a port; then another is tried.

    Raises:
        errors.MeshError: ``start`` raised it, and not because of the port.
    """
    for _ in range(_ATTEMPTS - 1):
        number = preferred(port) or any_free()
        try:
            return await start(number)
        except errors.MeshError:
            if is_free(number):
                raise
    return await start(any_free())
