"""Digests: the names of bytes."""

from __future__ import annotations

import dataclasses
import hashlib

HASH_BYTES = 32


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Digest:
    """SHA-256 (32 bytes) and size of some bytes; equal digests mean equal bytes."""

    hash: bytes
    size_bytes: int

    @classmethod
    def of(cls, data: bytes | bytearray | memoryview) -> Digest:
        """The digest of ``data``."""
        return cls(hashlib.sha256(data).digest(), memoryview(data).nbytes)

    @property
    def hex(self) -> str:
        """The hash as 64 hexadecimal digits, as object keys use it."""
        return self.hash.hex()
