"""What a linkage schema says of its columns and keys, as frozen values.

Every construct of clkhash's schema version 3 has its type here. A value of these types was
checked when it was read (`hushlink_domain.schema.parse`), so nothing downstream checks again.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias


class TextEncoding(enum.StrEnum):
    """How the tokens of a text feature become bytes."""

    ASCII = "ascii"
    UTF_8 = "utf-8"
    UTF_16 = "utf-16"
    UTF_32 = "utf-32"


class Case(enum.StrEnum):
    """The letter case that cells of a text feature must already have; nothing is folded."""

    UPPER = "upper"
    LOWER = "lower"
    MIXED = "mixed"


class KdfHash(enum.StrEnum):
    """The hash function under HKDF."""

    SHA256 = "SHA256"
    SHA512 = "SHA512"

    @property
    def digest_bytes(self) -> int:
        """Length of one digest, in bytes."""
        return 32 if self is KdfHash.SHA256 else 64


@dataclass(frozen=True, slots=True)
class StringFormat:
    """Free text with bounds on its length in code points and on its letter case."""

    encoding: TextEncoding = TextEncoding.UTF_8
    case: Case = Case.MIXED
    min_length: int = 0
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class PatternFormat:
    """Text whose whole value matches a regular expression (Python's `re`, fullmatch)."""

    pattern: str
    encoding: TextEncoding = TextEncoding.UTF_8


@dataclass(frozen=True, slots=True)
class IntegerFormat:
    """Whole numbers; both bounds are inclusive, None is no bound."""

    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class DateFormat:
    """Dates written after a strptime template."""

    template: str


@dataclass(frozen=True, slots=True)
class EnumFormat:
    """One of a fixed set of values, compared exactly."""

    values: tuple[str, ...]


Format: TypeAlias = StringFormat | PatternFormat | IntegerFormat | DateFormat | EnumFormat


@dataclass(frozen=True, slots=True)
class NgramComparison:
    """Similar when many runs of `n` code points are shared, at the same place if `positional`."""

    n: int
    positional: bool = False


@dataclass(frozen=True, slots=True)
class ExactComparison:
    """Equal or not: the whole value is the one token."""


@dataclass(frozen=True, slots=True)
class NumericComparison:
    """Similar when the numbers lie within `threshold_distance` of one another.

    `resolution` is the number of tokens on either side of the number; `fractional_precision`
    the number of decimal places that count.
    """

    threshold_distance: int | float
    resolution: int
    fractional_precision: int = 0

    @property
    def step(self) -> int:
        """Distance between two tokens in scaled units: the threshold, rounded half to even."""
        scale: int = 10**self.fractional_precision
        return round(self.threshold_distance * scale)


Comparison: TypeAlias = NgramComparison | ExactComparison | NumericComparison


@dataclass(frozen=True, slots=True)
class BitsPerToken:
    """Every token sets this number of bits."""

    bits: int


@dataclass(frozen=True, slots=True)
class BitsPerFeature:
    """All tokens of a value together set this number of bits, shared out evenly."""

    bits: int


Strategy: TypeAlias = BitsPerToken | BitsPerFeature


@dataclass(frozen=True, slots=True)
class BlakeHash:
    """Bit indices from keyed BLAKE2b."""


@dataclass(frozen=True, slots=True)
class DoubleHash:
    """Bit indices h1 + i * h2 from HMAC-SHA1 and HMAC-MD5.

    With `prevent_singularity` an h2 of 0 (all indices equal) is drawn again.
    """

    prevent_singularity: bool = False


Hash: TypeAlias = BlakeHash | DoubleHash


@dataclass(frozen=True, slots=True)
class MissingValue:
    """The cell text that means "no value", and what stands in for it (None: the text itself)."""

    sentinel: str
    replace_with: str | None = None


@dataclass(frozen=True, slots=True)
class KeyDerivation:
    """HKDF settings; `key_size` is in bytes, `salt` and `info` are decoded."""

    hash: KdfHash = KdfHash.SHA256
    salt: bytes = b""
    info: bytes = b""
    key_size: int = 64


@dataclass(frozen=True, slots=True)
class Feature:
    """One column that is encoded."""

    identifier: str
    format: Format
    comparison: Comparison
    strategy: Strategy
    hash: Hash = BlakeHash()
    missing_value: MissingValue | None = None

    @property
    def encoding(self) -> TextEncoding:
        """How this feature's tokens become bytes; only text formats may choose."""
        if isinstance(self.format, StringFormat | PatternFormat):
            return self.format.encoding
        return TextEncoding.UTF_8


@dataclass(frozen=True, slots=True)
class IgnoredColumn:
    """A column that is there but never read; it still owns a pair of keys."""

    identifier: str


Column: TypeAlias = Feature | IgnoredColumn
