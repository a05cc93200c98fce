"""The chunk shelf: chunks on their way to matchers, so that several that need one cause one reading."""

from __future__ import annotations

import asyncio
import collections
from typing import Protocol

from hushlink_domain import digests, errors

READS_AT_ONCE = 8
"""How many chunks are read at a time."""


class ChunkSource(Protocol):
    """Where chunks rest."""

    async def read(self, digest: digests.Digest) -> bytes:
        """The chunk's bytes."""
        ...


class ChunkShelf:
    """The chunks last read, at most ``capacity_bytes`` of them."""

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._chunks: collections.OrderedDict[digests.Digest, bytes] = collections.OrderedDict()
        self._used_bytes = 0
        self._reading: dict[digests.Digest, asyncio.Lock] = {}
        self._gate = asyncio.Semaphore(READS_AT_ONCE)

    async def read(self, digest: digests.Digest, source: ChunkSource) -> bytes:
        """The chunk's bytes, from the shelf or from the source.

        Raises:
            errors.InternalError: DIGEST_MISMATCH, when the source gives other bytes than were asked for.
            Exception: whatever the source raises.
        """
        if (data := self._taken(digest)) is not None:
            return data
        lock = self._reading.setdefault(digest, asyncio.Lock())
        try:
            async with lock:
                if (data := self._taken(digest)) is None:
                    async with self._gate:
                        data = await source.read(digest)
                    await _check(digest, data)
                    self._put(digest, data)
                return data
        finally:
            if not lock.locked():
                self._reading.pop(digest, None)

    def _taken(self, digest: digests.Digest) -> bytes | None:
        data = self._chunks.get(digest)
        if data is not None:
            self._chunks.move_to_end(digest)
        return data

    def _put(self, digest: digests.Digest, data: bytes) -> None:
        if len(data) > self._capacity_bytes:
            return
        self._chunks[digest] = data
        self._used_bytes += len(data)
        while self._used_bytes > self._capacity_bytes:
            _, gone = self._chunks.popitem(last=False)
            self._used_bytes -= len(gone)


async def _check(digest: digests.Digest, data: bytes) -> None:
    if await asyncio.to_thread(digests.Digest.of, data) != digest:
        raise errors.InternalError(
            errors.Reason.DIGEST_MISMATCH,
            f"the bytes that rest under the digest {digest.hex} are others: the object store has damaged them",
            digest=digest.hex,
        )
