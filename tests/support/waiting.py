"""Waiting for what must come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def eventually(what: str, condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Return as soon as ``condition`` holds; fail when it does not within ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - of another process, mostly
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"it never came true: {what}") from None
