"""Random numbers without a memory: each is a function of a seed, a purpose and a number, of whole numbers only.

They are for inventing people, and are no secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy import typing as npt

Numbers: TypeAlias = npt.NDArray[np.uint64]

MASK: Final = (1 << 64) - 1
_STEP: Final = 0x9E3779B97F4A7C15
_FIRST: Final = 0xBF58476D1CE4E5B9
_SECOND: Final = 0x94D049BB133111EB


def base(seed: int, purpose: str) -> int:
    """Where the numbers of a purpose begin, 64 bits."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=8).digest(), "little")


def drawn(begin: int, numbers: Numbers) -> Numbers:
    """A random number of 64 bits for each of ``numbers``."""
    return _mixed(_mixed(numbers * np.uint64(_STEP) + np.uint64(begin)) + np.uint64(begin))


def drawn_one(begin: int, number: int) -> int:
    """The same for one number."""
    return _mixed_one((_mixed_one((number * _STEP + begin) & MASK) + begin) & MASK)


class Stream:
    """One random number after the other, beginning with a function of ``begin`` and ``number``."""

    __slots__ = ("_state",)

    def __init__(self, begin: int, number: int) -> None:
        self._state = drawn_one(begin, number)

    def below(self, count: int) -> int:
        """A number below ``count``, which is below 2^32."""
        self._state = (self._state + _STEP) & MASK
        return (_mixed_one(self._state) >> 32) * count >> 32


def below(count: int, random: Numbers) -> npt.NDArray[np.int64]:
    """Random numbers brought below ``count``, which is below 2^32."""
    return (((random >> np.uint64(32)) * np.uint64(count)) >> np.uint64(32)).astype(np.int64)


def happens(chance: float, random: Numbers) -> npt.NDArray[np.bool_]:
    """Whether a thing of this chance, 0 to 1, happens."""
    return (random >> np.uint64(32)) < np.uint64(round(chance * (1 << 32)))


class Frequencies:
    """Values of which the first are the most frequent: that of rank r weighs 1 / (r + flatness)."""

    def __init__(self, count: int, flatness: int) -> None:
        self._ends = np.cumsum([1_000_000 // (rank + flatness) for rank in range(count)], dtype=np.int64)

    def chosen(self, random: Numbers) -> npt.NDArray[np.int64]:
        """The rank for each random number."""
        return np.searchsorted(self._ends, below(int(self._ends[-1]), random), side="right").astype(np.int64)


def texts(values: Sequence[str]) -> npt.NDArray[np.object_]:
    """Texts to be chosen from by number."""
    return np.array(values, dtype=object)


class Permutation:
    """A random order of the numbers below ``count``, of which any part can be told without the rest.

    A Feistel network over an even number of bits; what falls beyond the end goes through it again.
    """

    def __init__(self, count: int, seed: int, purpose: str) -> None:
        self._count = np.uint64(count)
        self._half = np.uint64(max((count - 1).bit_length() + 1, 2) // 2)
        self._rounds = [base(seed, f"{purpose}/{number}") for number in range(4)]

    def of(self, numbers: Numbers) -> Numbers:
        """What stands at the places ``numbers``."""
        found = self._once(numbers)
        while (beyond := np.flatnonzero(found >= self._count)).size:
            found[beyond] = self._once(found[beyond])
        return found

    def _once(self, numbers: Numbers) -> Numbers:
        mask = (np.uint64(1) << self._half) - np.uint64(1)
        left, right = numbers >> self._half, numbers & mask
        for begin in self._rounds:
            left, right = right, left ^ (drawn(begin, right) & mask)
        return (left << self._half) | right


def _mixed(x: Numbers) -> Numbers:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_FIRST)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_SECOND)
    return x ^ (x >> np.uint64(31))


def _mixed_one(x: int) -> int:
    x = ((x ^ (x >> 30)) * _FIRST) & MASK
    x = ((x ^ (x >> 27)) * _SECOND) & MASK
    return x ^ (x >> 31)
