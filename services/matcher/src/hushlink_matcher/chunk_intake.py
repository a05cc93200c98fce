"""Chunks as they come in: pieces in order, counted against credit, checked against the digest, then cached."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy
import numpy.typing

from hushlink_domain import chunks, digests, errors
from hushlink_matcher import answers, chunk_cache

MAX_CHUNK_BYTES = 8 * chunks.TARGET_CHUNK_BYTES
"""No chunk is larger; a coordinator's are about an eighth."""

MAX_PIECE_BYTES = 1 << 20
"""No piece of a chunk is larger."""


@dataclasses.dataclass(slots=True)
class _Arriving:
    """A chunk of which some pieces are here."""

    digest: digests.Digest
    data: numpy.typing.NDArray[numpy.uint8] | None
    """None: the chunk is held already, what comes is checked for order and thrown away."""
    hash: Any = dataclasses.field(default_factory=hashlib.sha256)
    filled: int = 0

    def add(self, piece: bytes) -> bool:
        """Take the next piece; says whether it was the last."""
        end = self.filled + len(piece)
        if self.data is not None:
            self.data[self.filled : end] = numpy.frombuffer(piece, dtype=numpy.uint8)
            self.hash.update(piece)
        self.filled = end
        return end == self.digest.size_bytes


class ChunkIntake:
    """Takes the chunk frames of one stream."""

    def __init__(self, cache: chunk_cache.ChunkCache, credit_bytes: int) -> None:
        self._cache = cache
        self._credit_bytes = credit_bytes
        self._arriving: _Arriving | None = None

    def take(self, digest: digests.Digest, offset: int, piece: bytes) -> answers.ChunksChanged | None:
        """Take one frame; returns what it changed in the cache, if anything.

        Raises:
            errors.CallerError: the frame breaks the protocol in credit, size, order or digest; the stream ends.
        """
        self._spend(len(piece))
        dropped: tuple[digests.Digest, ...] = ()
        if self._arriving is None:
            dropped = self._begin(digest)
        arriving = self._in_order(digest, offset, piece)
        if not arriving.add(piece):
            return answers.ChunksChanged((), dropped) if dropped else None
        self._arriving = None
        self._finish(arriving)
        return answers.ChunksChanged((digest,), dropped)

    def returned(self, size_bytes: int) -> None:
        """Note that the coordinator is being given so much credit."""
        self._credit_bytes += size_bytes

    def _spend(self, size_bytes: int) -> None:
        if not 0 < size_bytes <= MAX_PIECE_BYTES:
            raise errors.CallerError(
                errors.Reason.LIMIT_EXCEEDED,
                f"a piece of a chunk has 1 to {MAX_PIECE_BYTES} bytes, not {size_bytes}",
                limit="piece_bytes",
                allowed=MAX_PIECE_BYTES,
                found=size_bytes,
            )
        if size_bytes > self._credit_bytes:
            raise errors.CallerError(
                errors.Reason.LIMIT_EXCEEDED,
                f"a piece of {size_bytes} bytes came with {self._credit_bytes} bytes of credit left: wait for credit",
                limit="chunk_credit_bytes",
                allowed=self._credit_bytes,
                found=size_bytes,
            )
        self._credit_bytes -= size_bytes

    def _begin(self, digest: digests.Digest) -> tuple[digests.Digest, ...]:
        if len(digest.hash) != digests.HASH_BYTES or not 0 < digest.size_bytes <= MAX_CHUNK_BYTES:
            raise errors.CallerError(
                errors.Reason.INVALID_REQUEST,
                f"a chunk's digest has a hash of {digests.HASH_BYTES} bytes and a size of 1 to {MAX_CHUNK_BYTES}; this "
                f"one has {len(digest.hash)} and {digest.size_bytes}",
                field="chunk.digest",
            )
        if digest in self._cache:
            self._cache.touch(digest)
            self._arriving = _Arriving(digest, None)
            return ()
        dropped = self._cache.reserve(digest.size_bytes)
        self._arriving = _Arriving(digest, numpy.empty(digest.size_bytes, dtype=numpy.uint8))
        return dropped

    def _in_order(self, digest: digests.Digest, offset: int, piece: bytes) -> _Arriving:
        arriving = self._arriving
        if arriving is None or arriving.digest != digest or arriving.filled != offset:
            raise errors.CallerError(
                errors.Reason.STREAM_ORDER,
                "the pieces of a chunk come in order, not mixed with those of another",
                expected=f"offset {arriving.filled if arriving else 0}",
                found=f"offset {offset}" + ("" if arriving and arriving.digest == digest else " of another chunk"),
            )
        if arriving.filled + len(piece) > digest.size_bytes:
            raise errors.CallerError(
                errors.Reason.DIGEST_MISMATCH, "more bytes came than the chunk's digest says", size=digest.size_bytes
            )
        return arriving

    def _finish(self, arriving: _Arriving) -> None:
        if arriving.data is None:
            return
        if arriving.hash.digest() != arriving.digest.hash:
            self._cache.release(arriving.digest.size_bytes)
            raise errors.CallerError(
                errors.Reason.DIGEST_MISMATCH,
                "the bytes of a chunk are not those its digest names",
                digest=arriving.digest.hex,
            )
        arriving.data.flags.writeable = False
        self._cache.put(chunk_cache.Chunk(arriving.digest, arriving.data))
