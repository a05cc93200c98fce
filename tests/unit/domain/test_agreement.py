"""Agreements: what the parties' encodings must have in common, and what a refusal tells."""

from __future__ import annotations

import pytest

from hushlink_domain import errors, projects

NOTHING = projects.Agreement(b"", 0, b"")
FINGERPRINT, OTHER = b"f" * 32, b"g" * 32


def test_the_first_upload_fixes_everything() -> None:
    offered = projects.Agreement(FINGERPRINT, 1024, b"k" * 16)
    assert projects.check_agreement(NOTHING, offered) == offered


def test_a_key_check_is_compared_only_where_both_have_one() -> None:
    agreed = projects.Agreement(FINGERPRINT, 1024, b"k" * 16)
    assert projects.check_agreement(agreed, projects.Agreement(FINGERPRINT, 1024, b"")) == agreed


@pytest.mark.parametrize(
    ("agreed", "offered", "reason", "facts"),
    [
        (
            projects.Agreement(b"", 1024, b""),
            projects.Agreement(b"", 512, b""),
            errors.Reason.WIDTH_MISMATCH,
            {"expected_bits": "1024", "found_bits": "512"},
        ),
        (
            projects.Agreement(FINGERPRINT, 1024, b""),
            projects.Agreement(OTHER, 1024, b""),
            errors.Reason.FINGERPRINT_MISMATCH,
            {"expected": FINGERPRINT.hex(), "found": OTHER.hex()},
        ),
        (
            projects.Agreement(FINGERPRINT, 1024, b""),
            projects.Agreement(b"", 1024, b""),
            errors.Reason.FINGERPRINT_MISMATCH,
            {"expected": FINGERPRINT.hex(), "found": ""},
        ),
        (
            projects.Agreement(FINGERPRINT, 1024, b"k" * 16),
            projects.Agreement(FINGERPRINT, 1024, b"l" * 16),
            errors.Reason.KEY_CHECK_MISMATCH,
            {},
        ),
    ],
)
def test_a_difference_is_refused_with_both_sides_named(
    agreed: projects.Agreement, offered: projects.Agreement, reason: errors.Reason, facts: dict[str, str]
) -> None:
    with pytest.raises(errors.StateError) as refused:
        projects.check_agreement(agreed, offered)
    assert refused.value.reason is reason
    assert refused.value.facts == facts


@pytest.mark.parametrize("count", [0, 1, 33])
def test_the_number_of_parties_has_bounds(count: int) -> None:
    with pytest.raises(errors.CallerError):
        projects.check_party_count(count)
