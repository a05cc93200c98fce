"""Runs: one linkage of a project's sealed datasets."""

from __future__ import annotations

import dataclasses
import datetime
import math

from hushlink_domain import errors, metrics, states

MAX_REQUEST_ID_CHARACTERS = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. No number here ever goes down."""

    stage_fraction: float = 0.0
    """The share of the present stage that is done, 0 to 1."""
    comparisons_done: int = 0
    comparisons_total: int = 0
    tiles_done: int = 0
    tiles_total: int = 0
    candidate_pairs: int = 0
    groups: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class StageTime:
    """When a run was in a stage."""

    state: states.RunState
    start_time: datetime.datetime
    end_time: datetime.datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed."""

    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One linkage."""

    run_id: str
    project_id: str
    name: str
    notes: str
    threshold: float
    metric: metrics.Metric
    state: states.RunState
    progress: Progress
    stages: tuple[StageTime, ...]
    failure: Failure | None
    create_time: datetime.datetime
    end_time: datetime.datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a run for a while. Every write of the work carries the fence; an older fence is refused."""

    run_id: str
    project_id: str
    fence: int
    state: states.RunState
    """The state when the lease was taken."""
    attempts: int
    """How many leases ended with an unforeseen error since the last stage that was done."""


def check_threshold(threshold: float) -> float:
    """Check that a threshold is above 0 and at most 1.

    Raises:
        errors.CallerError: THRESHOLD_OUT_OF_RANGE, when it is not, or not a number.
    """
    if math.isnan(threshold) or not 0.0 < threshold <= 1.0:
        raise errors.CallerError(
            errors.Reason.THRESHOLD_OUT_OF_RANGE,
            f"a threshold must be above 0 and at most 1; {threshold} is not",
            threshold=threshold,
        )
    return threshold
