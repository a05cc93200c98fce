"""Linkage schemas: the rules by which parties turn records into encodings that can be compared.

The format is clkhash's linkage schema, versions 1, 2 and 3; `canonical_json` of what was read is
its conversion to version 3. Two entrances, both raise `InvalidSchema` with
every fault at once::

    agreed = schema.parse_json(path.read_bytes())      # or parse(dict)
    agreed.width_bits, agreed.identifiers, agreed.fingerprint().hex()

`cautions` says what a sound schema does that its authors may not have meant.

Modes. A plain schema is `compat`: encodings equal those of clkhash 0.18.3 bit for bit. A schema
that has our extension, the top-level object `hushlink`, is `strict` unless it says otherwise::

    "hushlink": {"mode": "strict", "stripCells": true}

`mode` is "strict" (default) or "compat"; `stripCells` removes white space around every cell
(default: true in strict, false in compat). Strict differs from compat in this:

- keys without meaning inside `comparison`, `clkConfig` and `kdf` are refused; so is an `xorFolds`
  that disagrees with `xor_folds` (clkhash's loader ignores the first, documented spelling);
- blakeHash with more than 65,536 bits before folding is refused (bits above would stay 0);
- `prevent_singularity` of doubleHash is true unless it is given;
- years are written with four digits, so dates before the year 1000 are the same everywhere;
- base64 of `salt` and `info` must be well formed; identifiers must differ;
- at least one column must be encoded.
"""

from __future__ import annotations

from hushlink_domain.schema.document import cautions, parse, parse_json
from hushlink_domain.schema.faults import InvalidSchema, SchemaFault
from hushlink_domain.schema.linkage import LinkageSchema, Mode
from hushlink_domain.schema.terms import (
    BitsPerFeature,
    BitsPerToken,
    BlakeHash,
    Case,
    Column,
    Comparison,
    DateFormat,
    DoubleHash,
    EnumFormat,
    ExactComparison,
    Feature,
    Format,
    Hash,
    IgnoredColumn,
    IntegerFormat,
    KdfHash,
    KeyDerivation,
    MissingValue,
    NgramComparison,
    NumericComparison,
    PatternFormat,
    Strategy,
    StringFormat,
    TextEncoding,
)

__all__ = [
    "BitsPerFeature",
    "BitsPerToken",
    "BlakeHash",
    "Case",
    "Column",
    "Comparison",
    "DateFormat",
    "DoubleHash",
    "EnumFormat",
    "ExactComparison",
    "Feature",
    "Format",
    "Hash",
    "IgnoredColumn",
    "IntegerFormat",
    "InvalidSchema",
    "KdfHash",
    "KeyDerivation",
    "LinkageSchema",
    "MissingValue",
    "Mode",
    "NgramComparison",
    "NumericComparison",
    "PatternFormat",
    "SchemaFault",
    "Strategy",
    "StringFormat",
    "TextEncoding",
    "cautions",
    "parse",
    "parse_json",
]
