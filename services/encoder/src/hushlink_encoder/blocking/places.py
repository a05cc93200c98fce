"""Places in a cell that a signature takes characters from."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,9})\s*")


@dataclass(frozen=True, slots=True)
class Place:
    """One character, or a stretch of them; negative numbers count from the end.

    One character: `start` is its number and `stop` is None with `single`. A stretch: from `start` (None = the
    beginning) to before `stop` (None = the end).
    """

    start: int | None
    stop: int | None
    single: bool = False

    def of(self, cell: str) -> str:
        """The characters of a cell that is not empty; beyond its end the last one stands in.

        Raises:
            IndexError: a number that counts from the end goes beyond the beginning.
        """
        last = len(cell) - 1
        if self.single:
            return cell[min(self.start or 0, last)]
        start = self.start
        if start is not None:
            start = min(start, last if self.stop is not None else last + 1)
        return cell[start : None if self.stop is None else min(self.stop, last + 1)]


def parse(value: object) -> Place:
    """Read a position: a whole number, its text, or a stretch such as "2:5", ":5" or "2:".

    Raises:
        ValueError: it is none; the message says why.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ValueError("is below 0; a number from the end is written as text")
        return Place(value, None, single=True)
    if not isinstance(value, str):
        raise ValueError("is neither a number nor text")
    if ":" not in value:
        return Place(_number(value), None, single=True)
    head, _, tail = value.partition(":")
    start, stop = (_number(end) if end else None for end in (head, tail))
    if start is None and stop is None:
        raise ValueError("has neither beginning nor end")
    if start is not None and stop is not None and start >= stop:
        raise ValueError("ends before it begins")
    return Place(start, stop)


def _number(text: str) -> int:
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise ValueError("is no position")
    return int(found[1])
