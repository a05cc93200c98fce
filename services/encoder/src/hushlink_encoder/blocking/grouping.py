"""Rows that have something in common, found by sorting numbers instead of building a list for each."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import typing as npt

from hushlink_encoder.blocking import blocks

_HALF = 1 << 32


class Numbers(dict[Hashable, int]):
    """Numbers values in the order in which they come, from 0."""

    def of(self, values: Collection[Hashable]) -> npt.NDArray[np.int64]:
        """The number of each of ``values``."""
        new = [value for value in dict.fromkeys(values) if value not in self]
        self.update(zip(new, range(len(self), len(self) + len(new)), strict=True))
        return np.fromiter(map(self.__getitem__, values), np.int64, len(values))


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows sorted by what they have in common, and within that by number; group i is `sizes[i]` from `starts[i]`."""

    rows: blocks.Rows
    starts: blocks.Rows
    sizes: blocks.Rows

    @property
    def first_rows(self) -> blocks.Rows:
        """The first row of each group."""
        return self.rows[self.starts]

    def taken(self, which: npt.NDArray[Any]) -> Groups:
        """Some of the groups, by a mask or by their places."""
        return Groups(self.rows, self.starts[which], self.sizes[which])


def grouped(codes: npt.NDArray[np.uint64], rows: blocks.Rows) -> Groups:
    """Group rows, which ascend, by equal codes."""
    if not len(codes):
        return Groups(rows, np.zeros(0, np.int64), np.zeros(0, np.int64))
    if int(codes.max()) < _HALF and int(rows[-1]) < _HALF:  # one sort of plain numbers
        both = (codes << np.uint64(32)) | rows.astype(np.uint64)
        both.sort()
        ordered, in_order = both >> np.uint64(32), (both & np.uint64(_HALF - 1)).astype(np.int64)
    else:
        order = np.argsort(codes, kind="stable")
        ordered, in_order = codes[order], rows[order]
    return cut(in_order, ordered[1:] != ordered[:-1])


def cut(rows: blocks.Rows, changes: npt.NDArray[np.bool_]) -> Groups:
    """Sorted rows as groups: a new one begins behind each place where ``changes`` says so."""
    starts = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(changes) + 1])
    return Groups(rows, starts, np.diff(np.append(starts, len(rows))))


def combined(columns: Iterable[tuple[npt.NDArray[np.int64], int]]) -> npt.NDArray[np.uint64]:
    """One code for each row out of several, each given with how many values it may have: equal where all are equal."""
    (first, count), *others = columns
    whole, values = first.astype(np.uint64), max(count, 1)
    for codes, count in others:
        if values * max(count, 1) >= _HALF:  # so that products stay exact, and sorting quick
            distinct, dense = np.unique(whole, return_inverse=True)
            whole, values = dense.astype(np.uint64), len(distinct)
        whole = whole * np.uint64(max(count, 1)) + codes.astype(np.uint64)
        values *= max(count, 1)
    return whole


def checked_equal(columns: Iterable[Sized]) -> int:
    """How many cells each column has.

    Raises:
        ValueError: they differ.
    """
    counts = {len(column) for column in columns}
    if len(counts) > 1:
        raise ValueError("the columns differ in length")
    return counts.pop() if counts else 0
