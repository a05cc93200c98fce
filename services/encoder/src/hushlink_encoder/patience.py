"""How long an answer waits to be taken: a caller who sends and never reads would keep a place, and memory, for ever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from hushlink_domain import errors
from hushlink_mesh import calls, error_desk

logger = logging.getLogger(__name__)


class Patience:
    """Gives calls up whose callers take no answer for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._refusing: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def taking(self, context: calls.Context) -> Iterator[None]:
        """Around the ``yield`` of an answer: the handler of the call is cancelled if it takes too long.

        The status is sent without being waited for: it can only arrive behind the answer that is not taken.
        """
        handler = asyncio.current_task()
        assert handler is not None  # noqa: S101 - answers are given by tasks
        watch = asyncio.get_running_loop().call_later(self._seconds, self._give_up, context, handler)
        try:
            yield
        finally:
            watch.cancel()

    def _give_up(self, context: calls.Context, handler: asyncio.Task[None]) -> None:
        logger.warning("a caller takes no answers: its stream is given up", extra={"seconds": self._seconds})
        refusing = asyncio.create_task(self._refuse(context), name="refuse a stalled caller")
        self._refusing.add(refusing)
        refusing.add_done_callback(self._refusing.discard)
        # Scheduled behind the refusal, whose status would not be sent any more once the handler has ended.
        asyncio.get_running_loop().call_soon(handler.cancel)

    async def _refuse(self, context: calls.Context) -> None:
        refusal = errors.CapacityError(
            errors.Reason.LIMIT_EXCEEDED,
            f"an answer was not taken for {self._seconds:g} seconds: the stream is given up, start another and read "
            "answers while sending",
            limit="idle_timeout_seconds",
            allowed=f"{self._seconds:g}",
        )
        with contextlib.suppress(Exception):  # it always ends so: by the abort, or since the caller is gone
            await context.abort_with_status(error_desk.to_grpc(refusal))
