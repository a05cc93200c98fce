"""From the cells of a column to texts for the kernel: all at once where they allow it, else one by one.

What single cells became is remembered, in bounded memory, as long as the job.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, TypeVar

import numpy as np

from hushlink_domain import schema
from hushlink_encoder import canonical, faults, texts, tokens, whole_columns

CELL_ENTRIES: Final = 1 << 16
"""Most cells that a column remembers; more would seldom be asked for again."""
CELL_BYTES: Final = 256
"""Bytes of key, value and table slot of one remembered cell, roughly."""
CELL_CHARACTERS: Final = 64
"""Longer cells are not remembered."""

Outcome = TypeVar("Outcome")
Tokens: TypeAlias = "tuple[str, ...]"


class Cells:
    """Reads the cells of one feature; `memory_bytes` bounds what it remembers, roughly."""

    def __init__(self, feature: schema.Feature, agreed: schema.LinkageSchema, memory_bytes: int) -> None:
        self._strip = agreed.strip_cells
        self._sentinel = None if feature.missing_value is None else feature.missing_value.sentinel
        self._replacement = _replacement(feature.missing_value)
        self._canonicalise = canonical.canonicaliser(feature, agreed.mode)
        self._values: _Remembered[str] | None = None
        self._numbers: _Remembered[Tokens] | None = None
        self._whole: whole_columns.Reader | None = None
        if isinstance(feature.comparison, schema.NumericComparison):
            cut = tokens.numeric(feature.comparison)
            size = CELL_BYTES * (2 * feature.comparison.resolution + 1)
            self._numbers = _Remembered(lambda cell: _after(self._canonical(cell), cut), memory_bytes // size)
        else:
            self._values = _Remembered(self._canonical, memory_bytes // CELL_BYTES)
            self._whole = whole_columns.reader(feature)

    def read(self, cells: Sequence[str]) -> list[texts.Texts] | None:
        """Give the texts of all cells; None when one of them is faulty: `fault` says which."""
        try:
            read = self._read_whole(cells, self._whole) if self._whole is not None and cells else None
            return read or [self._read_singly(cells)]
        except (TypeError, UnicodeEncodeError):  # a kind of fault instead of a text, or an unhashable cell
            return None

    def fault(self, cell: object) -> faults.Kind | None:
        """Say what is wrong with a cell, None if nothing is."""
        if not isinstance(cell, str):
            return faults.Kind.NOT_TEXT
        outcome = self._numbers[cell] if self._numbers is not None else self._canonical(cell)
        return outcome if isinstance(outcome, faults.Kind) else None

    def forget(self) -> None:
        """Drop every remembered cell."""
        for remembered in (self._values, self._numbers):
            if remembered is not None:
                remembered.clear()

    def _read_whole(self, cells: Sequence[str], whole: whole_columns.Reader) -> list[texts.Texts] | None:
        if self._strip:
            cells = list(map(str.strip, cells))
        if self._sentinel is None or self._sentinel not in cells:
            read = whole(cells)
            return None if read is None else [read]
        missing = np.fromiter((cell == self._sentinel for cell in cells), np.bool_, len(cells))
        rows = np.flatnonzero(missing).astype(np.uint32)
        found = [texts.of_values([self._replacement] * len(rows), rows)]
        if len(rows) < len(cells):
            read = whole(list(itertools.compress(cells, ~missing)))
            if read is None:
                return None
            found.append(read.of_rows(np.flatnonzero(~missing).astype(np.uint32)))
        return found

    def _read_singly(self, cells: Sequence[str]) -> texts.Texts:
        # What is a kind of fault cannot be joined: that is the check.
        if self._numbers is not None:
            return texts.of_tokens(list(map(self._numbers.__getitem__, cells)))  # type: ignore[arg-type]
        assert self._values is not None  # noqa: S101 - one of the two
        return texts.of_values(list(map(self._values.__getitem__, cells)))  # type: ignore[arg-type]

    def _canonical(self, cell: str) -> str | faults.Kind:
        text = cell.strip() if self._strip else cell
        return self._replacement if text == self._sentinel else self._canonicalise(text)


class _Remembered(dict[str, "Outcome | faults.Kind"]):
    """What cells became, each worked out when first asked for.

    A dict, because a column then runs through it without a Python call per cell.
    """

    __slots__ = ("_most", "_work_out")

    def __init__(self, work_out: Callable[[str], Outcome | faults.Kind], most: int) -> None:
        super().__init__()
        self._work_out = work_out
        self._most = max(1, min(CELL_ENTRIES, most))

    def __missing__(self, cell: object) -> Outcome | faults.Kind:
        if not isinstance(cell, str):
            return faults.Kind.NOT_TEXT
        found = self._work_out(cell)
        if len(cell) <= CELL_CHARACTERS:
            if len(self) >= self._most:
                self.clear()
            self[cell] = found
        return found


def _after(value: str | faults.Kind, cut: tokens.Tokeniser) -> Tokens | faults.Kind:
    return value if isinstance(value, faults.Kind) else cut(value)


def _replacement(missing: schema.MissingValue | None) -> str:
    """Give what stands in the place of a missing value; the schema is refused if the encoding can't write it."""
    if missing is None:
        return ""
    return missing.sentinel if missing.replace_with is None else missing.replace_with
