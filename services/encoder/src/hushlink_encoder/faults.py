"""What can be wrong with records: the kind of fault and its place, never the value."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hushlink_domain import errors

COLLECTED_FAULTS: Final = 100
"""Faults that one error lists; finding stops soon after."""


class Kind(enum.Enum):
    """What is wrong; the value is the sentence shown to people."""

    NOT_TEXT = "is not text: give every cell as a string"
    NOT_ENCODABLE = "has a character that the column's encoding cannot write"
    PATTERN = "does not match the column's pattern"
    TOO_SHORT = "is shorter than the column's minLength"
    TOO_LONG = "is longer than the column's maxLength"
    CASE = "is not in the column's letter case"
    NOT_INTEGER = "is not a whole number"
    BELOW_MINIMUM = "is below the column's minimum"
    ABOVE_MAXIMUM = "is above the column's maximum"
    NOT_DATE = "is not a date in the column's format"
    NOT_MEMBER = "is not one of the column's values"
    NOT_NUMBER = "is not a finite number, as the column's comparison needs"
    TOO_SHORT_FOR_BLOCKING = "is too short for a position that the blocking configuration counts from the end"
    WRONG_CELL_COUNT = "has the wrong number of cells"
    BLANK_LINE = "is a blank line: remove it"
    OVERSIZE = "is larger than a cell may be"
    NOT_UTF8 = "holds a byte that is not UTF-8: save the file as UTF-8"
    LONE_CARRIAGE_RETURN = "holds a carriage return without line feed: convert the line ends"
    BAD_QUOTE = "has text after a closing quote: double the quotes inside a cell"
    OPEN_QUOTE = "has a quote that is never closed"
    WRONG_HEADER = "does not name the columns of the schema, in order"
    NO_HEADER = "is empty: a header with the columns of the schema is expected"
    MISSING_COLUMNS = "lacks columns of the schema"
    COLUMN_TYPE = "has a type that can be written as text in several ways"
    NOT_CSV = "is no CSV file"
    NOT_TABLE = "is not in the form it is read as, or is damaged"
    UNREADABLE = "cannot be read"


@dataclass(frozen=True, slots=True)
class RecordFault:
    """One fault and its place.

    `row` counts data rows from 0 over the whole input and is None for a header or a whole file;
    `column` is the schema's identifier of the cell, None for a whole row; `line` is the line of
    the file, from 1, where the record begins. `note` adds counts or column names.
    """

    kind: Kind
    row: int | None = None
    column: str | None = None
    line: int | None = None
    note: str = ""

    def __str__(self) -> str:
        place = []
        if self.line is not None:
            place.append(f"line {self.line}")
        if self.row is not None:
            place.append(f"data row {self.row} (from 0)")
        if self.column is not None:
            place.append(f"column {self.column!r}")
        text = f"{', '.join(place)} {self.kind.value}".lstrip()
        return f"{text} ({self.note})" if self.note else text


class InvalidRecords(errors.CallerError):
    """Records cannot be encoded; nothing of the batch was.

    `faults` holds up to `COLLECTED_FAULTS` of them, by row and column; `source` names the file,
    None when the records did not come from one.
    """

    def __init__(self, faults: Sequence[RecordFault], source: str | None = None) -> None:
        self.faults = tuple(faults[:COLLECTED_FAULTS])
        self.source = source
        what = source or "the records"
        lines = [str(fault) for fault in self.faults]
        message = f"{what}: {lines[0]}" if len(lines) == 1 else "\n  ".join([f"{what}:", *lines])
        if len(faults) >= COLLECTED_FAULTS:
            message += "\n  and perhaps more"
        first = self.faults[0]
        super().__init__(
            errors.Reason.RECORDS_INVALID,
            message,
            count=len(self.faults),
            kind=first.kind.name,
            **{
                name: fact
                for name, fact in (("row", first.row), ("column", first.column), ("line", first.line))
                if fact is not None
            },
        )
