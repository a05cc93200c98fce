"""Blocks: which rows of one dataset lie together, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy import typing as npt

from hushlink_encoder.blocking import configuration

Rows: TypeAlias = npt.NDArray[np.int64]
"""Numbers of rows, or places among them."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of one dataset.

    Block i has the key `keys[i]` and the rows `rows[offsets[i]:offsets[i + 1]]`, by number from 0. A row may be in
    many blocks, or in none; compat blocks of p-sig may name a row twice, as blocklib's do.
    """

    kind: configuration.Kind
    mode: configuration.Mode
    fingerprint: bytes = field(repr=False)
    """The configuration's."""
    row_count: int
    keys: Sequence[str] = field(repr=False)
    offsets: Rows = field(repr=False)
    rows: Rows = field(repr=False)

    @classmethod
    def made(
        cls, agreed: configuration.Configuration, row_count: int, keys: Sequence[str], sizes: Rows, rows: Rows
    ) -> Blocks:
        """Blocks of these sizes, whose rows lie one behind the other."""
        return cls(agreed.method.kind, agreed.mode, agreed.fingerprint(), row_count, keys, offsets_of(sizes), rows)

    @property
    def sizes(self) -> Rows:
        """How many rows each block has."""
        return np.diff(self.offsets)

    def by_key(self) -> dict[str, list[int]]:
        """Each block's rows by its key; for small data and for tests."""
        rows, ends = self.rows.tolist(), self.offsets.tolist()
        return {key: rows[ends[index] : ends[index + 1]] for index, key in enumerate(self.keys)}


def gathered(rows: Rows, starts: Rows, sizes: Rows) -> Rows:
    """Stretches of ``rows`` one behind the other: from each of ``starts`` as many as ``sizes`` says."""
    ends = np.cumsum(sizes)
    places = np.repeat(starts - (ends - sizes), sizes) + np.arange(ends[-1] if len(ends) else 0)
    found: Rows = rows[places]
    return found


def offsets_of(sizes: Rows) -> Rows:
    """Where blocks of these sizes begin and end."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
