"""One encoded column: from its cells to bits in the filters of their records, which is the kernel's work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy import typing as npt

import hushlink_native as native
from hushlink_domain import schema
from hushlink_encoder import cells, faults, keys

TOKEN_ENTRIES: Final = 1 << 15
"""Most tokens that a column remembers; more would seldom be asked for again."""
TOKEN_BYTES: Final = 128
"""Bytes of a remembered token beside its filter."""

Filters: TypeAlias = npt.NDArray[np.uint8]


class ColumnEncoder:
    """Encodes the cells of one feature; not to be used by two threads at once.

    `cache_bytes` bounds what it remembers, roughly, half for cells and half for tokens.
    """

    def __init__(
        self,
        position: int,
        feature: schema.Feature,
        agreed: schema.LinkageSchema,
        column_keys: keys.FeatureKeys,
        *,
        cache_bytes: int,
    ) -> None:
        self.position = position
        self.identifier = feature.identifier
        self._cells = cells.Cells(feature, agreed, cache_bytes // 2)
        room = cache_bytes // 2 // ((agreed.working_bits + 7) // 8 + TOKEN_BYTES)
        self._bits = native.FilterColumn(
            kernel_tokens(feature, agreed.working_bits),
            column_keys.first,
            column_keys.second if isinstance(feature.hash, schema.DoubleHash) else b"",
            cache_entries=min(TOKEN_ENTRIES, room),
        )

    def add(self, column: Sequence[str], filters: Filters) -> bool:
        """OR the bits of cell i into filter i; False, with nothing done, when a cell is faulty."""
        read = self._cells.read(column)
        if read is None:
            return False
        for part in read:
            self._bits.add(part.points, part.lengths, filters, rows=part.rows, tokens=part.tokens)
        return True

    def fault(self, cell: object) -> faults.Kind | None:
        """Say what is wrong with a cell, None if nothing is."""
        return self._cells.fault(cell)

    def close(self) -> None:
        """Forget cells, and erase tokens and keys in the kernel."""
        self._cells.forget()
        self._bits.close()


def kernel_tokens(feature: schema.Feature, working_bits: int) -> native.Tokens:
    """Say in the kernel's words how a feature's values become bits."""
    windows = feature.comparison if isinstance(feature.comparison, schema.NgramComparison) else None
    double = feature.hash if isinstance(feature.hash, schema.DoubleHash) else None
    return native.Tokens(
        filter_bits=working_bits,
        insertions=feature.strategy.bits,
        per_value=isinstance(feature.strategy, schema.BitsPerFeature),
        ngram=windows.n if windows is not None else 0,
        positional=windows is not None and windows.positional,
        encoding=feature.encoding.value,
        hash="blakeHash" if double is None else "doubleHash",
        prevent_singularity=double is not None and double.prevent_singularity,
    )
