"""What was at fault with records: counted for people, and listed in a file; places and kinds, never a value."""

from __future__ import annotations

import collections
import contextlib
import csv
import io
import pathlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Protocol

from hushlink_client import encodings_file

HEADER = ("file", "line", "row", "column", "kind", "problem")


class Kind(Protocol):
    """A kind of fault, as the encoder knows it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def value(self) -> str:
        """The sentence about it."""


class Fault(Protocol):
    """One fault, as the encoder tells it."""

    @property
    def kind(self) -> Kind:
        """What is wrong."""

    @property
    def row(self) -> int | None:
        """The data row, from 0."""

    @property
    def column(self) -> str | None:
        """The column, by the schema's name."""

    @property
    def line(self) -> int | None:
        """The line of a CSV file, from 1."""

    @property
    def note(self) -> str:
        """Counts or column names."""


class Report:
    """The faults of one or more files of records. Its size does not grow with their number."""

    def __init__(self, stream: BinaryIO | None = None) -> None:
        """Lists them on ``stream`` if it is given."""
        self.row_count = 0
        """How many records were at fault."""
        self._counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self._stream = stream
        if stream is not None:
            self._list([HEADER])

    def add(self, source: str, faults: Sequence[Fault]) -> None:
        """Note faults of a file; those of one row together."""
        self.row_count += len({fault.row for fault in faults if fault.row is not None})
        self._counts.update((fault.column or "", fault.kind.value) for fault in faults)
        if self._stream is not None:
            self._list([_cells(source, fault) for fault in faults])

    def lines(self) -> list[str]:
        """How many faults of which kind in which column, the most frequent first."""
        return [
            f"{count:,} x {f'column {column!r} ' if column else 'the record '}{problem}"
            for (column, problem), count in self._counts.most_common()
        ]

    def _list(self, lines: Sequence[Sequence[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(lines)
        if self._stream is not None:
            self._stream.write(text.getvalue().encode("utf-8", "replace"))


@contextlib.contextmanager
def reporting(path: pathlib.Path | None) -> Iterator[Report]:
    """A report that is listed in a CSV file, which is there afterwards whether the block ends well or not.

    Raises:
        errors.InputError: the file can't be written.
    """
    if path is None:
        yield Report()
        return
    failure: BaseException | None = None
    with encodings_file.replacing(path) as stream:
        try:
            yield Report(stream)
        except BaseException as error:
            failure = error
    if failure is not None:
        raise failure


def _cells(source: str, fault: Fault) -> Sequence[object]:
    """A fault as a line, with the columns of `HEADER`."""
    problem = f"{fault.kind.value} ({fault.note})" if fault.note else fault.kind.value
    place = ["" if number is None else number for number in (fault.line, fault.row)]
    return (source, *place, fault.column or "", fault.kind.name.lower(), problem)
