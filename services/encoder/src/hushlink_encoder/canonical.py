"""From a raw cell to the one spelling of its value, or to the kind of fault it has.

A fault is returned, not raised: no exception, and so no traceback, carries the value along.
Checks come in a fixed order: encodable, then what the column's format asks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from hushlink_domain import schema
from hushlink_domain.schema import dates
from hushlink_encoder import faults

Canonicaliser: TypeAlias = Callable[[str], "str | faults.Kind"]


def canonicaliser(feature: schema.Feature, mode: schema.Mode) -> Canonicaliser:
    """Make the function that checks and canonicalises the cells of one column."""
    after = _by_format(feature.format, mode)
    encoding = feature.encoding.value

    def canonicalise(cell: str) -> str | faults.Kind:
        try:
            cell.encode(encoding)
        except UnicodeEncodeError:
            return faults.Kind.NOT_ENCODABLE
        return after(cell)

    return canonicalise


def _by_format(form: schema.Format, mode: schema.Mode) -> Canonicaliser:
    match form:
        case schema.StringFormat():
            return _string(form)
        case schema.PatternFormat():
            return _pattern(form)
        case schema.IntegerFormat():
            return _integer(form)
        case schema.DateFormat():
            return _date(form, four_digit_years=mode is schema.Mode.STRICT)
        case schema.EnumFormat():
            return _enum(form)


def _string(form: schema.StringFormat) -> Canonicaliser:
    folded: dict[schema.Case, Callable[[str], str]] = {
        schema.Case.UPPER: str.upper,
        schema.Case.LOWER: str.lower,
    }
    fold = folded.get(form.case)
    shortest, longest = form.min_length, form.max_length

    def check(cell: str) -> str | faults.Kind:
        if len(cell) < shortest:
            return faults.Kind.TOO_SHORT
        if longest is not None and len(cell) > longest:
            return faults.Kind.TOO_LONG
        if fold is not None and fold(cell) != cell:
            return faults.Kind.CASE
        return cell

    return check


def _pattern(form: schema.PatternFormat) -> Canonicaliser:
    pattern = re.compile(form.pattern)
    return lambda cell: cell if pattern.fullmatch(cell) else faults.Kind.PATTERN


def _integer(form: schema.IntegerFormat) -> Canonicaliser:
    def canonicalise(cell: str) -> str | faults.Kind:
        try:
            value = int(cell, 10)
        except ValueError:
            return faults.Kind.NOT_INTEGER
        if form.minimum is not None and value < form.minimum:
            return faults.Kind.BELOW_MINIMUM
        if form.maximum is not None and value > form.maximum:
            return faults.Kind.ABOVE_MAXIMUM
        return str(value)

    return canonicalise


def _date(form: schema.DateFormat, *, four_digit_years: bool) -> Canonicaliser:
    template = dates.Template(form.template)
    width = 4 if four_digit_years else 0

    def canonicalise(cell: str) -> str | faults.Kind:
        date = template.read(cell)
        if date is None:
            return faults.Kind.NOT_DATE
        return f"{date.year:0{width}}{date.month:02}{date.day:02}"

    return canonicalise


def _enum(form: schema.EnumFormat) -> Canonicaliser:
    values = frozenset(form.values)
    return lambda cell: cell if cell in values else faults.Kind.NOT_MEMBER
