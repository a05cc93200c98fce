"""Reading the `hashing` of a feature in version 3: how its values become bits."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from hushlink_domain.schema import limits, part, terms


@dataclass(frozen=True, slots=True)
class Hashing:
    """What a feature's `hashing` says."""

    comparison: terms.Comparison
    strategy: terms.Strategy
    hash: terms.Hash
    missing_value: terms.MissingValue | None


class _ComparisonType(enum.StrEnum):
    NGRAM = "ngram"
    EXACT = "exact"
    NUMERIC = "numeric"


class _HashType(enum.StrEnum):
    BLAKE = "blakeHash"
    DOUBLE = "doubleHash"


def read(entry: part.Part, strict: bool) -> Hashing | None:
    """Read the `hashing` of one entry of `features`."""
    hashing = entry.part("hashing")
    hashing.only({"comparison", "strategy", "hash", "missingValue"})
    return Hashing(
        comparison=_comparison(hashing.part("comparison"), strict),
        strategy=_strategy(hashing.part("strategy")),
        hash=hash_function(hashing, strict) if hashing.has("hash") else terms.BlakeHash(),
        missing_value=missing_value(hashing, strict),
    )


def ngram(place: part.Part, key: str) -> terms.NgramComparison:
    """Read an n-gram comparison whose size is the member `key`, beside `positional`."""
    return terms.NgramComparison(place.integer(key, 1, limits.NGRAM), place.truth("positional", False))


def _comparison(comparison: part.Part, strict: bool) -> terms.Comparison:
    match comparison.choice("type", _ComparisonType):
        case _ComparisonType.NGRAM:
            allowed = {"type", "n", "positional"}
            found: terms.Comparison = ngram(comparison, "n")
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
    resolution = comparison.integer("resolution", 1, limits.RESOLUTION)
    numeric = terms.NumericComparison(threshold, resolution, places)
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
    exact = terms.NumericComparison(part.whole(threshold) or threshold, resolution, places)
    # 8.0 is read as 8, unless float arithmetic makes another step of it.
    return exact if exact.step == step else numeric


def _strategy(strategy: part.Part) -> terms.Strategy:
    strategy.only({"bitsPerToken", "bitsPerFeature"})
    both = strategy.has("bitsPerToken") and strategy.has("bitsPerFeature")
    if both or not (strategy.has("bitsPerToken") or strategy.has("bitsPerFeature")):
        strategy.report("must say how many bits are set", "give bitsPerToken or bitsPerFeature")
    if strategy.has("bitsPerFeature"):
        return terms.BitsPerFeature(strategy.integer("bitsPerFeature", 1, limits.INSERTIONS))
    return terms.BitsPerToken(strategy.integer("bitsPerToken", 1, limits.INSERTIONS, default=1))


def hash_function(place: part.Part, strict: bool) -> terms.Hash:
    """Read the member `hash`."""
    chosen = place.part("hash")
    chosen.only({"type", "prevent_singularity"})
    match chosen.choice("type", _HashType):
        case _HashType.BLAKE:
            if chosen.has("prevent_singularity"):
                chosen.report("belongs to doubleHash", "remove it", "prevent_singularity")
            return terms.BlakeHash()
        case _HashType.DOUBLE:
            return terms.DoubleHash(chosen.truth("prevent_singularity", strict))


def missing_value(hashing: part.Part, strict: bool) -> terms.MissingValue | None:
    """Read the member `missingValue`, None when there is none."""
    if not hashing.has("missingValue"):
        return None
    missing = hashing.part("missingValue")
    if strict:
        missing.only({"sentinel", "replaceWith", "description"})
    return terms.MissingValue(
        missing.text("sentinel"),
        missing.text("replaceWith") if missing.has("replaceWith") else None,
    )
