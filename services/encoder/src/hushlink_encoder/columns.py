"""One encoded column: from its cells to their filters, each different cell worked out once.

The caches live as long as the column encoder, that is one job, and are bounded in bytes.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Final, TypeAlias

from hushlink_domain import schema
from hushlink_encoder import bloom, canonical, faults, hashing, keys, tokens

CACHE_ENTRIES: Final = 1 << 15
"""Most entries of one cache; more would seldom be asked for again."""
ENTRY_OVERHEAD: Final = 256
"""Bytes of key, value and table slot beside the filter of one cached entry."""

Insertions: TypeAlias = Callable[[int], tuple[int, int]]
"""Number of tokens t -> (k, s): every token sets k bits, the first s tokens one more."""

CODECS: Final = {
    schema.TextEncoding.ASCII: ("", "ascii"),
    schema.TextEncoding.UTF_8: ("", "utf-8"),
    schema.TextEncoding.UTF_16: ("\ufeff", "utf-16-le"),
    schema.TextEncoding.UTF_32: ("\ufeff", "utf-32-le"),
}
"""What stands before every token, and how both become bytes: little-endian on every machine."""


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
        self._strip = agreed.strip_cells
        self._missing = feature.missing_value
        self._canonicalise = canonical.canonicaliser(feature, agreed.mode)
        self._tokenise = tokens.tokeniser(feature.comparison)
        self._insertions = insertions(feature.strategy)
        self._mark, self._codec = CODECS[feature.encoding]
        self._indices = hashing.indexer(feature.hash, column_keys, agreed.working_bits)
        self._size = (agreed.working_bits + 7) // 8
        self._entries = max(1, min(CACHE_ENTRIES, cache_bytes // 2 // (self._size + ENTRY_OVERHEAD)))
        self._cells: dict[str, bytes] = {}
        self._tokens: dict[int, _TokenFilters] = {}
        self._remembered = 0

    def filter(self, cell: str) -> bytes | faults.Kind:
        """Give the cell's filter before folding, or what is wrong with the cell."""
        known = self._cells.get(cell)
        if known is not None:
            return known
        value = self._canonical(cell)
        if isinstance(value, faults.Kind):
            return value
        cut = self._tokenise(value)
        if isinstance(cut, faults.Kind):
            return cut
        found = self._union(cut).to_bytes(self._size, "big")
        if len(self._cells) >= self._entries:
            self._cells.clear()
        self._cells[cell] = found
        return found

    def forget(self) -> None:
        """Drop every cached cell and token."""
        self._cells.clear()
        self._tokens.clear()
        self._remembered = 0

    def _canonical(self, cell: object) -> str | faults.Kind:
        if not isinstance(cell, str):
            return faults.Kind.NOT_TEXT
        text = cell.strip() if self._strip else cell
        missing = self._missing
        if missing is not None and text == missing.sentinel:
            return missing.sentinel if missing.replace_with is None else missing.replace_with
        return self._canonicalise(text)

    def _union(self, cut: list[str]) -> int:
        if not cut:
            return 0
        k, longer = self._insertions(len(cut))
        union = functools.reduce(operator.or_, map(self._token_filters(k).__getitem__, cut[longer:]), 0)
        if longer:
            union |= functools.reduce(operator.or_, map(self._token_filters(k + 1).__getitem__, cut[:longer]))
        return union

    def _token_filters(self, k: int) -> _TokenFilters:
        known = self._tokens.get(k)
        if known is None:
            known = self._tokens[k] = _TokenFilters(functools.partial(self._work_out, k=k))
        return known

    def _work_out(self, token: str, k: int) -> int:
        if self._remembered >= self._entries:
            for filters in self._tokens.values():
                filters.clear()
            self._remembered = 0
        self._remembered += 1
        return bloom.mask(self._indices((self._mark + token).encode(self._codec), k), self._size)


class _TokenFilters(dict[str, int]):
    """The filters of tokens that set the same number of bits, each worked out when first asked for.

    A dict, because a union over a value's tokens then runs without a Python call per token.
    """

    __slots__ = ("_work_out",)

    def __init__(self, work_out: Callable[[str], int]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, token: str) -> int:
        self[token] = found = self._work_out(token)
        return found


def insertions(strategy: schema.Strategy) -> Insertions:
    """Make the function that shares out the bits of a value among its tokens."""
    bits = strategy.bits
    if isinstance(strategy, schema.BitsPerToken):
        return lambda _: (bits, 0)
    return lambda count: divmod(bits, count)
