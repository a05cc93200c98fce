"""Places in a cell that a signature takes characters from."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
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

    def taker(self) -> Callable[[str], str]:
        """What takes the characters out of a cell that is not empty; beyond its end the last one stands in.

        It raises IndexError where a number that counts from the end goes beyond the beginning.
        """
        start, stop = self.start, self.stop
        if self.single:
            return lambda cell: cell[min(start or 0, len(cell) - 1)]
        if start is None or stop is None or start < 0:
            return operator.itemgetter(slice(start, stop))
        return lambda cell: cell[min(start, len(cell) - 1) : stop]


def together(places: Sequence[Place]) -> Callable[[str], str]:
    """What takes the characters at all of these places, one behind the other."""
    takers = [place.taker() for place in places]
    if len(takers) == 1:
        return takers[0]
    return lambda cell: "".join([taker(cell) for taker in takers])


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
