"""Bounds that keep a hostile or mistaken schema from exhausting a machine; clkhash has none."""

from __future__ import annotations

from typing import Final

DOCUMENT_BYTES: Final = 1 << 20
"""Size of a schema's JSON text."""
COLUMNS: Final = 4096
"""Entries in `features`; the key derivation's own limit is usually lower."""
WORKING_BITS: Final = 1 << 24
"""Filter length before folding."""
FOLDS: Final = 24
"""XOR folds."""
KEY_BYTES: Final = 8160
"""Bytes of one derived key; HKDF gives 255 digests in all."""
NGRAM: Final = 256
"""Code points in one n-gram."""
INSERTIONS: Final = 1 << 20
"""Bits per token or per feature."""
RESOLUTION: Final = 10_000
"""Tokens on either side of a number."""
DECIMAL_PLACES: Final = 300
"""Decimal places of a numeric comparison."""
LENGTH: Final = 1 << 31
"""Code points in a cell, as a bound in the schema."""
INTEGER: Final = 10**1000
"""Magnitude of an integer bound."""
PATTERN_CHARACTERS: Final = 4096
"""Length of a regular expression or a date template."""
BLAKE_BITS: Final = 1 << 16
"""Bits that blakeHash can reach: its indices come from 16-bit words."""
BLAKE_KEY_BYTES: Final = 64
"""Longest key of BLAKE2b."""
