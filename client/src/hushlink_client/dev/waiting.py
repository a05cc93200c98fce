"""Waiting for what another process does, where the system has no event for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_INTERVAL_SECONDS = 0.02


async def until(look: Callable[[], T | None]) -> T:
    """Look again and again until there is something to see; bound it with ``asyncio.timeout``."""
    while (seen := look()) is None:  # noqa: ASYNC110 - what we wait for is another process
        await asyncio.sleep(_INTERVAL_SECONDS)
    return seen
