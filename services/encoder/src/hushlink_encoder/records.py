"""Records from a CSV file: streamed in batches, checked strictly, in constant memory.

A file is UTF-8, with or without byte-order mark, line ends LF or CRLF, quotes doubled inside
quoted cells. Cells come out exactly as they are written. Whatever is wrong is an
`InvalidRecords` with file, line, row and column, and never shows a cell.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import enum
import itertools
import pathlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from hushlink_encoder import byte_lines, faults, plain_records

BATCH_ROWS: Final = 8192
BATCH_BYTES: Final = 8 << 20
"""A batch ends when it reaches either."""
BLOCK_BYTES: Final = 1 << 18
"""Looked at in one go, at first; later about as much as a batch had."""
CELL_CHARACTERS: Final = 64 << 10
"""Longest cell that is accepted unless the caller says otherwise."""
SHOWN_NAMES: Final = 50
SHOWN_CHARACTERS: Final = 64
"""Column names in an error: so many, cut to this length."""


class Header(enum.StrEnum):
    """What the first line of a file is."""

    CHECK = "check"
    """Column names that must equal the schema's, in order."""
    SKIP = "skip"
    """Column names that nobody looks at."""
    NONE = "none"
    """The first record."""


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one file, column by column.

    `first_row` counts data rows from 0; `columns` has one tuple per column of the schema.
    """

    source: str
    first_row: int
    columns: tuple[tuple[str, ...], ...]

    @property
    def count(self) -> int:
        """Number of records."""
        return len(self.columns[0])

    def __repr__(self) -> str:
        return f"RecordBatch({self.source!r}, rows {self.first_row} to {self.first_row + self.count - 1})"


class CsvReader:
    """Reads one CSV file as record batches; every iteration reads it from the start.

    Args:
        source: path of the file, or a binary stream (read once, left open).
        identifiers: the schema's column names, ignored columns included.
        header: what the first line is.
        delimiter: the one character between cells.
        batch_rows: most records in a batch.
        max_cell: longest cell, in characters.
        name: what errors call the file; the path, or the stream's name, unless given.

    Iterating raises `InvalidRecords` at the first fault of the file's form; batches before it
    were already given.
    """

    def __init__(
        self,
        source: str | pathlib.Path | BinaryIO,
        identifiers: Sequence[str],
        *,
        header: Header = Header.CHECK,
        delimiter: str = ",",
        batch_rows: int = BATCH_ROWS,
        max_cell: int = CELL_CHARACTERS,
        name: str | None = None,
    ) -> None:
        if not identifiers:
            raise ValueError("a file has at least one column")
        if batch_rows < 1 or max_cell < 1:
            raise ValueError("batch_rows and max_cell are at least 1")
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise ValueError("the delimiter is one character, neither quote nor line end")
        self._source = source
        self._identifiers = tuple(identifiers)
        self._header = header
        self._delimiter = delimiter
        self._batch_rows = batch_rows
        self._max_cell = max_cell
        self.name = name or (str(source) if isinstance(source, str | pathlib.Path) else _stream_name(source))

    def __iter__(self) -> Iterator[RecordBatch]:
        with contextlib.ExitStack() as stack:
            if isinstance(self._source, str | pathlib.Path):
                stream = stack.enter_context(self._open(pathlib.Path(self._source)))
            else:
                stream = self._source
            yield from self._batches(_Table(stream, len(self._identifiers), self._delimiter, self._max_cell))

    def _open(self, path: pathlib.Path) -> BinaryIO:
        try:
            return path.open("rb")
        except OSError as fault:
            cause = fault.strerror or type(fault).__name__
        raise self._refusal(faults.RecordFault(faults.Kind.UNREADABLE, note=cause))

    def _batches(self, table: _Table) -> Iterator[RecordBatch]:
        if self._header is not Header.NONE:
            self._read_header(table)
        first_row = 0
        while True:
            columns = table.plain(self._batch_rows) or tuple(zip(*self._rows(table, first_row), strict=True))
            if not columns:
                return
            yield RecordBatch(self.name, first_row, columns)
            first_row += len(columns[0])

    def _rows(self, table: _Table, first_row: int) -> list[list[str]]:
        rows: list[list[str]] = []
        end = table.bytes_read + BATCH_BYTES
        width, longest = len(self._identifiers), self._max_cell
        for row in itertools.islice(table, self._batch_rows):
            if len(row) != width or max(map(len, row)) > longest:
                raise self._refusal(self._shape_fault(row, first_row + len(rows), table.record_line))
            rows.append(row)
            if table.bytes_read >= end:
                break
        if table.broken is not None:
            raise self._refusal(self._form_fault(table.broken, first_row + len(rows)))
        return rows

    def _shape_fault(self, row: list[str], number: int, line: int) -> faults.RecordFault:
        """Say what is wrong with a record that was read, but is not as it should be."""
        for index, cell in enumerate(row):
            if len(cell) > self._max_cell:
                note = f"the limit is {self._max_cell} characters"
                return faults.RecordFault(faults.Kind.OVERSIZE, number, self._column(index), line, note)
        if not row:
            return faults.RecordFault(faults.Kind.BLANK_LINE, number, None, line)
        note = f"{len(row)} cells, {len(self._identifiers)} expected"
        return faults.RecordFault(faults.Kind.WRONG_CELL_COUNT, number, None, line, note)

    def _form_fault(self, broken: _Broken, number: int | None) -> faults.RecordFault:
        """Say what is wrong with a record that could not be read."""
        column = None if broken.cell is None or number is None else self._column(broken.cell)
        note = f"the limit is {self._max_cell} characters" if broken.kind is faults.Kind.OVERSIZE else broken.note
        return faults.RecordFault(broken.kind, number, column, broken.line, note)

    def _column(self, index: int) -> str:
        known = index < len(self._identifiers)
        return self._identifiers[index] if known else f"number {index + 1}"

    def _read_header(self, table: _Table) -> None:
        found = next(table, None)
        if table.broken is not None:
            raise self._refusal(self._form_fault(table.broken, None))
        if found is None:
            raise self._refusal(faults.RecordFault(faults.Kind.NO_HEADER, note=_expected(self._identifiers)))
        if self._header is Header.CHECK and tuple(found) != self._identifiers:
            note = _header_note(self._identifiers, found)
            raise self._refusal(faults.RecordFault(faults.Kind.WRONG_HEADER, line=1, note=note))

    def _refusal(self, fault: faults.RecordFault) -> faults.InvalidRecords:
        return faults.InvalidRecords([fault], self.name)


@dataclass(frozen=True, slots=True)
class _Broken:
    """Why a record could not be read: the line where it begins, and the cell (from 0) if known."""

    kind: faults.Kind
    line: int
    cell: int | None = None
    note: str = ""


class _Table:
    """The records of a stream as lists of cells, until its end or until `broken` says why not.

    No line longer than a record may be is ever read whole, nor does an exception leave here:
    those of the csv and codec libraries hold the text they failed on.
    """

    def __init__(self, stream: BinaryIO, width: int, delimiter: str, max_cell: int) -> None:
        self.broken: _Broken | None = None
        self.bytes_read = 0
        self._source = byte_lines.ByteLines(stream)
        self._plain = plain_records.PlainRecords(width, delimiter, max_cell)
        self._block_bytes = min(BLOCK_BYTES, BATCH_BYTES)
        self._delimiter = delimiter
        self._max_cell = max_cell
        self._max_line = 4 * (max_cell + 3) * width
        self._line = 0
        self._pending: list[str] = []
        if csv.field_size_limit() <= max_cell:  # one setting for the whole process: only ever raised
            csv.field_size_limit(max_cell + 1)
        self._records = csv.reader(self._lines(), delimiter=delimiter, strict=True)

    @property
    def record_line(self) -> int:
        """Line, from 1, where the record that was read last begins."""
        return self._line - max(len(self._pending), 1) + 1

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def plain(self, most_rows: int) -> tuple[tuple[str, ...], ...] | None:
        """Read records as columns, where they are so plain that this needs no csv library; else None."""
        if self.broken is not None or not self._line:  # the first line may begin with a mark
            return None
        try:
            found = self._plain.read(self._source.block(self._block_bytes), most_rows)
        except OSError:
            return None  # reading on will fail again, or not
        if found is None:
            return None
        size, columns = found
        self._source.take(size)
        self._block_bytes = min(BATCH_BYTES, max(BLOCK_BYTES, size + size // 8))
        self._line += len(columns[0])
        self.bytes_read += size
        return tuple(columns)

    def __next__(self) -> list[str]:
        self._pending.clear()
        if self.broken is None:
            try:
                record = next(self._records)
            except csv.Error as error:
                if self.broken is None:
                    self.broken = self._explain(str(error))
            else:
                if self.broken is None:
                    return record
        raise StopIteration

    def _lines(self) -> Iterator[str]:
        """Give the lines as text; ends early, with `broken` set, at one that cannot be given."""
        while raw := self._read_line():
            self._line += 1
            self.bytes_read += len(raw)
            if self._line == 1:
                raw = raw.removeprefix(codecs.BOM_UTF8)
                if not raw:
                    return
            text = _decoded(raw)
            if text is None:
                self._pending.append(raw.decode("utf-8", "surrogateescape"))
                self.broken = self._undecodable(raw)
                return
            self._pending.append(text)
            if len(raw) > self._max_line:
                self.broken = _Broken(faults.Kind.OVERSIZE, self.record_line, self._longest_cell())
                return
            yield text

    def _read_line(self) -> bytes:
        try:
            return self._source.line(self._max_line + 1)
        except OSError as fault:
            cause = fault.strerror or type(fault).__name__
        self.broken = _Broken(faults.Kind.UNREADABLE, self._line + 1, note=cause)
        return b""

    def _undecodable(self, raw: bytes) -> _Broken:
        if self._line == 1 and raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return _Broken(faults.Kind.NOT_UTF8, 1, note="it seems to be UTF-16")
        if len(raw) > self._max_line:  # cut in the middle of a character, perhaps
            return _Broken(faults.Kind.OVERSIZE, self.record_line, self._longest_cell())
        lengths = _cell_lengths("".join(self._pending), self._delimiter, stop_at_escapes=True)
        return _Broken(faults.Kind.NOT_UTF8, self.record_line, len(lengths) - 1)

    def _explain(self, message: str) -> _Broken:
        """Translate what the csv library says; its texts are fixed and hold no cell."""
        cell = None
        if "field limit" in message:
            kind = faults.Kind.OVERSIZE
            cell = self._longest_cell()
        elif "new-line" in message:
            kind = faults.Kind.LONE_CARRIAGE_RETURN
        elif "unexpected end" in message:
            kind = faults.Kind.OPEN_QUOTE
        else:
            kind = faults.Kind.BAD_QUOTE
        return _Broken(kind, self.record_line, cell)

    def _longest_cell(self) -> int:
        """Find the first cell of the present record that is too long, else the longest."""
        lengths = _cell_lengths("".join(self._pending), self._delimiter)
        too_long = (index for index, length in enumerate(lengths) if length > self._max_cell)
        return next(too_long, lengths.index(max(lengths)))


def _decoded(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _cell_lengths(text: str, delimiter: str, *, stop_at_escapes: bool = False) -> list[int]:
    """Measure the cells of a record that the csv library gave up on.

    With `stop_at_escapes` the last cell measured is the one with the first undecodable byte.
    """
    lengths = [0]
    quoted = False
    for character in text:
        if stop_at_escapes and "\udc80" <= character <= "\udcff":
            break
        if character == '"':
            quoted = not quoted
        if character == delimiter and not quoted:
            lengths.append(0)
        else:
            lengths[-1] += 1
    return lengths


def _stream_name(stream: BinaryIO) -> str:
    name = getattr(stream, "name", None)
    return name if isinstance(name, str) else "the stream"


def _expected(identifiers: Sequence[str]) -> str:
    return f"expected: {_names(identifiers)}"


def _header_note(identifiers: Sequence[str], found: Sequence[str]) -> str:
    """Show both headers; not the found one when nothing in it looks like a header.

    A file without header has a person in its first line, and no error shows one.
    """
    known = {identifier.strip().casefold() for identifier in identifiers}
    if any(cell.strip().casefold() in known for cell in found):
        return f"{_expected(identifiers)}; found: {_names(found)}"
    return (
        f"{_expected(identifiers)}; found: {len(found)} cells, none of them one of these names; they are "
        "not shown because they may be a record: is the header missing?"
    )


def _names(names: Sequence[str]) -> str:
    shown = [repr(name[:SHOWN_CHARACTERS]) for name in names[:SHOWN_NAMES]]
    more = [f"and {len(names) - SHOWN_NAMES} more"] if len(names) > SHOWN_NAMES else []
    return ", ".join([*shown, *more])
