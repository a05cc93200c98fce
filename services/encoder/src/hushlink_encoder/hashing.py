"""From a token to the places of the bits it sets: keyed, so nobody without the secret can repeat it."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from hushlink_domain import schema
from hushlink_encoder import keys

Indexer: TypeAlias = Callable[[bytes, int], Sequence[int]]
"""(token, k) -> the k bit indices of the token, each below the filter's working length."""

WORDS: Final = struct.Struct("<32H")
"""One BLAKE2b digest as 16-bit words; little-endian on every machine."""


def indexer(hashing: schema.Hash, feature_keys: keys.FeatureKeys, length: int) -> Indexer:
    """Make the function that gives a token's bit indices; `length` is the working length in bits."""
    match hashing:
        case schema.BlakeHash():
            return _blake(feature_keys, length)
        case schema.DoubleHash():
            return _double(feature_keys, length, hashing.prevent_singularity)


def _blake(feature_keys: keys.FeatureKeys, length: int) -> Indexer:
    """Index i is word i mod 32 of the token's block i div 32; a block is one keyed BLAKE2b."""
    key = feature_keys.first

    def indices(token: bytes, k: int) -> list[int]:
        found: list[int] = []
        for block in range((k + 31) // 32):
            digest = hashlib.blake2b(token, digest_size=64, key=key, salt=b"%d" % block).digest()
            found.extend(word % length for word in WORDS.unpack(digest))
        return found[:k]

    return indices


def _double(feature_keys: keys.FeatureKeys, length: int, prevent_singularity: bool) -> Indexer:
    """Index i is h1 + i * h2 modulo the length."""
    first, second = feature_keys.first, feature_keys.second

    def stride(message: bytes) -> int:
        return int.from_bytes(hmac.digest(second, message, "md5"), "big") % length

    def indices(token: bytes, k: int) -> list[int]:
        start = int.from_bytes(hmac.digest(first, token, "sha1"), "big") % length
        step = stride(token)
        attempt = 0
        while prevent_singularity and step == 0:
            step = stride(token + chr(attempt).encode("utf-8"))
            attempt += 1
        return [(start + index * step) % length for index in range(k)]

    return indices
