"""Blocks of lines of a CSV file, read at once where that gives for certain what reading record by record would."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

BLOCK_BYTES: Final = 256 << 10
"""Lines are looked at together, this many bytes at a time."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are written.

    Raises:
        ValueError: a character is none, or two are the same.
    """

    delimiter: str = ","
    """The one character between cells."""
    quote: str | None = '"'
    """The character around cells that hold delimiters, quotes or line ends; None = there is none."""
    escape: str | None = None
    """The character before a quote or delimiter that belongs to the cell; None = quotes are doubled instead."""

    def __post_init__(self) -> None:
        given = {"delimiter": self.delimiter, "quote": self.quote, "escape": self.escape}
        special = {name: character for name, character in given.items() if character is not None}
        for name, character in special.items():
            if len(character) != 1 or character in "\r\n\0":
                raise ValueError(f"the {name} is one character, and no line end")
        if len(set(special.values())) < len(special):
            raise ValueError("delimiter, quote and escape are different characters")

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """The records of some lines."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            escapechar=self.escape,
            doublequote=self.escape is None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            strict=True,
        )


@dataclass(frozen=True, slots=True)
class Block:
    """Sound records, by column."""

    columns: Sequence[Sequence[str]]
    count: int
    """Of records."""
    lines: int
    size_bytes: int


NO_BLOCK: Final = Block((), 0, 0, 0)


def sound(content: bytes, width: int, dialect: Dialect, max_cell: int) -> Block:
    """The records of whole lines, none if one of them has to be looked at by itself.

    Args:
        content: the lines, at least one byte; the first is the first of a record.
        width: cells of a record.
        dialect: how cells are written.
        max_cell: longest cell, in characters.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return NO_BLOCK
    if any(special is not None and special in text for special in (dialect.quote, dialect.escape)):
        columns, lines = _quoted(text, width, dialect, max_cell)
    else:
        columns, lines = _plain(text, width, dialect.delimiter, max_cell)
    return Block(columns, len(columns[0]), lines, len(content)) if columns else NO_BLOCK


def _plain(text: str, width: int, delimiter: str, max_cell: int) -> tuple[Sequence[Sequence[str]], int]:
    """The columns of lines without quotes, none if something is wrong with them, and the number of lines."""
    if "\r" in text:
        if text.count("\r") != text.count("\r\n"):
            return (), 0
        text = text.replace("\r\n", "\n")
    text = text.removesuffix("\n")
    lines = text.split("\n")
    if {line.count(delimiter) for line in lines} != {width - 1} or (width == 1 and "" in lines):  # a blank line is none
        return (), 0
    # No row by itself: many small lists cost more in garbage collection than in being made.
    cells = text.replace("\n", delimiter).split(delimiter)
    if max(map(len, lines)) > max_cell and max(map(len, cells)) > max_cell:
        return (), 0
    return [cells[column::width] for column in range(width)], len(lines)


def _quoted(text: str, width: int, dialect: Dialect, max_cell: int) -> tuple[Sequence[Sequence[str]], int]:
    """The columns of lines with quotes, none if something is wrong with them, and the number of lines."""
    lines = _Counted(io.StringIO(text, newline="\n"))
    try:
        records = list(dialect.reader(lines))
    except csv.Error:
        return (), 0
    if set(map(len, records)) != {width} or max(map(len, itertools.chain.from_iterable(records))) > max_cell:
        return (), 0
    return list(zip(*records, strict=True)), lines.count


class _Counted:
    """Lines, and how many were given."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.count = 0
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.count += 1
            yield line


class Source:
    """The bytes of a stream, line by line or in blocks of whole lines."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._held = b""
        self._place = 0
        self._tried = False

    def line(self, most: int) -> bytes:
        """The next line, or as much of it; nothing at the end.

        Raises:
            OSError: it can't be read.
        """
        end = self._held.find(b"\n", self._place, self._place + most) + 1
        if end:
            line = self._held[self._place : end]
        else:
            line = self._held[self._place : self._place + most]
            if len(line) < most and not line.endswith(b"\n"):
                line += self._stream.readline(most - len(line))
        self._place = min(len(self._held), self._place + len(line))
        return line

    def block(self, most: int) -> bytes:
        """The lines up to the end of what is held, or of the next block if that is nothing; nothing at the end.

        A block that was given and not skipped is not given again: whoever looked at it goes on line by line.

        Args:
            most: bytes of the longest line.
        """
        if self._place == len(self._held):
            try:
                self._held = self._stream.read(BLOCK_BYTES)
                if self._held and not self._held.endswith(b"\n"):
                    self._held += self._stream.readline(most + 1)
            except OSError:  # reading a line meets it again, and says so
                return b""
            self._place = 0
            self._tried = False
        if self._tried:
            return b""
        self._tried = True
        return self._held[self._place :] if self._place else self._held

    def skip_block(self) -> None:
        """Go on after the block that was given."""
        self._place = len(self._held)
