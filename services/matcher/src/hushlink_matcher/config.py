"""What may vary for a matcher."""

from __future__ import annotations

import os
from typing import Any

import pydantic

from hushlink_domain import pairs
from hushlink_mesh import config


def _cores() -> int:
    """The processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _cache_bytes(settings: dict[str, Any]) -> int:
    """Room for one side that all slots share, and another side for each slot and the tile that comes next."""
    return max(256, 32 * (2 + int(settings.get("slots", 1)))) << 20


class MatcherConfig(config.ProcessConfig):
    """A matcher's settings. Its memory is bounded by ``max_coordinators`` times ``chunk_cache_bytes``, plus some 20 MiB
    a slot and coordinator when pairs are many.
    """

    slots: int = pydantic.Field(default_factory=_cores, ge=1, le=1024)
    """How many tiles are compared at a time, over all coordinators; one core each. The default is the cores of the
    machine: set it where a container may use fewer.
    """
    chunk_cache_bytes: int = pydantic.Field(default_factory=_cache_bytes, ge=4 << 10, le=1 << 40)
    """How many bytes of chunks are kept for each coordinator; announced to it. The default grows with the slots: a tile
    of a large run has two sides of up to 32 MiB.
    """
    chunk_credit_bytes: int = pydantic.Field(default=8 << 20, ge=1 << 10, le=1 << 30)
    """How many bytes of chunk frames each coordinator may have on the way."""
    max_coordinators: int = pydantic.Field(default=8, ge=1, le=1024)
    """How many coordinators may hold a stream at a time."""
    max_pairs_per_run: int = pydantic.Field(default=pairs.PAIRS_PER_RUN, ge=1, le=1 << 26)
    """The longest sorted run a tile may ask for, in pairs. A slot holds some 80 bytes for each while it sorts, which
    cannot be interrupted: with many more, a cancelled tile takes longer than 50 ms to stop.
    """
