"""Records from a CSV file: streamed in batches, checked strictly, in constant memory.

A file is UTF-8, with or without byte-order mark, line ends LF or CRLF, quotes doubled inside
quoted cells unless the dialect says otherwise. Cells come out exactly as they are written.
Whatever is wrong is an `InvalidRecords` with file, line, row and column, and never shows a cell.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from hushlink_encoder import csv_blocks, csv_table, faults, headers

BATCH_ROWS: Final = 8192
BATCH_BYTES: Final = 8 << 20
"""A batch ends when it reaches either."""
CELL_CHARACTERS: Final = 64 << 10
"""Longest cell that is accepted unless the caller says otherwise."""
OTHER_COLUMNS: Final = 64
"""A line may be as long as this many columns, beside the schema's, make it, where other columns are read over."""


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one file, column by column.

    `first_row` counts data rows from 0; `columns` has one tuple per column of the schema, which may be
    empty for a column that the schema ignores.
    """

    source: str
    first_row: int
    columns: tuple[tuple[str, ...], ...]
    faults: tuple[faults.RecordFault, ...] = ()
    """What is wrong with rows that could not be read; their cells are empty. Only where the reader keeps going."""
    fraction: float | None = None
    """How much of the file was read, from 0 to 1; None where its size is unknown."""

    @property
    def count(self) -> int:
        """Number of records."""
        return max(map(len, self.columns))

    def __repr__(self) -> str:
        return f"RecordBatch({self.source!r}, rows {self.first_row} to {self.first_row + self.count - 1})"


class CsvReader:
    """Reads one CSV file as record batches; every iteration reads it from the start.

    Args:
        source: path of the file, or a binary stream (read once, left open).
        identifiers: the schema's column names, ignored columns included.
        header: what the first line is.
        dialect: how cells are written.
        batch_rows: most records in a batch.
        max_cell: longest cell, in characters.
        name: what errors call the file; the path, or the stream's name, unless given.
        keep_going: whether a row that is at fault alone (its number of cells, a cell's size, a byte that is no
            UTF-8) is told with its batch. Where a fault leaves open where the next row begins (quotes, line ends,
            endless lines), reading ends in any case.

    Iterating raises `InvalidRecords` at the first fault of the file's form that is not told with its batch;
    batches before it were already given.
    """

    def __init__(
        self,
        source: str | pathlib.Path | BinaryIO,
        identifiers: Sequence[str],
        *,
        header: headers.Header = headers.Header.CHECK,
        dialect: csv_blocks.Dialect | None = None,
        batch_rows: int = BATCH_ROWS,
        max_cell: int = CELL_CHARACTERS,
        name: str | None = None,
        keep_going: bool = False,
    ) -> None:
        if not identifiers:
            raise ValueError("a file has at least one column")
        if batch_rows < 1 or max_cell < 1:
            raise ValueError("batch_rows and max_cell are at least 1")
        self._source = source
        self._identifiers = tuple(identifiers)
        self._header = header
        self._dialect = dialect or csv_blocks.Dialect()
        self._batch_rows = batch_rows
        self._max_cell = max_cell
        self._keep_going = keep_going
        self.name = name or (str(source) if isinstance(source, str | pathlib.Path) else _stream_name(source))

    def __iter__(self) -> Iterator[RecordBatch]:
        with contextlib.ExitStack() as stack:
            if isinstance(self._source, str | pathlib.Path):
                stream = stack.enter_context(self._open(pathlib.Path(self._source)))
            else:
                stream = self._source
            others = OTHER_COLUMNS if self._header is headers.Header.MATCH else 0
            table = csv_table.Table(stream, len(self._identifiers) + others, self._dialect, self._max_cell)
            yield from self._batches(table, _size(stream))

    def _open(self, path: pathlib.Path) -> BinaryIO:
        try:
            return path.open("rb")
        except OSError as fault:
            cause = fault.strerror or type(fault).__name__
        raise self._refusal(faults.RecordFault(faults.Kind.UNREADABLE, note=cause))

    def _batches(self, table: csv_table.Table, size: int | None) -> Iterator[RecordBatch]:
        names = self._identifiers if self._header is headers.Header.NONE else self._names(table)
        places = [names.index(identifier) for identifier in self._identifiers] if names != self._identifiers else None
        first_row = 0
        while True:
            cells, found = self._cells(table, first_row, names)
            count = len(cells[0])
            if count:
                columns = tuple(map(tuple, cells if places is None else (cells[place] for place in places)))
                fraction = min(1.0, table.bytes_read / size) if size else None
                yield RecordBatch(self.name, first_row, columns, tuple(found), fraction)
            first_row += count
            if table.broken is not None:
                raise self._refusal(self._form_fault(table.broken, first_row, names))
            if not count:
                return

    def _cells(
        self, table: csv_table.Table, first_row: int, names: Sequence[str]
    ) -> tuple[list[list[str]], list[faults.RecordFault]]:
        """The next rows by column, and what is wrong with some of them."""
        columns: list[list[str]] = [[] for _ in names]
        found: list[faults.RecordFault] = []
        end = table.bytes_read + BATCH_BYTES
        width, longest = len(names), self._max_cell
        while (count := len(columns[0])) < self._batch_rows and table.bytes_read < end:
            if sound := table.take(width, self._batch_rows - count, end - table.bytes_read):
                for column, cells in zip(columns, sound, strict=True):
                    column.extend(cells)
                continue
            if (row := next(table, None)) is None:
                break
            if len(row) != width or table.undecodable or max(map(len, row)) > longest:
                found.append(self._row_fault(row, first_row + count, table, names))
                if not self._keep_going:
                    raise self._refusal(found[0])
                row = [""] * width
            for column, cell in zip(columns, row, strict=True):
                column.append(cell)
        return columns, found

    def _row_fault(
        self, row: list[str], number: int, table: csv_table.Table, names: Sequence[str]
    ) -> faults.RecordFault:
        """Say what is wrong with a record that was read, but is not as it should be."""
        line = table.record_line
        for index, cell in enumerate(row):
            if table.undecodable and csv_table.is_undecodable(cell):
                return faults.RecordFault(faults.Kind.NOT_UTF8, number, _column(names, index), line)
            if len(cell) > self._max_cell:
                return faults.RecordFault(faults.Kind.OVERSIZE, number, _column(names, index), line, self._limit())
        if not row:
            return faults.RecordFault(faults.Kind.BLANK_LINE, number, None, line)
        note = f"{len(row)} cells, {len(names)} expected"
        return faults.RecordFault(faults.Kind.WRONG_CELL_COUNT, number, None, line, note)

    def _form_fault(self, broken: csv_table.Broken, number: int | None, names: Sequence[str]) -> faults.RecordFault:
        """Say what is wrong with a record that could not be read."""
        column = None if broken.cell is None or number is None else _column(names, broken.cell)
        note = self._limit() if broken.kind is faults.Kind.OVERSIZE else broken.note
        return faults.RecordFault(broken.kind, number, column, broken.line, note)

    def _limit(self) -> str:
        return f"the limit is {self._max_cell} characters"

    def _names(self, table: csv_table.Table) -> tuple[str, ...]:
        """What the cells of a row are called, by the file's first line or else by the schema."""
        found = next(table, None)
        if table.broken is not None:
            raise self._refusal(self._form_fault(table.broken, None, ()))
        if found is None:
            note = headers.expected(self._identifiers)
            raise self._refusal(faults.RecordFault(faults.Kind.NO_HEADER, note=note))
        if table.undecodable:
            raise self._refusal(faults.RecordFault(faults.Kind.NOT_UTF8, line=1))
        if fault := headers.mismatch(self._header, self._identifiers, found):
            raise self._refusal(fault)
        return tuple(found) if self._header is headers.Header.MATCH else self._identifiers

    def _refusal(self, fault: faults.RecordFault) -> faults.InvalidRecords:
        return faults.InvalidRecords([fault], self.name)


def _column(names: Sequence[str], index: int) -> str:
    return names[index] if index < len(names) else f"number {index + 1}"


def _size(stream: BinaryIO) -> int | None:
    """Bytes of a stream that is a regular file, None of any other."""
    try:
        found = os.fstat(stream.fileno())
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _stream_name(stream: BinaryIO) -> str:
    name = getattr(stream, "name", None)
    return name if isinstance(name, str) else "the stream"
