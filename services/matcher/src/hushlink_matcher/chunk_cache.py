"""The chunks a coordinator has sent: bounded in bytes, least recently used first to go, never one that a tile needs.

Each stream has a cache of its own, so a coordinator can name only bytes that it sent itself.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable

import numpy
import numpy.typing

from hushlink_domain import digests, errors


@dataclasses.dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of encodings, held once."""

    digest: digests.Digest
    data: numpy.typing.NDArray[numpy.uint8]
    """One-dimensional; never written to again."""

    def rows(self, width_bytes: int) -> numpy.typing.NDArray[numpy.uint8]:
        """The same bytes as rows of ``width_bytes``, which divides their number."""
        return self.data.reshape(-1, width_bytes)


class ChunkCache:
    """Chunks by digest, at most ``capacity_bytes`` of them."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._chunks: collections.OrderedDict[digests.Digest, Chunk] = collections.OrderedDict()
        self._pins: collections.Counter[digests.Digest] = collections.Counter()
        self._used_bytes = 0

    def __contains__(self, digest: digests.Digest) -> bool:
        return digest in self._chunks

    @property
    def used_bytes(self) -> int:
        """How many bytes are held or promised."""
        return self._used_bytes

    def reserve(self, size_bytes: int) -> tuple[digests.Digest, ...]:
        """Make room for a chunk that is coming in; returns what was dropped for it.

        Raises:
            errors.CallerError: LIMIT_EXCEEDED, when the chunks of assigned tiles leave too little; nothing is dropped.
        """
        missing = self._used_bytes + size_bytes - self._capacity_bytes
        victims: list[digests.Digest] = []
        for digest in self._chunks:
            if missing <= 0:
                break
            if not self._pins[digest]:
                victims.append(digest)
                missing -= digest.size_bytes
        if missing > 0:
            raise errors.CallerError(
                errors.Reason.LIMIT_EXCEEDED,
                f"a chunk of {size_bytes} bytes does not fit beside the chunks of assigned tiles in the announced "
                f"{self._capacity_bytes} bytes: assign fewer tiles at a time",
                limit="chunk_cache_bytes",
                allowed=self._capacity_bytes,
                found=self._capacity_bytes + missing,
            )
        for digest in victims:
            del self._chunks[digest]
            self._used_bytes -= digest.size_bytes
        self._used_bytes += size_bytes
        return tuple(victims)

    def release(self, size_bytes: int) -> None:
        """Give back room that was reserved for a chunk that did not come."""
        self._used_bytes -= size_bytes

    def put(self, chunk: Chunk) -> None:
        """Hold a chunk for which room was reserved."""
        self._chunks[chunk.digest] = chunk

    def touch(self, digest: digests.Digest) -> None:
        """Make a held chunk the most recently used one."""
        self._chunks.move_to_end(digest)

    def pin(self, names: Iterable[digests.Digest]) -> None:
        """Hold chunks, all present, until they are unpinned as often; they become the most recently used ones.

        Raises:
            errors.StateError: TILE_REFUSED, when some are not held; nothing is pinned then.
        """
        wanted = list(names)
        missing = [digest for digest in wanted if digest not in self._chunks]
        if missing:
            raise errors.StateError(
                errors.Reason.TILE_REFUSED,
                f"{len(missing)} of the chunks that the tile names are not held here: send them first",
                problem="chunk missing",
                missing=len(missing),
            )
        for digest in wanted:
            self._pins[digest] += 1
            self._chunks.move_to_end(digest)

    def unpin(self, names: Iterable[digests.Digest]) -> None:
        """Let go of chunks that were pinned; they stay until room is needed."""
        for digest in names:
            self._pins[digest] -= 1
            if not self._pins[digest]:
                del self._pins[digest]

    def get(self, digest: digests.Digest) -> Chunk:
        """A held chunk."""
        return self._chunks[digest]

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self._pins.clear()
        self._used_bytes = 0
