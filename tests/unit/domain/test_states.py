"""States of a run, and what its threshold may be."""

from __future__ import annotations

import pytest

from hushlink_domain import errors, runs, states


def test_a_run_ends_in_three_ways_and_works_in_five_stages() -> None:
    waiting = set(states.RunState) - states.ENDED - set(states.STAGES)
    assert waiting == {states.RunState.QUEUED}
    assert [state for state in states.RunState if state.ended] == [
        states.RunState.SUCCEEDED,
        states.RunState.FAILED,
        states.RunState.CANCELLED,
    ]


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.0000001, float("nan"), float("inf"), -0.0])
def test_a_threshold_outside_its_range_is_refused(threshold: float) -> None:
    with pytest.raises(errors.CallerError):
        runs.check_threshold(threshold)


@pytest.mark.parametrize("threshold", [5e-324, 0.5, 1.0])
def test_a_threshold_within_its_range_is_taken(threshold: float) -> None:
    assert runs.check_threshold(threshold) == threshold
