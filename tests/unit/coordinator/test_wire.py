"""Page tokens and numbers from the wire: what was not given out is refused."""

from __future__ import annotations

import datetime

import hypothesis
import pytest
from hypothesis import strategies as st

from hushlink_coordinator.servicers import wire
from hushlink_domain import errors, metrics, projects

MOMENT = datetime.datetime(2026, 2, 3, 4, 5, 6, 789012, datetime.UTC)


def test_a_page_token_names_its_place_to_the_microsecond() -> None:
    assert wire.place(wire.place_token((MOMENT, "pabc"))) == (MOMENT, "pabc")


def test_no_token_is_the_first_page() -> None:
    assert wire.place("") is None


@hypothesis.given(st.text(min_size=1))
def test_any_other_token_is_refused_or_a_place(token: str) -> None:
    try:
        place = wire.place(token)
    except errors.CallerError as refusal:
        assert refusal.reason is errors.Reason.CURSOR_INVALID
    else:
        assert place is not None


def test_metrics_and_result_types_are_known_by_number() -> None:
    assert wire.metric(0) is metrics.Metric.DICE
    assert wire.result_type(0) is projects.ResultType.GROUPS
    assert {wire.metric(wire.metric_number(metric)) for metric in metrics.Metric} == set(metrics.Metric)


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(errors.CallerError) as refused:
        wire.metric(99)
    assert refused.value.reason is errors.Reason.METRIC_UNSUPPORTED
    assert refused.value.facts == {"metric": "99", "supported": "dice, jaccard, hamming"}


def test_a_page_has_a_limit() -> None:
    assert wire.page_size(0) == wire.DEFAULT_PER_PAGE
    with pytest.raises(errors.CallerError):
        wire.page_size(wire.MOST_PER_PAGE + 1)
