"""Between proto and domain: enumerations, times, places in lists, projects and runs."""

from __future__ import annotations

import base64
import binascii
import datetime
import itertools
from collections.abc import Sequence

from google.protobuf import message, timestamp_pb2

from hushlink.coordinator.v1 import project_service_pb2, run_service_pb2, upload_service_pb2
from hushlink_coordinator.store import projects as project_store
from hushlink_domain import errors, metrics, projects, runs, states, uploads
from hushlink_mesh import framing

MOST_PER_PAGE = 1_000
MOST_PAGE_BYTES = 1 << 20
"""A page of a list ends early where its entries are so long."""
DEFAULT_PER_PAGE = 100

_METRICS: dict[int, metrics.Metric] = {
    project_service_pb2.METRIC_UNSPECIFIED: metrics.Metric.DICE,
    project_service_pb2.METRIC_DICE: metrics.Metric.DICE,
    project_service_pb2.METRIC_JACCARD: metrics.Metric.JACCARD,
    project_service_pb2.METRIC_HAMMING: metrics.Metric.HAMMING,
}
_RESULT_TYPES: dict[int, projects.ResultType] = {
    project_service_pb2.RESULT_TYPE_UNSPECIFIED: projects.ResultType.GROUPS,
    project_service_pb2.RESULT_TYPE_GROUPS: projects.ResultType.GROUPS,
}


def metric(value: int) -> metrics.Metric:
    """A metric from the wire.

    Raises:
        errors.CallerError: METRIC_UNSUPPORTED.
    """
    if value not in _METRICS:
        supported = ", ".join(known.value for known in metrics.Metric)
        raise errors.CallerError(
            errors.Reason.METRIC_UNSUPPORTED,
            f"there is no metric number {value}; there are {supported}",
            metric=value,
            supported=supported,
        )
    return _METRICS[value]


def metric_number(value: metrics.Metric) -> project_service_pb2.Metric.ValueType:
    """A metric for the wire."""
    return project_service_pb2.Metric.Value(f"METRIC_{value.name}")


def result_type(value: int) -> projects.ResultType:
    """A result type from the wire.

    Raises:
        errors.CallerError: RESULT_TYPE_UNSUPPORTED.
    """
    if value not in _RESULT_TYPES:
        supported = ", ".join(known.value for known in projects.ResultType)
        raise errors.CallerError(
            errors.Reason.RESULT_TYPE_UNSUPPORTED,
            f"there is no result type number {value}; there are {supported}",
            result_type=value,
            supported=supported,
        )
    return _RESULT_TYPES[value]


def time(value: datetime.datetime | None) -> timestamp_pb2.Timestamp | None:
    """A time for the wire."""
    if value is None:
        return None
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(value)
    return stamp


def project(value: projects.Project) -> project_service_pb2.Project:
    """A project for the wire."""
    return project_service_pb2.Project(
        project_id=value.project_id,
        name=value.name,
        notes=value.notes,
        schema_json=value.schema_json,
        schema_fingerprint=value.agreement.schema_fingerprint,
        width_bits=value.agreement.width_bits,
        metric=metric_number(value.metric),
        result_type=project_service_pb2.ResultType.Value(f"RESULT_TYPE_{value.result_type.name}"),
        parties=[
            project_service_pb2.Party(
                party=party.party, name=party.name, sealed=party.sealed, row_count=party.row_count
            )
            for party in value.parties
        ],
        create_time=time(value.create_time),
    )


def upload(value: uploads.Upload) -> upload_service_pb2.Upload:
    """An upload for the wire."""
    return upload_service_pb2.Upload(
        upload_id=value.upload_id,
        party=value.party,
        state=upload_service_pb2.UploadState.Value(f"UPLOAD_STATE_{value.state.name}"),
        committed_rows=value.committed_rows,
        digest=framing.digest_to_proto(value.digest) if value.digest else None,
        seal_time=time(value.seal_time),
    )


def _state(value: states.RunState) -> run_service_pb2.RunState.ValueType:
    return run_service_pb2.RunState.Value(f"RUN_STATE_{value.name}")


def _failure(value: runs.Failure | None) -> run_service_pb2.RunError | None:
    return run_service_pb2.RunError(reason=value.reason, message=value.message) if value else None


def run(value: runs.Run) -> run_service_pb2.Run:
    """A run for the wire."""
    last = value.stages[-1].state if value.stages else None
    return run_service_pb2.Run(
        run_id=value.run_id,
        project_id=value.project_id,
        name=value.name,
        notes=value.notes,
        threshold=value.threshold,
        metric=metric_number(value.metric),
        state=_state(value.state),
        progress=run_service_pb2.RunProgress(
            stage=states.STAGES.index(last) + 1 if last else 0,
            stage_count=len(states.STAGES),
            stage_fraction=value.progress.stage_fraction,
            comparisons_done=value.progress.comparisons_done,
            comparisons_total=value.progress.comparisons_total,
            tiles_done=value.progress.tiles_done,
            tiles_total=value.progress.tiles_total,
            candidate_pairs=value.progress.candidate_pairs,
            groups=value.progress.groups,
        ),
        stages=[
            run_service_pb2.StageTime(
                state=_state(stage.state), start_time=time(stage.start_time), end_time=time(stage.end_time)
            )
            for stage in value.stages
        ],
        error=_failure(value.failure),
        create_time=time(value.create_time),
        end_time=time(value.end_time),
    )


def page_size(asked: int) -> int:
    """How many entries a page is to have.

    Raises:
        errors.CallerError: INVALID_REQUEST.
    """
    if asked > MOST_PER_PAGE:
        raise errors.CallerError(
            errors.Reason.INVALID_REQUEST,
            f"a page has at most {MOST_PER_PAGE} entries; {asked} were asked for",
            field="page_size",
            allowed=MOST_PER_PAGE,
            found=asked,
        )
    return asked or DEFAULT_PER_PAGE


def fitting(entries: Sequence[message.Message], most: int) -> int:
    """How many of the entries a page of a list takes: at most ``most``, of long ones as many as fit in a message."""
    sizes = itertools.accumulate(entry.ByteSize() for entry in entries[:most])
    return max(1, sum(size <= MOST_PAGE_BYTES for size in sizes)) if entries else 0


def place_token(place: project_store.Place) -> str:
    """A page token that names a place in a list."""
    text = f"{place[0].timestamp() * 1_000_000:.0f}:{place[1]}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def place(token: str) -> project_store.Place | None:
    """The place a page token names; None for an empty one.

    Raises:
        errors.CallerError: CURSOR_INVALID.
    """
    if not token:
        return None
    try:
        micros, _, entry_id = base64.b64decode(token, b"-_", validate=True).decode().partition(":")
        moment = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(microseconds=int(micros))
    except (binascii.Error, ValueError, OverflowError):
        raise cursor_invalid() from None
    return moment, entry_id.replace("\0", "")


def cursor_invalid() -> errors.CallerError:
    """What is said of a cursor or page token that this service did not give out."""
    return errors.CallerError(
        errors.Reason.CURSOR_INVALID, "this service did not give out that cursor: start again without one"
    )
