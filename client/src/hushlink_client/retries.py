"""When a call that failed may be made again, and how long to wait before."""

from __future__ import annotations

import asyncio
import random

import grpc

from hushlink_client import errors

CALL_ATTEMPTS = 6
"""How often a call is tried: for some seconds, since somebody waits for the answer."""

STREAM_ATTEMPTS = 14
"""How often a stream is tried without getting any further: for the better part of a minute, in which a coordinator that
was restarted is back."""

_FIRST_SECONDS = 0.1
_MOST_SECONDS = 5.0


class Backoff:
    """Counts failures in a row and waits longer after each."""

    def __init__(self, attempts: int = STREAM_ATTEMPTS) -> None:
        self._attempts = attempts
        self._failures = 0

    def progressed(self) -> None:
        """Something went well: the count starts anew."""
        self._failures = 0

    async def pause(self, error: grpc.aio.AioRpcError | None) -> None:
        """Wait before the next attempt.

        Args:
            error: what the last one ended with; None = a stream that ended too early.

        Raises:
            grpc.aio.AioRpcError: ``error`` itself, if it will not pass or came too often.
            errors.ClientError: a stream ended too early too often.
        """
        self._failures += 1
        if error is not None and not passing(error):
            raise error
        if self._failures >= self._attempts:
            raise error or errors.ClientError("the coordinator ends the stream too early, again and again: try later")
        await asyncio.sleep(self._seconds())

    def _seconds(self) -> float:
        """Twice as long every time, and never at the same moment as everybody else."""
        longest = min(_MOST_SECONDS, _FIRST_SECONDS * 2.0 ** (self._failures - 1))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing


def passing(error: grpc.aio.AioRpcError) -> bool:
    """Whether the cause may pass by itself: the peer, its database or its object store is out of reach."""
    return error.code() is grpc.StatusCode.UNAVAILABLE
