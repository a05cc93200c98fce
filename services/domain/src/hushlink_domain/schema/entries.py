"""Reading the entries of `features`: one per input column."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Final, TypeAlias

from hushlink_domain.schema import dates, hashing, limits, part, terms

IGNORED_KEYS: Final = frozenset({"identifier", "ignored", "description"})
FEATURE_KEYS: Final = IGNORED_KEYS | {"format", "hashing"}


class _FormatType(enum.StrEnum):
    STRING = "string"
    INTEGER = "integer"
    DATE = "date"
    ENUM = "enum"


HashingReader: TypeAlias = Callable[[part.Part, bool], hashing.Hashing | None]
"""(entry, strict) -> what its `hashing` says, None when the feature turns out to be ignored."""


def read(top: part.Part, strict: bool, read_hashing: HashingReader, *, older: bool) -> tuple[terms.Column, ...]:
    """Read all columns in order, reporting faults to the part's list.

    `older` schemas, of versions 1 and 2, cannot ignore a column that they fully describe.
    """
    found = top.parts("features")
    if top.has("features") and not found and isinstance(top.members["features"], list):
        top.report("is empty", "describe each input column, in order", "features")
    if len(found) > limits.COLUMNS:
        top.report(f"has more than {limits.COLUMNS} entries", "use fewer columns", "features")
        return ()
    return tuple(_column(entry, strict, read_hashing, older) for entry in found)


def _column(entry: part.Part, strict: bool, read_hashing: HashingReader, older: bool) -> terms.Column:
    entry.text("description", default="")
    identifier = entry.text("identifier")
    ignored = entry.truth("ignored", default=False)
    if ignored and (older or not (entry.has("format") or entry.has("hashing"))):
        entry.only(IGNORED_KEYS, "an ignored column has only identifier, ignored and description")
        return terms.IgnoredColumn(identifier)
    if strict:
        entry.only(FEATURE_KEYS)
    if not entry.require("format", "hashing"):
        return terms.IgnoredColumn(identifier)
    form = _format(entry.part("format"))
    found = read_hashing(entry, strict)
    if found is None:
        return terms.IgnoredColumn(identifier)
    feature = terms.Feature(identifier, form, found.comparison, found.strategy, found.hash, found.missing_value)
    _check_missing_value(feature, entry)
    return terms.IgnoredColumn(identifier) if ignored else feature


def _format(form: part.Part) -> terms.Format:
    form.text("description", default="")
    match form.choice("type", _FormatType):
        case _FormatType.STRING:
            return _pattern(form) if form.has("pattern") else _string(form)
        case _FormatType.INTEGER:
            return _integer(form)
        case _FormatType.DATE:
            return _date(form)
        case _FormatType.ENUM:
            form.only({"type", "description", "values"})
            return terms.EnumFormat(form.texts("values"))


def _string(form: part.Part) -> terms.StringFormat:
    form.only({"type", "description", "encoding", "case", "minLength", "maxLength", "pattern"})
    shortest = form.integer("minLength", 0, limits.LENGTH, default=0)
    longest = None
    if form.has("maxLength"):
        longest = form.integer("maxLength", 1, limits.LENGTH)
        if longest < shortest:
            form.report("is below minLength", "exchange or correct the two", "maxLength")
    return terms.StringFormat(
        encoding=form.choice("encoding", terms.TextEncoding, default=terms.TextEncoding.UTF_8),
        case=form.choice("case", terms.Case, default=terms.Case.MIXED),
        min_length=shortest,
        max_length=longest,
    )


def _pattern(form: part.Part) -> terms.PatternFormat:
    form.only(
        {"type", "description", "encoding", "pattern"},
        "with a pattern, only encoding may be given: say length and case in the pattern",
    )
    pattern = form.text("pattern")
    if len(pattern) > limits.PATTERN_CHARACTERS:
        form.report("is too long", f"use at most {limits.PATTERN_CHARACTERS} characters", "pattern")
    else:
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError, ValueError):
            form.report("is not a regular expression of Python's re", "correct it", "pattern")
    return terms.PatternFormat(pattern, form.choice("encoding", terms.TextEncoding, default=terms.TextEncoding.UTF_8))


def _integer(form: part.Part) -> terms.IntegerFormat:
    form.only({"type", "description", "minimum", "maximum"})
    minimum = maximum = None
    if form.has("minimum"):
        minimum = form.integer("minimum", -limits.INTEGER, limits.INTEGER)
    if form.has("maximum"):
        maximum = form.integer("maximum", -limits.INTEGER, limits.INTEGER)
    if minimum is not None and maximum is not None and maximum < minimum:
        form.report("is below minimum", "exchange or correct the two", "maximum")
    return terms.IntegerFormat(minimum, maximum)


def _date(form: part.Part) -> terms.DateFormat:
    form.only({"type", "description", "format"})
    template = form.text("format")
    usable = len(template) <= limits.PATTERN_CHARACTERS and dates.Template(template).is_usable()
    if form.has("format") and not usable:
        form.report(
            "is not a template that strptime can read a date with",
            "write one such as %Y-%m-%d; each directive once",
            "format",
        )
    return terms.DateFormat(template)


def _check_missing_value(feature: terms.Feature, entry: part.Part) -> None:
    """Check what stands in for a missing value: it is tokenised without further checks."""
    missing = feature.missing_value
    if missing is None:
        return
    key = "sentinel" if missing.replace_with is None else "replaceWith"
    text = missing.sentinel if missing.replace_with is None else missing.replace_with
    try:
        text.encode(feature.encoding.value)
    except UnicodeEncodeError:
        problem = f"cannot be written in {feature.encoding.value}"
        entry.part("hashing").part("missingValue").report(problem, "use other characters", key)
