"""Projects: who links what with whom, and by which rules."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Sequence

from hushlink_domain import errors, metrics

MIN_PARTIES = 2
MAX_PARTIES = 32
MAX_NAME_CHARACTERS = 200
MAX_NOTES_CHARACTERS = 10_000
MAX_SCHEMA_BYTES = 1 << 20


class ResultType(enum.Enum):
    """What a project's runs publish."""

    GROUPS = "groups"


@dataclasses.dataclass(frozen=True, slots=True)
class Agreement:
    """What the encodings of all parties of a project have in common. Empty and 0 stand for not fixed yet."""

    schema_fingerprint: bytes
    """SHA-256 of the canonical schema."""
    width_bits: int
    """Width of an encoding."""
    key_check: bytes
    """16 bytes that tell whether the secrets are equal."""


@dataclasses.dataclass(frozen=True, slots=True)
class Party:
    """One organisation of a project, with its one dataset."""

    party: int
    """The number of its dataset, from 0."""
    name: str
    sealed: bool
    """Whether its dataset is sealed."""
    row_count: int
    """Rows of the sealed dataset; 0 before."""


@dataclasses.dataclass(frozen=True, slots=True)
class Project:
    """A linkage that several parties agreed on."""

    project_id: str
    name: str
    notes: str
    schema_json: str
    """As it was given; empty where the parties agree on it elsewhere."""
    agreement: Agreement
    metric: metrics.Metric
    result_type: ResultType
    parties: tuple[Party, ...]
    create_time: datetime.datetime


def check_texts(name: str, notes: str) -> None:
    """Check the texts people give to projects and runs.

    Raises:
        errors.CallerError: INVALID_REQUEST, when one is too long or holds a NUL character.
    """
    _check_text("name", name, MAX_NAME_CHARACTERS)
    _check_text("notes", notes, MAX_NOTES_CHARACTERS)


def _check_text(field: str, text: str, most: int) -> None:
    if len(text) > most or "\0" in text:
        raise errors.CallerError(
            errors.Reason.INVALID_REQUEST,
            f"{field} may have at most {most} characters, none of them NUL",
            field=field,
            allowed=most,
            found=len(text),
        )


def check_schema_size(size_bytes: int) -> None:
    """Check the size of a schema's JSON, which travels with its project.

    Raises:
        errors.CapacityError: LIMIT_EXCEEDED, when it is too large.
    """
    if size_bytes > MAX_SCHEMA_BYTES:
        raise errors.CapacityError(
            errors.Reason.LIMIT_EXCEEDED,
            f"a project's schema may have at most {MAX_SCHEMA_BYTES} bytes of JSON; this one has {size_bytes}: "
            "shorten it",
            limit="schema_bytes",
            allowed=MAX_SCHEMA_BYTES,
            found=size_bytes,
        )


def check_party_names(names: Sequence[str]) -> None:
    """Check the names of a new project's parties.

    Raises:
        errors.CallerError: INVALID_REQUEST, when they are too few or too many, or one is too long or holds a NUL.
    """
    check_party_count(len(names))
    for name in names:
        _check_text("party_names", name, MAX_NAME_CHARACTERS)


def check_party(party: int, count: int) -> None:
    """Check that a project with ``count`` parties has this one.

    Raises:
        errors.CallerError: INVALID_REQUEST, when it does not.
    """
    if party >= count:
        raise errors.CallerError(
            errors.Reason.INVALID_REQUEST,
            f"the project's parties have the numbers 0 to {count - 1}; there is no party {party}",
            field="party",
            found=party,
        )


def check_party_count(count: int) -> None:
    """Check how many parties a project is to have.

    Raises:
        errors.CallerError: INVALID_REQUEST, when they are too few or too many.
    """
    if not MIN_PARTIES <= count <= MAX_PARTIES:
        raise errors.CallerError(
            errors.Reason.INVALID_REQUEST,
            f"a project has {MIN_PARTIES} to {MAX_PARTIES} parties; {count} were named",
            field="party_names",
            found=count,
        )


def check_agreement(agreed: Agreement, offered: Agreement) -> Agreement:
    """Check what a party's encodings are against what was agreed, and return what is agreed now.

    Raises:
        errors.StateError: WIDTH_MISMATCH, FINGERPRINT_MISMATCH or KEY_CHECK_MISMATCH; expected and found are named.
    """
    if agreed.width_bits and agreed.width_bits != offered.width_bits:
        raise errors.StateError(
            errors.Reason.WIDTH_MISMATCH,
            f"the project's encodings are {agreed.width_bits} bits wide, these are {offered.width_bits}: "
            "encode with the schema the parties agreed on",
            expected_bits=agreed.width_bits,
            found_bits=offered.width_bits,
        )
    expected, found = agreed.schema_fingerprint, offered.schema_fingerprint
    if expected and expected != found:
        raise errors.StateError(
            errors.Reason.FINGERPRINT_MISMATCH,
            f"the project's schema has the fingerprint {expected.hex()}, these encodings were made with "
            f"{found.hex() or 'an unnamed schema'}: encode with the schema the parties agreed on",
            expected=expected.hex(),
            found=found.hex(),
        )
    if agreed.key_check and offered.key_check and agreed.key_check != offered.key_check:
        raise errors.StateError(
            errors.Reason.KEY_CHECK_MISMATCH,
            "these encodings were made with another secret than the other party's: compare the secret files "
            "(also their last bytes), encode and upload again",
        )
    return Agreement(found or expected, offered.width_bits, agreed.key_check or offered.key_check)
