"""Reading the entries of `features`: one per input column."""

from __future__ import annotations

import enum
import re
from typing import Final

from hushlink_domain.schema import dates, limits, part, terms

IGNORED_KEYS: Final = frozenset({"identifier", "ignored", "description"})
FEATURE_KEYS: Final = IGNORED_KEYS | {"format", "hashing"}


class _FormatType(enum.StrEnum):
    STRING = "string"
    INTEGER = "integer"
    DATE = "date"
    ENUM = "enum"


class _ComparisonType(enum.StrEnum):
    NGRAM = "ngram"
    EXACT = "exact"
    NUMERIC = "numeric"


class _HashType(enum.StrEnum):
    BLAKE = "blakeHash"
    DOUBLE = "doubleHash"


def read(top: part.Part, strict: bool) -> tuple[terms.Column, ...]:
    """Read all columns in order, reporting faults to the part's list."""
    found = top.parts("features")
    if top.has("features") and not found and isinstance(top.members["features"], list):
        top.report("is empty", "describe each input column, in order", "features")
    if len(found) > limits.COLUMNS:
        top.report(f"has more than {limits.COLUMNS} entries", "use fewer columns", "features")
        return ()
    return tuple(_column(entry, strict) for entry in found)


def _column(entry: part.Part, strict: bool) -> terms.Column:
    entry.text("description", default="")
    identifier = entry.text("identifier")
    ignored = entry.truth("ignored", default=False)
    if ignored and not entry.has("format") and not entry.has("hashing"):
        entry.only(IGNORED_KEYS, "an ignored column has only identifier, ignored and description")
        return terms.IgnoredColumn(identifier)
    if strict:
        entry.only(FEATURE_KEYS)
    if not entry.require("format", "hashing"):
        return terms.IgnoredColumn(identifier)
    form = _format(entry.part("format"))
    hashing = entry.part("hashing")
    hashing.only({"comparison", "strategy", "hash", "missingValue"})
    feature = terms.Feature(
        identifier=identifier,
        format=form,
        comparison=_comparison(hashing.part("comparison"), strict),
        strategy=_strategy(hashing.part("strategy")),
        hash=_hash(hashing, strict),
        missing_value=_missing_value(hashing, strict),
    )
    _check_missing_value(feature, hashing)
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


def _comparison(comparison: part.Part, strict: bool) -> terms.Comparison:
    match comparison.choice("type", _ComparisonType):
        case _ComparisonType.NGRAM:
            allowed = {"type", "n", "positional"}
            found: terms.Comparison = terms.NgramComparison(
                comparison.integer("n", 1, limits.NGRAM), comparison.truth("positional", False)
            )
        case _ComparisonType.EXACT:
            allowed = {"type"}
            found = terms.ExactComparison()
        case _ComparisonType.NUMERIC:
            allowed = {"type", "thresholdDistance", "resolution", "fractional_precision"}
            found = _numeric(comparison)
    if strict:
        comparison.only(allowed | {"description"})
    return found


def _numeric(comparison: part.Part) -> terms.NumericComparison:
    threshold = comparison.number("thresholdDistance")
    places = comparison.integer("fractional_precision", 0, limits.DECIMAL_PLACES, default=0)
    numeric = terms.NumericComparison(threshold, comparison.integer("resolution", 1, limits.RESOLUTION), places)
    try:
        step = numeric.step
    except OverflowError:
        comparison.report("is too large", "choose a smaller distance", "thresholdDistance")
        return numeric
    if step == 0:
        comparison.report(
            f"rounds to 0 at {places} decimal places",
            "raise fractional_precision or thresholdDistance",
            "thresholdDistance",
        )
    return numeric


def _strategy(strategy: part.Part) -> terms.Strategy:
    strategy.only({"bitsPerToken", "bitsPerFeature"})
    both = strategy.has("bitsPerToken") and strategy.has("bitsPerFeature")
    if both or not (strategy.has("bitsPerToken") or strategy.has("bitsPerFeature")):
        strategy.report("must say how many bits are set", "give bitsPerToken or bitsPerFeature")
    if strategy.has("bitsPerFeature"):
        return terms.BitsPerFeature(strategy.integer("bitsPerFeature", 1, limits.INSERTIONS))
    return terms.BitsPerToken(strategy.integer("bitsPerToken", 1, limits.INSERTIONS, default=1))


def _hash(hashing: part.Part, strict: bool) -> terms.Hash:
    if not hashing.has("hash"):
        return terms.BlakeHash()
    chosen = hashing.part("hash")
    chosen.only({"type", "prevent_singularity"})
    match chosen.choice("type", _HashType):
        case _HashType.BLAKE:
            if chosen.has("prevent_singularity"):
                chosen.report("belongs to doubleHash", "remove it", "prevent_singularity")
            return terms.BlakeHash()
        case _HashType.DOUBLE:
            return terms.DoubleHash(chosen.truth("prevent_singularity", strict))


def _missing_value(hashing: part.Part, strict: bool) -> terms.MissingValue | None:
    if not hashing.has("missingValue"):
        return None
    missing = hashing.part("missingValue")
    if strict:
        missing.only({"sentinel", "replaceWith", "description"})
    return terms.MissingValue(
        missing.text("sentinel"),
        missing.text("replaceWith") if missing.has("replaceWith") else None,
    )


def _check_missing_value(feature: terms.Feature, hashing: part.Part) -> None:
    """Check what stands in for a missing value: it is tokenised without further checks."""
    missing = feature.missing_value
    if missing is None:
        return
    key = "sentinel" if missing.replace_with is None else "replaceWith"
    text = missing.sentinel if missing.replace_with is None else missing.replace_with
    try:
        text.encode(feature.encoding.value)
    except UnicodeEncodeError:
        hashing.part("missingValue").report(
            f"cannot be written in {feature.encoding.value}", "use other characters", key
        )
