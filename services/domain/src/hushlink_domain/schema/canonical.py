"""The one canonical JSON form of a linkage schema, under its fingerprint.

The form is a schema of version 3 that clkhash also accepts: defaults filled in, descriptions and
unknown keys left out, keys sorted, no white space, ASCII only. Changing anything here changes
the fingerprint of every schema: parties on different releases could no longer work together.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, TypeAlias

from hushlink_domain.schema import terms

if TYPE_CHECKING:
    from hushlink_domain.schema import linkage

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json]"


def to_json(schema: linkage.LinkageSchema) -> bytes:
    """Serialise the canonical document."""
    return json.dumps(
        document(schema), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")


def document(schema: linkage.LinkageSchema) -> dict[str, Json]:
    """Build the canonical document as plain JSON values."""
    return {
        "version": 3,
        "hushlink": {"mode": schema.mode.value, "stripCells": schema.strip_cells},
        "clkConfig": {
            "l": schema.width_bits,
            "xor_folds": schema.xor_folds,
            "kdf": {
                "type": "HKDF",
                "hash": schema.kdf.hash.value,
                "salt": base64.b64encode(schema.kdf.salt).decode("ascii"),
                "info": base64.b64encode(schema.kdf.info).decode("ascii"),
                "keySize": schema.kdf.key_size,
            },
        },
        "features": [_column(column) for column in schema.columns],
    }


def _column(column: terms.Column) -> dict[str, Json]:
    if isinstance(column, terms.IgnoredColumn):
        return {"identifier": column.identifier, "ignored": True}
    hashing: dict[str, Json] = {
        "comparison": _comparison(column.comparison),
        "strategy": _strategy(column.strategy),
        "hash": _hash(column.hash),
    }
    missing = column.missing_value
    if missing is not None:
        hashing["missingValue"] = _present({"sentinel": missing.sentinel, "replaceWith": missing.replace_with})
    return {
        "identifier": column.identifier,
        "format": _format(column.format),
        "hashing": hashing,
    }


def _format(form: terms.Format) -> Json:
    match form:
        case terms.StringFormat():
            return _present(
                {
                    "type": "string",
                    "encoding": form.encoding.value,
                    "case": form.case.value,
                    "minLength": form.min_length,
                    "maxLength": form.max_length,
                }
            )
        case terms.PatternFormat():
            return {"type": "string", "encoding": form.encoding.value, "pattern": form.pattern}
        case terms.IntegerFormat():
            return _present({"type": "integer", "minimum": form.minimum, "maximum": form.maximum})
        case terms.DateFormat():
            return {"type": "date", "format": form.template}
        case terms.EnumFormat():
            return {"type": "enum", "values": list(form.values)}


def _comparison(comparison: terms.Comparison) -> Json:
    match comparison:
        case terms.NgramComparison():
            return {"type": "ngram", "n": comparison.n, "positional": comparison.positional}
        case terms.ExactComparison():
            return {"type": "exact"}
        case terms.NumericComparison():
            return {
                "type": "numeric",
                "thresholdDistance": comparison.threshold_distance,
                "resolution": comparison.resolution,
                "fractional_precision": comparison.fractional_precision,
            }


def _strategy(strategy: terms.Strategy) -> Json:
    match strategy:
        case terms.BitsPerToken():
            return {"bitsPerToken": strategy.bits}
        case terms.BitsPerFeature():
            return {"bitsPerFeature": strategy.bits}


def _hash(hashing: terms.Hash) -> Json:
    match hashing:
        case terms.BlakeHash():
            return {"type": "blakeHash"}
        case terms.DoubleHash():
            return {"type": "doubleHash", "prevent_singularity": hashing.prevent_singularity}


def _present(members: dict[str, Json | None]) -> dict[str, Json]:
    """Leave out what the schema does not say: these keys have no default."""
    return {key: value for key, value in members.items() if value is not None}
