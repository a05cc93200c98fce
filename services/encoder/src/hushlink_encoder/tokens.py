"""From a canonical value to its tokens: what two values share decides how similar they are.

Windows are counted in Unicode code points. The empty value has no tokens. Duplicates are kept,
in order, because the order decides who gets the odd bits of `bitsPerFeature`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hushlink_domain import schema
from hushlink_encoder import faults

Tokeniser: TypeAlias = Callable[[str], "list[str] | faults.Kind"]


def tokeniser(comparison: schema.Comparison) -> Tokeniser:
    """Make the function that cuts the values of one column into tokens."""
    match comparison:
        case schema.NgramComparison():
            return _positional(comparison.n) if comparison.positional else _ngrams(comparison.n)
        case schema.ExactComparison():
            return lambda value: [value] if value else []
        case schema.NumericComparison():
            return _numeric(comparison)


def _ngrams(n: int) -> Tokeniser:
    padding = " " * (n - 1)

    def cut(value: str) -> list[str]:
        if not value:
            return []
        padded = f"{padding}{value}{padding}"
        return [padded[start : start + n] for start in range(len(padded) - n + 1)]

    return cut


def _positional(n: int) -> Tokeniser:
    plain = _ngrams(n)

    def cut(value: str) -> list[str] | faults.Kind:
        windows = plain(value)
        if isinstance(windows, faults.Kind):
            return windows
        return [f"{place} {window}" for place, window in enumerate(windows, start=1)]

    return cut


def _numeric(comparison: schema.NumericComparison) -> Tokeniser:
    step = comparison.step
    reach = range(-comparison.resolution, comparison.resolution + 1)

    def cut(value: str) -> list[str] | faults.Kind:
        if not value:
            return []
        scaled = _scaled(value, comparison.fractional_precision)
        if scaled is None:
            return faults.Kind.NOT_NUMBER
        centre = _nearest_multiple(scaled * 2 * comparison.resolution, step)
        try:
            return [str(centre + offset * step) for offset in reach]
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
