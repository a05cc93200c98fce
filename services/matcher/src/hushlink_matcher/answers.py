"""What a matcher tells a coordinator, before it takes its form on the wire."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from hushlink_domain import digests, errors


@dataclasses.dataclass(frozen=True, slots=True)
class ChunksChanged:
    """Chunks that came in whole, and chunks that were dropped to make room."""

    received: tuple[digests.Digest, ...]
    dropped: tuple[digests.Digest, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class ChunkCredit:
    """Room for more bytes of chunk frames."""

    size_bytes: int


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a tile is."""

    assignment: int
    comparisons: int


@dataclasses.dataclass(frozen=True, slots=True)
class Pairs:
    """Consecutive pairs of a sorted run, as little-endian columns: doubles, and two times unsigned 32-bit integers."""

    assignment: int
    run: int
    scores: bytes
    left_rows: bytes
    right_rows: bytes
    last: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """A tile's end."""

    assignment: int
    pair_count: int
    run_count: int
    comparisons: int
    busy_nanos: int


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    """A tile that can't be compared."""

    assignment: int
    error: errors.DomainError

    @property
    def retryable(self) -> bool:
        """Whether another matcher, or this one later, may do it: everything but a fault of the request."""
        return not isinstance(self.error, errors.CallerError)


Answer: TypeAlias = ChunksChanged | ChunkCredit | Progress | Pairs | Done | Failed
