"""Grants: what a right allows, once it is known whose it is."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import secrets

from hushlink_domain import errors


class Role(enum.Enum):
    """In which role somebody acts."""

    OPERATOR = "operator"  # runs the coordinator: creates and lists projects
    OWNER = "owner"  # of one project: creates runs, reads results, deletes
    PARTY = "party"  # of one project: uploads its one dataset, follows runs


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """What one right allows."""

    role: Role
    project_id: str | None
    """The one project it reaches; None for the operator."""
    party: int | None
    """The party's number; None but for a party."""


def draw() -> str:
    """A new right: 256 random bits as text."""
    return "hl_" + secrets.token_urlsafe(32)


def digest(right: str) -> bytes:
    """What is kept of a right: its SHA-256. A right is random and long, so that no slow hash is needed."""
    return hashlib.sha256(right.encode()).digest()


def refusal() -> errors.CallerError:
    """The one answer to an unknown project, an unknown right, and a right that does not reach far enough."""
    return errors.CallerError(
        errors.Reason.ACCESS_REFUSED,
        "there is no such project, or this right does not reach it: check both, or ask the project's owner",
    )
