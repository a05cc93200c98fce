"""Reading the `hashing` of versions 1 and 2 of clkhash's linkage schema.

Both are read into the same terms as version 3, so a schema and its conversion are equal and have
the same fingerprint. Faults are named at their place in the document as it was written.
"""

from __future__ import annotations

import math

from hushlink_domain.schema import entries, hashing, limits, part, terms


def version_2(entry: part.Part, strict: bool) -> hashing.Hashing | None:
    """Read one entry's `hashing`: an n-gram comparison, and k or numBits as strategy."""
    place = entry.part("hashing")
    place.only({"ngram", "positional", "strategy", "hash", "missingValue"})
    return hashing.Hashing(
        comparison=hashing.ngram(place, "ngram"),
        strategy=_strategy(place.part("strategy")),
        hash=hashing.hash_function(place, strict) if place.has("hash") else terms.BlakeHash(),
        missing_value=hashing.missing_value(place, strict),
    )


def _strategy(strategy: part.Part) -> terms.Strategy:
    strategy.only({"k", "numBits"})
    if strategy.has("k") == strategy.has("numBits"):
        strategy.report("must say how many bits are set", "give either k or numBits")
    if strategy.has("numBits"):
        return terms.BitsPerFeature(strategy.integer("numBits", 1, limits.INSERTIONS))
    return terms.BitsPerToken(strategy.integer("k", 1, limits.INSERTIONS, default=1))


def version_1(clk: part.Part, strict: bool) -> entries.HashingReader:
    """Read what version 1 says of all features in `clkConfig`, and make the reader of each one's rest."""
    k = clk.integer("k", 1, limits.INSERTIONS)
    chosen = hashing.hash_function(clk, strict)

    def read(entry: part.Part, strict: bool) -> hashing.Hashing | None:
        place = entry.part("hashing")
        place.only({"ngram", "positional", "weight", "missingValue"})
        bits = _weighted(place, k)
        missing = hashing.missing_value(place, strict)
        if bits == 0:
            place.integer("ngram", 0, limits.NGRAM)
            place.truth("positional", False)
            return None
        return hashing.Hashing(hashing.ngram(place, "ngram"), terms.BitsPerToken(bits), chosen, missing)

    return read


def _weighted(place: part.Part, k: int) -> int:
    """Give the bits per token of a feature, rounded half to even; 0 exactly when its weight is 0."""
    weight = place.members.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        place.report(f"must be a number, is {part.kind(weight)}", "write a number from 0", "weight")
        return 1
    if not math.isfinite(weight) or not 0 <= weight <= limits.INSERTIONS:
        place.report(f"must be a number from 0 to {limits.INSERTIONS}", "write a number from 0", "weight")
        return 1
    bits = round(weight * k)
    if bits == 0 and weight > 0:
        place.report("times k rounds to 0 bits per token", "raise it, or ignore the column with weight 0", "weight")
        return 1
    if bits > limits.INSERTIONS:
        place.report(f"times k is above {limits.INSERTIONS} bits per token", "lower it", "weight")
        return 1
    return bits
