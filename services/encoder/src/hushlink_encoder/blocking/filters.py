"""Unkeyed filters of the bigrams of texts, as lambda-fold samples them; they never leave this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy import typing as npt

from hushlink_encoder.blocking import positions

_STEP_BYTES = 8 << 20
"""Filters of single bigrams put together at a time."""
_KNOWN_BYTES = 64 << 20
"""Filters of single bigrams that are remembered."""


class BigramFilters:
    """Makes filters, and remembers those of bigrams it has seen."""

    def __init__(self, bits: int, hashes: int) -> None:
        self._bits = bits
        self._hashes = hashes
        self._words = -(-bits // 64)
        self._known: dict[int, int] = {}
        self._table = np.zeros((256, self._words), np.uint64)

    def of(self, texts: Sequence[str]) -> Iterator[npt.NDArray[np.uint8]]:
        """Packed filters of the texts, batch after batch."""
        most = max(1, _STEP_BYTES // (8 * self._words))
        ends = np.cumsum([len(text) for text in texts])
        start = 0
        while start < len(texts):
            before = int(ends[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, before + most, "right")))
            yield self._made(texts[start:stop])
            start = stop

    def _made(self, texts: Sequence[str]) -> npt.NDArray[np.uint8]:
        made = np.zeros((len(texts), self._words), np.uint64)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        filled = np.flatnonzero(lengths > 1)
        if len(filled):
            characters = np.frombuffer("".join(texts).encode("utf-32-le"), "<u4").astype(np.uint64)
            pairs = (characters[:-1] << np.uint64(32)) | characters[1:]
            within = np.ones(len(characters), bool)
            ends = np.cumsum(lengths)
            within[ends[lengths > 0] - 1] = False  # no bigram reaches from one text into the next
            distinct, which = np.unique(pairs[within[:-1]], return_inverse=True)
            masks = self._table_of(distinct)[which]
            counts = lengths[filled] - 1
            made[filled] = np.bitwise_or.reduceat(masks, np.cumsum(counts) - counts, axis=0)
        return made.view(np.uint8)[:, : -(-self._bits // 8)]

    def _table_of(self, pairs: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """The filter of each bigram."""
        if len(self._known) + len(pairs) > _KNOWN_BYTES // (8 * self._words):
            self._known.clear()
        places = [self._place(pair) for pair in pairs.tolist()]
        return self._table[places]

    def _place(self, pair: int) -> int:
        place = self._known.get(pair)
        if place is None:
            place = self._known[pair] = len(self._known)
            if place == len(self._table):
                self._table = np.concatenate([self._table, np.zeros_like(self._table)])
            bigram = chr(pair >> 32) + chr(pair & 0xFFFFFFFF)
            ones = np.zeros(64 * self._words, np.uint8)
            ones[positions.of(bigram, self._bits, self._hashes)] = 1
            self._table[place] = np.packbits(ones).view(np.uint64)
        return place
