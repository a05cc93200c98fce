"""p-sig: a record is in the block of each of its signatures."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy import typing as npt

from hushlink_domain import errors
from hushlink_encoder import faults
from hushlink_encoder.blocking import block_keys, blocks, configuration, grouping, places, positions

PartText: TypeAlias = str | None
"""A part of a signature; None = it has none, and the others stand alone."""

_TOO_SHORT = -1
_SHORT = object()
"""Stands for the part of a cell that is too short for it."""


class PSigBlocker:
    """Collects cells as numbers, and makes blocks of them at the end.

    Memory grows with the number of rows by eight bytes for each column that is looked at, and with the different cells.
    """

    def __init__(self, agreed: configuration.Configuration, names: block_keys.KeyedNames | None) -> None:
        if not isinstance(agreed.method, configuration.PSig):
            raise TypeError("the configuration is not of p-sig")
        self._agreed = agreed
        self._method = agreed.method
        self._names = names
        self._row_count = 0
        used = {part.column for strategy in self._method.strategies for part in strategy}
        self._cells = {column: grouping.Numbers() for column in sorted(used)}
        self._codes: dict[int, list[npt.NDArray[np.int64]]] = {column: [] for column in self._cells}
        self._sounds = _sounds(self._method)

    def add(self, columns: Sequence[Sequence[str]]) -> None:
        """Take the next records, column by column.

        Raises:
            ValueError: the columns differ in length.
        """
        count = grouping.checked_equal([columns[column] for column in self._cells])
        for column, numbers in self._cells.items():
            self._codes[column].append(numbers.of(columns[column]))
        self._row_count += count

    def finish(self) -> blocks.Blocks:
        """The blocks of all records.

        Raises:
            hushlink_encoder.InvalidRecords: a cell is too short for a position that counts from the end.
            hushlink_domain.errors.CallerError: no block is left.
        """
        columns = {
            column: np.concatenate(codes) if codes else np.zeros(0, np.int64) for column, codes in self._codes.items()
        }
        signatures: list[str] = []
        found: list[tuple[blocks.Rows, blocks.Rows]] = []
        for number, strategy in enumerate(self._method.strategies):
            groups, texts = self._strategy(number, strategy, columns)
            signatures += texts
            found.append((blocks.gathered(groups.rows, groups.starts, groups.sizes), groups.sizes))
        if not signatures:
            raise errors.CallerError(
                errors.Reason.RECORDS_INVALID,
                "the blocking configuration leaves no block: widen its filter, or choose other signatures",
            )
        rows, sizes = (np.concatenate(each) for each in zip(*found, strict=True))
        if self._names is not None:
            return self._blocks(self._names.of_signatures(signatures), rows, sizes)
        return self._merged(signatures, rows, sizes)

    def _merged(self, signatures: list[str], rows: blocks.Rows, sizes: blocks.Rows) -> blocks.Blocks:
        """Compat blocks: signatures with the same key are one."""
        keys = positions.PositionKeys(self._method.bits, self._method.hashes)
        numbers = grouping.Numbers()
        block = numbers.of(list(keys.of(signatures)))
        if len(numbers) < len(signatures):
            order = np.argsort(block, kind="stable")
            rows = blocks.gathered(rows, blocks.offsets_of(sizes)[:-1][order], sizes[order])
            sizes = np.bincount(block, weights=sizes).astype(np.int64)
        return self._blocks([str(key) for key in numbers], rows, sizes)

    def _blocks(self, keys: list[str], rows: blocks.Rows, sizes: blocks.Rows) -> blocks.Blocks:
        return blocks.Blocks.made(self._agreed, self._row_count, keys, sizes, rows)

    def _strategy(
        self, number: int, strategy: tuple[configuration.Part, ...], columns: dict[int, npt.NDArray[np.int64]]
    ) -> tuple[grouping.Groups, list[str]]:
        """The blocks that one strategy makes and the filter keeps, in the order of their first rows, and signatures."""
        present = np.ones(self._row_count, bool)
        sentinel = self._method.sentinel
        for part in strategy:
            if sentinel is not None and sentinel in self._cells[part.column]:
                present &= columns[part.column] != self._cells[part.column][sentinel]
        rows = np.flatnonzero(present)
        parts = [self._part(part, columns[part.column][rows], rows) for part in strategy]
        groups = grouping.grouped(grouping.combined((codes, len(texts)) for codes, texts in parts), rows)
        at = np.searchsorted(rows, groups.first_rows)
        if any(_ambiguous(texts, len(parts)) for _, texts in parts):  # two ways to one signature
            numbers = grouping.Numbers()
            one_of = numbers.of(list(_signatures(number, parts, at)))
            codes = np.empty(len(rows), np.uint64)
            codes[np.searchsorted(rows, blocks.gathered(groups.rows, groups.starts, groups.sizes))] = np.repeat(
                one_of.astype(np.uint64), groups.sizes
            )
            groups = grouping.grouped(codes, rows)
        groups = groups.taken(self._kept(groups.sizes))
        groups = groups.taken(np.argsort(groups.first_rows))
        at = np.searchsorted(rows, groups.first_rows)
        return groups, list(_signatures(number, parts, at))

    def _kept(self, sizes: blocks.Rows) -> npt.NDArray[np.bool_]:
        bounds = self._method.sizes
        scale = self._row_count if bounds.relative else 1
        kept: npt.NDArray[np.bool_] = (sizes <= scale * bounds.most) & (sizes >= scale * bounds.least)
        return kept

    def _part(
        self, part: configuration.Part, codes: npt.NDArray[np.int64], rows: blocks.Rows
    ) -> tuple[npt.NDArray[np.int64], list[PartText]]:
        """A part of each row's signature, as a number, and the texts that the numbers stand for."""
        cells = [str(cell) for cell in self._cells[part.column]]
        if isinstance(part, configuration.Whole):
            return codes, list(cells)
        seen = np.zeros(len(cells), bool)  # cells of rows without a signature need none
        seen[codes] = True
        used = np.flatnonzero(seen)
        make = self._sounds if isinstance(part, configuration.Sound) else places.together(part.places)
        made = _made(make, [cells[code] for code in used.tolist()], empty=isinstance(part, configuration.Sound))
        numbers = grouping.Numbers()
        of_cell = np.full(len(cells), _TOO_SHORT)
        of_cell[used] = np.where([each is _SHORT for each in made], _TOO_SHORT, numbers.of(made))
        found = of_cell[codes]
        if _SHORT in numbers:
            short = rows[np.flatnonzero(found == _TOO_SHORT)[: faults.COLLECTED_FAULTS]]
            name = self._agreed.identifiers[part.column]
            raise faults.InvalidRecords(
                [faults.RecordFault(faults.Kind.TOO_SHORT_FOR_BLOCKING, int(row), name) for row in short]
            )
        return found, [None if text is None else str(text) for text in numbers]


def _signatures(
    number: int, parts: list[tuple[npt.NDArray[np.int64], list[PartText]]], at: blocks.Rows
) -> Iterator[str]:
    """The signatures of the rows at some places."""
    columns: list[list[Any]] = [[texts[code] for code in codes[at].tolist()] for codes, texts in parts]
    head = f"{number}_"
    if any(None in texts for texts in columns):
        columns = [["" if text is None else f"_{text}" for text in texts] for texts in columns]
        return (head + "".join(texts)[1:] for texts in zip(*columns, strict=True))
    return map(head.__add__, map("_".join, zip(*columns, strict=True)))


def _ambiguous(texts: list[PartText], parts: int) -> bool:
    """Whether different parts may make one signature: one is left out, or holds what stands between them."""
    return any(text is None or (parts > 1 and "_" in text) for text in texts)


def _made(make: Callable[[str], str], cells: list[str], *, empty: bool) -> list[Hashable]:
    """The part of each cell: None for an empty one, unless there are parts of those, `_SHORT` for one too short."""
    try:
        return [make(cell) if cell or empty else None for cell in cells]
    except IndexError:
        return [_made_one(make, cell) if cell or empty else None for cell in cells]


def _made_one(make: Callable[[str], str], cell: str) -> Hashable:
    try:
        return make(cell)
    except IndexError:
        return _SHORT


def _sounds(method: configuration.PSig) -> Callable[[str], str]:
    """Double Metaphone: both codes, one behind the other.

    Raises:
        hushlink_domain.errors.CallerError: it is needed and not installed.
    """
    if not any(isinstance(part, configuration.Sound) for part in itertools.chain(*method.strategies)):
        return lambda _: ""
    try:
        double_metaphone = importlib.import_module("metaphone").doublemetaphone
    except ImportError:
        raise errors.CallerError(
            errors.Reason.SCHEMA_INVALID,
            "blocking by sound needs the package metaphone: install hushlink-encoder[phonetic]",
        ) from None
    return lambda cell: "".join(double_metaphone(cell))
