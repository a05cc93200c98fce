"""Column names of a file beside those of the schema: which column is where, and how a mismatch is told."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final

from hushlink_encoder import faults

SHOWN_NAMES: Final = 50
SHOWN_CHARACTERS: Final = 64
"""Column names in an error: so many, cut to this length."""
OTHER_DELIMITERS: Final = {";": "';'", "\t": "a tab", "|": "'|'", ",": "','"}


class Header(enum.StrEnum):
    """What the first line of a file is."""

    CHECK = "check"
    """Column names that must equal the schema's, in order."""
    MATCH = "match"
    """Column names that must include the schema's, in any order; other columns are read over."""
    SKIP = "skip"
    """Column names that nobody looks at."""
    NONE = "none"
    """The first record."""


def mismatch(header: Header, identifiers: Sequence[str], found: Sequence[str]) -> faults.RecordFault | None:
    """Say what is wrong with the first line of a file; None if nothing is."""
    if header is Header.CHECK and tuple(found) != tuple(identifiers):
        return faults.RecordFault(faults.Kind.WRONG_HEADER, line=1, note=note(identifiers, found))
    if header is Header.MATCH:
        return misnamed(identifiers, found, line=1)
    return None


def misnamed(identifiers: Sequence[str], found: Sequence[str], line: int | None = None) -> faults.RecordFault | None:
    """Say which of the schema's columns are not among those found, or are there twice; None if all are there once."""
    wrong = [identifier for identifier in dict.fromkeys(identifiers) if found.count(identifier) != 1]
    if not wrong:
        return None
    return faults.RecordFault(faults.Kind.MISSING_COLUMNS, line=line, note=note(identifiers, found, wrong))


def note(identifiers: Sequence[str], found: Sequence[str], wrong: Sequence[str] = ()) -> str:
    """Show both headers; not the found one when nothing in it looks like a header.

    A file without header has a person in its first line, and no error shows one.

    Args:
        identifiers: the schema's column names.
        found: the file's.
        wrong: which of the schema's are not there once.
    """
    known = {identifier.strip().casefold() for identifier in identifiers}
    if any(cell.strip().casefold() in known for cell in found):
        twice = [name for name in wrong if name in found]
        more = f"; more than once: {names(twice)}" if twice else ""
        return f"{expected(identifiers)}; found: {names(found)}{more}"
    for delimiter, shown in OTHER_DELIMITERS.items():
        if any(
            cell.strip(' "').casefold() in known for line in found for cell in line.split(delimiter) if len(found) == 1
        ):
            return f"{expected(identifiers)}; found: one column: is the delimiter {shown}?"
    return (
        f"{expected(identifiers)}; found: {len(found)} cells, none of them one of these names; they are "
        "not shown because they may be a record: is the header missing?"
    )


def expected(identifiers: Sequence[str]) -> str:
    """The schema's column names, as errors show them."""
    return f"expected: {names(identifiers)}"


def names(shown: Sequence[str]) -> str:
    """Column names, as errors show them."""
    cut = [repr(name[:SHOWN_CHARACTERS]) for name in shown[:SHOWN_NAMES]]
    more = [f"and {len(shown) - SHOWN_NAMES} more"] if len(shown) > SHOWN_NAMES else []
    return ", ".join([*cut, *more])
