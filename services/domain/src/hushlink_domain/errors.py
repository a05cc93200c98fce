"""Errors of the trade, sorted by who is to blame; facts travel as data, text is for people.

One desk (``hushlink_mesh.error_desk``) turns them into gRPC status. Neither a message nor a fact ever holds a value of
a personal field, a secret or a right.
"""

from __future__ import annotations

import enum


class Reason(enum.Enum):
    """Why something was refused: the names of ``hushlink.mesh.v1.ErrorReason``, where each is described."""

    INVALID_REQUEST = "INVALID_REQUEST"
    STREAM_ORDER = "STREAM_ORDER"
    PROTOCOL_MISMATCH = "PROTOCOL_MISMATCH"
    RIGHT_MISSING = "RIGHT_MISSING"
    ACCESS_REFUSED = "ACCESS_REFUSED"
    SCHEMA_INVALID = "SCHEMA_INVALID"
    THRESHOLD_OUT_OF_RANGE = "THRESHOLD_OUT_OF_RANGE"
    METRIC_UNSUPPORTED = "METRIC_UNSUPPORTED"
    RESULT_TYPE_UNSUPPORTED = "RESULT_TYPE_UNSUPPORTED"
    WIDTH_MISMATCH = "WIDTH_MISMATCH"
    FINGERPRINT_MISMATCH = "FINGERPRINT_MISMATCH"
    KEY_CHECK_MISMATCH = "KEY_CHECK_MISMATCH"
    CHUNK_RAGGED = "CHUNK_RAGGED"
    CHUNK_CORRUPT = "CHUNK_CORRUPT"
    CHUNK_OFFSET = "CHUNK_OFFSET"
    COUNT_MISMATCH = "COUNT_MISMATCH"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    UPLOAD_EMPTY = "UPLOAD_EMPTY"
    UPLOAD_SUPERSEDED = "UPLOAD_SUPERSEDED"
    DATASET_SEALED = "DATASET_SEALED"
    RUN_NOT_FOUND = "RUN_NOT_FOUND"
    RUN_ENDED = "RUN_ENDED"
    RUN_FAILED = "RUN_FAILED"
    RESULT_NOT_READY = "RESULT_NOT_READY"
    CURSOR_INVALID = "CURSOR_INVALID"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    RECORDS_INVALID = "RECORDS_INVALID"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    COORDINATOR_UNAVAILABLE = "COORDINATOR_UNAVAILABLE"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    BLOBS_UNAVAILABLE = "BLOBS_UNAVAILABLE"
    TILE_REFUSED = "TILE_REFUSED"
    INTERNAL = "INTERNAL"


class DomainError(Exception):
    """Something was refused. Catch a subclass to act on blame, compare ``reason`` to act on the cause.

    Args:
        reason: the machine-readable cause.
        message: one sentence that says what is wrong, where, and what to do.
        facts: what a program needs to react, as text or numbers; never a personal value, secret or right.
    """

    def __init__(self, reason: Reason, message: str, **facts: object) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.facts = {name: str(fact) for name, fact in facts.items()}


class CallerError(DomainError):
    """The caller sent something wrong; sending the same again cannot succeed."""


class StateError(DomainError):
    """The request is right, but not in the present state; it may be later."""


class CapacityError(DomainError):
    """A limit or an outage stands in the way; try again with back-off, or smaller."""


class InternalError(DomainError):
    """Our own fault."""
