"""The error desk: every reason has a status, and comes back from the wire as it went."""

from __future__ import annotations

import logging

import pytest
from google.rpc import error_details_pb2

from hushlink.mesh.v1 import errors_pb2
from hushlink_domain import errors
from hushlink_mesh import error_desk


def test_protos_and_domain_name_the_same_reasons() -> None:
    named = {name.removeprefix("ERROR_REASON_") for name in errors_pb2.ErrorReason.keys()} - {"UNSPECIFIED"}  # noqa: SIM118
    assert named == {reason.value for reason in errors.Reason}


@pytest.mark.parametrize("reason", errors.Reason)
def test_every_reason_has_a_status_and_its_facts(reason: errors.Reason) -> None:
    status = error_desk.to_status(errors.CallerError(reason, "what, where, what to do", row=7, path="$.x"))
    assert status.code == error_desk.CODES[reason].value[0]
    assert status.message == "what, where, what to do"
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (reason.value, "hushlink", {"row": "7", "path": "$.x"})


def test_an_unforeseen_error_says_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    canary = "Łukasz-Canary-1989"
    try:
        int(canary)
    except ValueError as error:
        with caplog.at_level(logging.ERROR):
            foreseen = error_desk.foreseen(error)
    assert foreseen.reason is errors.Reason.INTERNAL
    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert foreseen.facts["incident"] in logged
    assert canary not in foreseen.message + str(foreseen.facts) + logged
