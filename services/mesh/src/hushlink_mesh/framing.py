"""Frames of streams: checksums, and the pieces that bytes travel in."""

from __future__ import annotations

from collections.abc import Iterator

import google_crc32c

from hushlink.mesh.v1 import digest_pb2
from hushlink_domain import digests, errors

PIECE_BYTES = 1 << 20
"""How many bytes of data one frame carries at the most: large enough for speed, well below the message limit."""


def crc32c(*parts: bytes) -> int:
    """CRC-32C (Castagnoli) of the parts, one after the other."""
    value = 0
    for part in parts:
        value = google_crc32c.extend(value, part)
    return int(value)


def check_crc32c(expected: int, first_row: int, *parts: bytes) -> None:
    """Check the checksum that came with some rows.

    Raises:
        errors.CallerError: CHUNK_CORRUPT, when the bytes are not those that were sent.
    """
    if crc32c(*parts) != expected:
        raise errors.CallerError(
            errors.Reason.CHUNK_CORRUPT,
            f"the chunk at row {first_row} does not have the CRC-32C sent with it: it was damaged, send it again",
            first_row=first_row,
        )


def pieces(data: bytes | memoryview, piece_bytes: int = PIECE_BYTES) -> Iterator[tuple[int, bytes]]:
    """``data`` cut into (offset, piece), at least one piece."""
    view = memoryview(data)
    for offset in range(0, max(len(view), 1), piece_bytes):
        yield offset, bytes(view[offset : offset + piece_bytes])


def digest_to_proto(digest: digests.Digest) -> digest_pb2.Digest:
    """The wire form."""
    return digest_pb2.Digest(hash=digest.hash, size_bytes=digest.size_bytes)


def digest_from_proto(message: digest_pb2.Digest) -> digests.Digest:
    """The domain form; any hash length comes through, a wrong one equals nothing."""
    return digests.Digest(message.hash, message.size_bytes)
