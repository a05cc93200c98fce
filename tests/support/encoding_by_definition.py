"""How a value becomes bits, spelled out in Python: what the kernel is compared with."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Sequence

import numpy as np
from numpy import typing as npt

import hushlink_native as native

MARKS = {
    "ascii": ("", "ascii"),
    "utf-8": ("", "utf-8"),
    "utf-16": ("\ufeff", "utf-16-le"),
    "utf-32": ("\ufeff", "utf-32-le"),
}


def tokens(value: str, n: int, *, positional: bool = False) -> list[str]:
    """The windows over a padded value; n = 0: the value itself. The empty value has none."""
    if not value:
        return []
    if not n:
        return [value]
    padded = " " * (n - 1) + value + " " * (n - 1)
    windows = [padded[start : start + n] for start in range(len(padded) - n + 1)]
    return [f"{place} {window}" for place, window in enumerate(windows, 1)] if positional else windows


def blake_indices(token: bytes, k: int, key: bytes, length: int) -> list[int]:
    """Index i is word i mod 32 of the token's block i div 32; a block is one keyed BLAKE2b."""
    found: list[int] = []
    for block in range((k + 31) // 32):
        digest = hashlib.blake2b(token, digest_size=64, key=key, salt=b"%d" % block).digest()
        found.extend(word % length for word in struct.unpack("<32H", digest))
    return found[:k]


def double_indices(token: bytes, k: int, keys: tuple[bytes, bytes], length: int, *, prevent: bool) -> list[int]:
    """Index i is h1 + i * h2 modulo the length."""

    def step(message: bytes) -> int:
        return int.from_bytes(hmac.digest(keys[1], message, "md5"), "big") % length

    start, stride, attempt = int.from_bytes(hmac.digest(keys[0], token, "sha1"), "big") % length, step(token), 0
    while prevent and stride == 0:
        stride, attempt = step(token + chr(attempt).encode()), attempt + 1
    return [(start + index * stride) % length for index in range(k)]


def indices(token: str, k: int, agreed: native.Tokens, keys: tuple[bytes, bytes]) -> list[int]:
    """The bits of one token."""
    mark, codec = MARKS[agreed.encoding]
    message = (mark + token).encode(codec)
    if agreed.hash == "blakeHash":
        return blake_indices(message, k, keys[0], agreed.filter_bits)
    return double_indices(message, k, keys, agreed.filter_bits, prevent=agreed.prevent_singularity)


def filters(values: Sequence[Sequence[str]], agreed: native.Tokens, keys: tuple[bytes, bytes]) -> npt.NDArray[np.uint8]:
    """The filters of values that are cut into tokens."""
    bits = np.zeros((len(values), agreed.filter_bits), dtype=np.uint8)
    for row, cut in enumerate(values):
        for place, token in enumerate(cut):
            each, longer = divmod(agreed.insertions, len(cut)) if agreed.per_value else (agreed.insertions, 0)
            bits[row, indices(token, each + (place < longer), agreed, keys)] = 1
    return np.packbits(bits, axis=1)
