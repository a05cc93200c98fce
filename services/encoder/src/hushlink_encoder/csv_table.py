"""The records of a CSV file as lists of cells, and why one could not be read."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from hushlink_encoder import csv_blocks, faults

TABLE_MAGICS: Final = {b"PAR1": "a Parquet file", b"ARROW1": "an Arrow file"}
"""What other files of records begin with."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Why a record could not be read: the line where it begins, and the cell (from 0) if known."""

    kind: faults.Kind
    line: int
    cell: int | None = None
    note: str = ""


class Table:
    """The records of a stream as lists of cells, until its end or until `broken` says why not.

    No line longer than a record may be is ever read whole, nor does an exception leave here:
    those of the csv and codec libraries hold the text they failed on. A byte that is no UTF-8
    stays in its cell as a lone surrogate, and `undecodable` says so.
    """

    def __init__(self, stream: BinaryIO, width: int, dialect: csv_blocks.Dialect, max_cell: int) -> None:
        self.broken: Broken | None = None
        self.undecodable = False
        """Whether the record that was read last holds a byte that is no UTF-8."""
        self._source = csv_blocks.Source(stream)
        self._block = csv_blocks.NO_BLOCK
        self._taken = 0
        self._bytes_read = 0
        self._dialect = dialect
        self._max_cell = max_cell
        self._max_line = 4 * (max_cell + 3) * width
        self._line = 0
        self._pending: list[str] = []
        if csv.field_size_limit() <= max_cell:  # one setting for the whole process: only ever raised
            csv.field_size_limit(max_cell + 1)
        self._records = dialect.reader(self._lines())

    @property
    def bytes_read(self) -> int:
        """Bytes of the stream up to the end of the record that was given last."""
        left = 1 - self._taken / self._block.count if self._block.count else 0.0
        return self._bytes_read - round(left * self._block.size_bytes)

    def take(self, width: int, most: int, most_bytes: int) -> list[Sequence[str]]:
        """The next records as columns, as many as are known to be sound, but not more than asked for.

        What one record at a time takes is checked of many at once here, which is several times faster. Where something
        about them has to be looked at closely there are none, and the next record is that of ``next``.

        Args:
            width: cells of a sound record.
            most: records that are wanted.
            most_bytes: bytes that they may have, roughly; there is always one.
        """
        if self._taken == self._block.count and not self._take_block(width):
            return []
        share = max(1, most_bytes * self._block.count // self._block.size_bytes)
        start, self._taken = self._taken, min(self._block.count, self._taken + min(most, share))
        return [column[start : self._taken] for column in self._block.columns]

    def _take_block(self, width: int) -> bool:
        """Read the records of a block of lines, if all of them are sound."""
        self._block, self._taken = csv_blocks.NO_BLOCK, 0
        if not self._line or self.broken is not None:  # the first line may tell what the file is
            return False
        content = self._source.block(self._max_line)
        block = csv_blocks.sound(content, width, self._dialect, self._max_cell) if content else csv_blocks.NO_BLOCK
        if not block.count:
            return False
        self._block = block
        self._line += block.lines
        self._bytes_read += block.size_bytes
        self._source.skip_block()
        return True

    @property
    def record_line(self) -> int:
        """Line, from 1, where the record that was read last begins."""
        return self._line - max(len(self._pending), 1) + 1

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        self._pending.clear()
        self.undecodable = False
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
            self._bytes_read += len(raw)
            if self._line == 1:
                self.broken = _no_text(raw)
                raw = raw.removeprefix(codecs.BOM_UTF8)
                if not raw or self.broken is not None:
                    return
            text = self._decoded(raw)
            self._pending.append(text)
            if len(raw) > self._max_line:
                self.broken = Broken(faults.Kind.OVERSIZE, self.record_line, self._longest_cell())
                return
            yield text

    def _read_line(self) -> bytes:
        try:
            return self._source.line(self._max_line + 1)
        except OSError as fault:
            cause = fault.strerror or type(fault).__name__
        self.broken = Broken(faults.Kind.UNREADABLE, self._line + 1, note=cause)
        return b""

    def _decoded(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self.undecodable = True
        return raw.decode("utf-8", "surrogateescape")

    def _explain(self, message: str) -> Broken:
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
        return Broken(kind, self.record_line, cell)

    def _longest_cell(self) -> int:
        """Find the first cell of the present record that is too long, else the longest."""
        lengths = _cell_lengths("".join(self._pending), self._dialect)
        too_long = (index for index, length in enumerate(lengths) if length > self._max_cell)
        return next(too_long, lengths.index(max(lengths)))


def is_undecodable(cell: str) -> bool:
    """Tell whether a cell of an undecodable record holds the byte at fault."""
    return any("\udc80" <= character <= "\udcff" for character in cell)


def _no_text(start: bytes) -> Broken | None:
    """Say what a file is that is none of text in UTF-8, None if its first line does not tell."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Broken(faults.Kind.NOT_UTF8, 1, note="it seems to be UTF-16")
    for magic, what in TABLE_MAGICS.items():
        if start.startswith(magic) and start[len(magic) : len(magic) + 1] < b" " and start.strip() != magic:
            return Broken(faults.Kind.NOT_CSV, 1, note=f"it seems to be {what}: name its form")
    return None


def _cell_lengths(text: str, dialect: csv_blocks.Dialect) -> list[int]:
    """Measure the cells of a record that the csv library gave up on."""
    lengths = [0]
    quoted = False
    for character in text:
        if character == dialect.quote:
            quoted = not quoted
        if character == dialect.delimiter and not quoted:
            lengths.append(0)
        else:
            lengths[-1] += 1
    return lengths
