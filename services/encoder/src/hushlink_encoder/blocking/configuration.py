"""What a blocking configuration says, as frozen values that were checked when they were read."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from hushlink_domain import errors
from hushlink_domain.schema import faults
from hushlink_encoder.blocking import places

SHOWN_FAULTS: Final = 50


class Mode(enum.StrEnum):
    """What the keys of blocks are."""

    KEYED = "keyed"
    """Pseudo-random under the secret."""
    COMPAT = "compat"
    """The unkeyed texts of blocklib 0.1.11."""


class Kind(enum.StrEnum):
    """The methods."""

    P_SIG = "p-sig"
    LAMBDA_FOLD = "lambda-fold"


class InvalidBlocking(errors.CallerError):
    """A blocking configuration cannot be used; `faults` lists every reason with its JSON path."""

    def __init__(self, found: Sequence[faults.SchemaFault]) -> None:
        self.faults = tuple(found)
        count = len(self.faults)
        lines = [f"the blocking configuration has {count} fault{'s' if count != 1 else ''}:"]
        lines += [f"  {fault}" for fault in self.faults[:SHOWN_FAULTS]]
        if count > SHOWN_FAULTS:
            lines.append(f"  and {count - SHOWN_FAULTS} more")
        super().__init__(errors.Reason.SCHEMA_INVALID, "\n".join(lines), faults=count, path=self.faults[0].path)


@dataclass(frozen=True, slots=True)
class Whole:
    """A part of a signature: the whole cell."""

    column: int


@dataclass(frozen=True, slots=True)
class Characters:
    """A part of a signature: characters at places of the cell."""

    column: int
    places: tuple[places.Place, ...]


@dataclass(frozen=True, slots=True)
class Sound:
    """A part of a signature: how the cell sounds, by Double Metaphone."""

    column: int


Part: TypeAlias = Whole | Characters | Sound


@dataclass(frozen=True, slots=True)
class SizeFilter:
    """Which blocks of one party are kept, by their number of records; bounds are inclusive.

    With `relative` the bounds are shares of the party's records, else numbers of records.
    """

    least: float
    most: float
    relative: bool


@dataclass(frozen=True, slots=True)
class PSig:
    """Blocks by signatures: one for each record and strategy."""

    strategies: tuple[tuple[Part, ...], ...]
    sizes: SizeFilter
    bits: int
    """Length of the filter that compat keys are positions of."""
    hashes: int
    """How many positions."""
    sentinel: str | None = ""
    """A record whose cell equals it gets no signature; None = no cell does."""
    kind: Literal[Kind.P_SIG] = Kind.P_SIG


@dataclass(frozen=True, slots=True)
class LambdaFold:
    """Blocks by samples of bits: each record is in one block of every table."""

    columns: tuple[int, ...]
    tables: int
    bits: int
    """Length of a filter made of cells; encodings have their own."""
    hashes: int
    sample: int
    """Bits sampled for each table."""
    seed: int
    of_encodings: bool = False
    kind: Literal[Kind.LAMBDA_FOLD] = Kind.LAMBDA_FOLD


@dataclass(frozen=True, slots=True)
class Configuration:
    """What all parties agree on to get blocks that can be compared."""

    method: PSig | LambdaFold
    mode: Mode = Mode.KEYED
    identifiers: tuple[str, ...] = field(default=(), compare=False)
    """The columns it was read with, for errors."""

    def canonical_json(self) -> bytes:
        """The one canonical form: columns by number, defaults filled in, what has no meaning left out."""
        document = {"mode": self.mode.value, "kind": self.method.kind.value, "method": _plain(self.method)}
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")

    def fingerprint(self) -> bytes:
        """SHA-256 of the canonical form, 32 bytes: equal for configurations that mean the same."""
        return hashlib.sha256(self.canonical_json()).digest()


def _plain(method: PSig | LambdaFold) -> dict[str, object]:
    """A method as JSON values. Changing anything here changes the fingerprint of every configuration."""
    if isinstance(method, LambdaFold):
        fields: tuple[str, ...] = ("columns", "tables", "bits", "hashes", "sample", "seed", "of_encodings")
        if method.of_encodings:
            fields = tuple(name for name in fields if name not in ("columns", "bits", "hashes"))
        return {name: getattr(method, name) for name in fields}
    return {
        "strategies": [[_plain_part(one) for one in strategy] for strategy in method.strategies],
        "sizes": [method.sizes.least, method.sizes.most, method.sizes.relative],
        "bits": method.bits,
        "hashes": method.hashes,
        "sentinel": method.sentinel,
    }


def _plain_part(one: Part) -> list[object]:
    match one:
        case Whole(column):
            return ["feature-value", column]
        case Characters(column, where):
            return ["characters-at", column, [[place.start, place.stop] for place in where]]
        case Sound(column):
            return ["metaphone", column]
