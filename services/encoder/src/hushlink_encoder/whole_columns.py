"""Cells checked and canonicalised a whole column at a time, where all of them are as they mostly are.

A reader gives None when it can't tell: then the cells are looked at one by one, by `canonical`, whose rules these are.
Nothing here decides that a cell is faulty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy import typing as npt

from hushlink_domain import schema
from hushlink_encoder import texts

Reader: TypeAlias = Callable[[Sequence[str]], "texts.Texts | None"]
"""Cells that are no sentinel, at least one -> their canonical texts, None when one of them needs a closer look."""

INTEGER_DIGITS: Final = 18
DAYS: Final = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.uint8)
DATE_PARTS: Final = re.compile(r"%([Ymd])([-/.:,_]*)%([Ymd])([-/.:,_]*)%([Ymd])")
PART_DIGITS: Final = {"Y": 4, "m": 2, "d": 2}


def reader(feature: schema.Feature) -> Reader | None:
    """Make the reader for the columns of a feature; None where cells have to be looked at one by one."""
    match feature.format:
        case schema.StringFormat():
            return _strings(feature.format)
        case schema.IntegerFormat():
            return _integers(feature.format)
        case schema.DateFormat():
            return _dates(feature.format.template)
        case _:
            return None


def _strings(form: schema.StringFormat) -> Reader:
    ascii_only = form.encoding is schema.TextEncoding.ASCII
    fold = {schema.Case.UPPER: str.upper, schema.Case.LOWER: str.lower}.get(form.case)
    shortest = form.min_length
    longest = form.max_length if form.max_length is not None else 1 << 32

    def read(cells: Sequence[str]) -> texts.Texts | None:
        text = "".join(cells)
        if not text.isascii() and (ascii_only or fold):  # letters may change with their neighbours
            return None
        lengths = texts.lengths_of(cells)
        if lengths.min() < shortest or lengths.max() > longest or (fold and fold(text) != text):
            return None
        return texts.Texts(text.encode(texts.CODE_POINTS), lengths)

    return read


def _integers(form: schema.IntegerFormat) -> Reader:
    """Plain digits without leading zeros are their own canonical form."""
    least, most = form.minimum, form.maximum

    def read(cells: Sequence[str]) -> texts.Texts | None:
        text = "".join(cells)
        lengths = texts.lengths_of(cells)
        if not (text.isascii() and text.isdigit()) or lengths.min() < 1 or lengths.max() > INTEGER_DIGITS:
            return None
        points = text.encode(texts.CODE_POINTS)
        starts = np.cumsum(lengths, dtype=np.intp) - lengths
        if ((np.frombuffer(points, np.uint32)[starts] == ord("0")) & (lengths > 1)).any():
            return None
        if least is not None or most is not None:
            numbers = np.fromiter(map(int, cells), np.int64, len(cells))
            if (least is not None and int(numbers.min()) < least) or (most is not None and int(numbers.max()) > most):
                return None
        return texts.Texts(points, lengths)

    return read


def _dates(template: str) -> Reader | None:
    """Dates of year, month and day in full digits, with punctuation or nothing between them."""
    found = DATE_PARTS.fullmatch(template)
    if found is None or {found[1], found[3], found[5]} != PART_DIGITS.keys():
        return None
    places: dict[str, list[int]] = {}
    literals: dict[int, str] = {}
    size = 0
    for part, separator in ((found[1], found[2]), (found[3], found[4]), (found[5], "")):
        places[part] = list(range(size, size + PART_DIGITS[part]))
        size += PART_DIGITS[part]
        literals |= {size + index: character for index, character in enumerate(separator)}
        size += len(separator)
    order = np.array(places["Y"] + places["m"] + places["d"])
    between = np.array(list(literals), dtype=np.intp)
    expected = np.array([ord(character) for character in literals.values()], dtype=np.uint8)

    def read(cells: Sequence[str]) -> texts.Texts | None:
        if set(map(len, cells)) != {size}:
            return None
        text = "".join(cells)
        if not text.isascii():
            return None
        characters = np.frombuffer(text.encode(), np.uint8).reshape(len(cells), size)
        written = characters[:, order]
        if (characters[:, between] != expected).any() or not _are_dates(written - np.uint8(ord("0"))):
            return None
        return texts.Texts(written.astype(np.uint32).tobytes(), np.full(len(cells), 8, dtype=np.uint32))

    return read


def _are_dates(digits: npt.NDArray[np.uint8]) -> bool:
    """Are they eight digits each, a date from the year 1000 on? (Years before that have a form of their own.)"""
    if (digits > 9).any():  # unsigned: what comes before the digits is large
        return False
    year = digits[:, :4] @ np.array([1000, 100, 10, 1], dtype=np.uint16)
    month = digits[:, 4] * 10 + digits[:, 5]
    day = digits[:, 6] * 10 + digits[:, 7]
    if year.min() < 1000 or month.min() < 1 or month.max() > 12 or day.min() < 1:
        return False
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return bool((day <= DAYS[month] - ((month == 2) & ~leap)).all())
