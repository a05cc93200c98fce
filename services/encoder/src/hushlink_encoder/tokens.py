"""The tokens of numbers: what two numbers share decides how similar they are.

The windows over text are cut by the kernel; numbers may have more digits than it counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hushlink_domain import schema
from hushlink_encoder import faults

Tokeniser: TypeAlias = Callable[[str], "tuple[str, ...] | faults.Kind"]


def numeric(comparison: schema.NumericComparison) -> Tokeniser:
    """Make the function that gives the tokens of the numbers of one column; the empty text has none."""
    step = comparison.step
    reach = range(-comparison.resolution, comparison.resolution + 1)

    def cut(value: str) -> tuple[str, ...] | faults.Kind:
        if not value:
            return ()
        scaled = _scaled(value, comparison.fractional_precision)
        if scaled is None:
            return faults.Kind.NOT_NUMBER
        centre = _nearest_multiple(scaled * 2 * comparison.resolution, step)
        try:
            return tuple([str(centre + offset * step) for offset in reach])
        except ValueError:  # more digits than Python prints
            return faults.Kind.NOT_NUMBER

    return cut


def _scaled(value: str, places: int) -> int | None:
    """Give the number times 10^places as a whole number, None if it is no finite number."""
    scale: int = 10**places
    try:
        return int(value, 10) * scale
    except ValueError:
        pass  # not a whole number, perhaps one with a fraction
    try:
        number = float(value)
        return round(number * scale) if places else int(number)
    except (ValueError, OverflowError):
        return None


def _nearest_multiple(value: int, step: int) -> int:
    """Round to a multiple of `step`, halves upwards."""
    rest = value % step
    return value - rest if 2 * rest < step else value + step - rest
