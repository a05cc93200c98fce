"""The linkage schema itself: what all parties of a project agree on."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from hushlink_domain.schema import canonical, terms


class Mode(enum.StrEnum):
    """How the known quirks of clkhash are treated."""

    COMPAT = "compat"
    """Bit for bit what clkhash 0.18.3 makes of the schema."""
    STRICT = "strict"
    """Quirks that lose data or differ between machines are refused or mended."""


@dataclass(frozen=True, slots=True)
class LinkageSchema:
    """The rules by which all parties of a project turn records into encodings.

    `width_bits` is the length of one encoding after folding; `columns` has one entry per input
    column, in order. `strip_cells` removes white space around every cell before anything else.
    """

    width_bits: int
    columns: tuple[terms.Column, ...]
    kdf: terms.KeyDerivation
    xor_folds: int = 0
    mode: Mode = Mode.COMPAT
    strip_cells: bool = False

    @property
    def width_bytes(self) -> int:
        """Bytes of one encoding; the last byte's unused low bits are zero."""
        return (self.width_bits + 7) // 8

    @property
    def working_bits(self) -> int:
        """Length of the filter before folding."""
        return self.width_bits << self.xor_folds

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Names of the input columns in order, ignored ones included."""
        return tuple(column.identifier for column in self.columns)

    def features(self) -> Iterator[tuple[int, terms.Feature]]:
        """The columns that are encoded, each with its position among all columns (from 0)."""
        for position, column in enumerate(self.columns):
            if isinstance(column, terms.Feature):
                yield position, column

    def canonical_json(self) -> bytes:
        """The schema in its one canonical form: version 3, all defaults filled in, ASCII JSON.

        Descriptions are gone; the mode is there. Parsing it gives this same schema.
        """
        return canonical.to_json(self)

    def fingerprint(self) -> bytes:
        """SHA-256 of the canonical form, 32 bytes: equal for schemas that mean the same."""
        return hashlib.sha256(self.canonical_json()).digest()
