"""What a matcher says, freed of its form on the wire, and the error for saying it wrongly."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

from hushlink_domain import digests


class ViolationError(Exception):
    """A matcher broke the protocol: it is dropped, and what it did is done again by another."""


@dataclasses.dataclass(frozen=True, slots=True)
class Hello:
    """A matcher's introduction."""

    matcher_id: str
    """Another start is another matcher."""
    version: str
    slots: int
    """How many tiles it compares at a time."""
    kernel_path: str
    chunk_cache_bytes: int
    """How many bytes of chunks it keeps."""
    metrics: frozenset[str]
    max_width_bits: int
    held: tuple[digests.Digest, ...]
    """Chunks it has already."""
    chunk_credit_bytes: int
    """How many bytes of chunk frames it takes before it gives more credit."""


@dataclasses.dataclass(frozen=True, slots=True)
class ChunksDropped:
    """Chunks a matcher no longer holds; none, when it only tells of chunks that came."""

    digests: tuple[digests.Digest, ...]


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
    """Consecutive pairs of a sorted run, as little-endian columns."""

    assignment: int
    run: int
    scores: bytes
    left_rows: bytes
    right_rows: bytes
    crc32c: int
    last: bool

    @property
    def size_bytes(self) -> int:
        """How much credit the frame took."""
        return len(self.scores) + len(self.left_rows) + len(self.right_rows)


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
    """A tile the matcher can't compare."""

    assignment: int
    reason: str
    message: str
    retryable: bool


Frame: TypeAlias = ChunksDropped | ChunkCredit | Progress | Pairs | Done | Failed
