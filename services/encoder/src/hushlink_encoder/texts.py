"""Texts for the kernel: the values of a column, one after the other, as code points and lengths."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy import typing as npt

Counts: TypeAlias = npt.NDArray[np.uint32]

CODE_POINTS: Final = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
"""Code points as numbers of this machine."""


@dataclass(frozen=True, slots=True, repr=False)
class Texts:
    """What a column's cells became; neither `repr` nor any error shows it."""

    points: bytes
    """The code points of all texts."""
    lengths: Counts
    """Code points in each text."""
    rows: Counts | None = None
    """The record of each value; None: value i is record i's."""
    tokens: Counts | None = None
    """How many of the texts are the tokens of each value; None: every text is a value."""

    def of_rows(self, rows: Counts) -> Texts:
        """The same texts for these records."""
        return Texts(self.points, self.lengths, rows, self.tokens)


def lengths_of(values: Sequence[str]) -> Counts:
    """Code points in each text."""
    return np.fromiter(map(len, values), np.uint32, len(values))


def of_values(values: Sequence[str], rows: Counts | None = None) -> Texts:
    """Texts that the kernel cuts itself.

    Raises:
        TypeError: something else than text is among them.
        UnicodeEncodeError: half a surrogate pair is among them.
    """
    return Texts("".join(values).encode(CODE_POINTS), lengths_of(values), rows)


def of_tokens(values: Sequence[Sequence[str]]) -> Texts:
    """Values that were cut already."""
    tokens = list(itertools.chain.from_iterable(values))
    counts = np.fromiter(map(len, values), np.uint32, len(values))
    return Texts("".join(tokens).encode(CODE_POINTS), lengths_of(tokens), None, counts)
