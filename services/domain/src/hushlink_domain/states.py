"""The states that uploads and runs go through, and the only ways between them."""

from __future__ import annotations

import enum


class UploadState(enum.Enum):
    """The states of an upload."""

    AWAITED = "awaited"  # no stream has come yet
    OPEN = "open"  # rows are coming, or may go on coming
    SEALED = "sealed"  # complete, checked, immutable


class RunState(enum.Enum):
    """The states of a run, in their order. Every stage may be entered again after its worker died."""

    QUEUED = "queued"
    PLANNING = "planning"
    COMPARING = "comparing"
    MERGING = "merging"
    SOLVING = "solving"
    PUBLISHING = "publishing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing will happen any more."""
        return self in ENDED


STAGES = (RunState.PLANNING, RunState.COMPARING, RunState.MERGING, RunState.SOLVING, RunState.PUBLISHING)
"""The stages that do work, in their order."""

ENDED = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})
