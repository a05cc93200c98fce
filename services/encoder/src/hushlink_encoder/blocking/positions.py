"""Positions in an unkeyed filter, and the keys that blocklib makes of them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy import typing as npt

_STEP: Final = 512
"""Texts worked on at a time: a set of them takes kilobytes."""
_BETWEEN: Final = ", "


def of(text: str, bits: int, count: int) -> list[int]:
    """The positions of a text in a filter of so many bits, in the order they are found; some may be equal."""
    found: list[int] = _positions([text], bits, count)[0].tolist()
    return found


class PositionKeys:
    """Makes blocklib's keys: the text of the tuple of the set of a signature's positions, in the set's order.

    That order is the interpreter's own business, so real sets are made; all else is done for many at a time.
    """

    def __init__(self, bits: int, count: int) -> None:
        self._bits = bits
        self._count = count
        texts = [f"{_BETWEEN}{number}".encode() for number in range(bits)]
        width = max(map(len, texts))
        padded = b"".join(text.ljust(width, b"\0") for text in texts)
        self._texts = np.frombuffer(padded, np.uint8).reshape(bits, width)
        self._lengths = np.fromiter(map(len, texts), np.int64, bits)

    def of(self, signatures: Sequence[str]) -> Iterator[str]:
        """The key of each signature."""
        for start in range(0, len(signatures), _STEP):
            yield from self._keys(signatures[start : start + _STEP])

    def _keys(self, signatures: Sequence[str]) -> Iterator[str]:
        sets = list(map(set, _positions(signatures, self._bits, self._count).tolist()))
        sizes = np.fromiter(map(len, sets), np.int64, len(sets))
        ordered = np.fromiter(itertools.chain.from_iterable(sets), np.int64, int(sizes.sum()))
        padded = self._texts[ordered]
        text = padded[padded != 0].tobytes().decode("ascii")
        ends = np.cumsum(np.add.reduceat(self._lengths[ordered], np.cumsum(sizes) - sizes)).tolist()
        start = len(_BETWEEN)
        for size, end in zip(sizes.tolist(), ends, strict=True):
            yield f"({text[start:end]})" if size > 1 else f"({text[start:end]},)"
            start = end + len(_BETWEEN)


def _positions(texts: Sequence[str], bits: int, count: int) -> npt.NDArray[np.int64]:
    """Where the double hash of SHA-1 and MD5 leads, one row for each text."""
    contents = [text.encode() for text in texts]
    sha1, md5 = hashlib.sha1, hashlib.md5
    first = _modulo(b"".join([sha1(content, usedforsecurity=False).digest() for content in contents]), 20, bits)
    step = _modulo(b"".join([md5(content, usedforsecurity=False).digest() for content in contents]), 16, bits)
    return (first[:, None] + step[:, None] * np.arange(count)) % bits


def _modulo(digests: bytes, size: int, bits: int) -> npt.NDArray[np.int64]:
    """Digests of ``size`` bytes, as big-endian numbers, modulo ``bits``."""
    rest: npt.NDArray[np.int64] = np.zeros(len(digests) // size, np.int64)
    for word in np.frombuffer(digests, ">u4").reshape(-1, size // 4).T:
        rest = ((rest << 32) | word.astype(np.int64)) % bits
    return rest
