"""How a call truly ended, also where grpcio's asyncio client forgets it.

A server may refuse a stream while its client writes. The write fails too, and grpcio then puts a status of its own,
INTERNAL without any detail, in the place of the server's: before the server's arrives, or after, as it happens.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import grpc

_GUESS = "Internal error from Core"
"""The text of the status that grpcio makes up."""

T = TypeVar("T")


class Ending:
    """Watches a call that streams requests, from before its first write."""

    def __init__(self, call: grpc.aio.Call) -> None:
        self._told: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._ended)

    def error(self, raised: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
        """What the call ended with, where awaiting its response raised ``raised``."""
        return raised if self._told is None else self._told

    def _ended(self, call: Any) -> None:
        """Keep the status that the call ends with now, unless it is a guess: then the true one is yet to come."""
        code: grpc.StatusCode = _at_once(call.code())
        details: str = _at_once(call.details())
        if code is not grpc.StatusCode.OK and (code, details) != (grpc.StatusCode.INTERNAL, _GUESS):
            trailing: grpc.aio.Metadata = _at_once(call.trailing_metadata())
            self._told = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details)


def _at_once(part: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that does not wait, as the parts of a status do not once there is one."""
    try:
        part.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    part.close()
    raise RuntimeError("a call that has ended has no status")
