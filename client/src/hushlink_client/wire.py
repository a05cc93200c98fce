"""What comes over the wire, in the words of the domain."""

from __future__ import annotations

import datetime

from google.protobuf import timestamp_pb2

from hushlink.coordinator.v1 import project_service_pb2, run_service_pb2, upload_service_pb2
from hushlink_domain import metrics, projects, runs, states

_METRICS = {
    project_service_pb2.METRIC_DICE: metrics.Metric.DICE,
    project_service_pb2.METRIC_JACCARD: metrics.Metric.JACCARD,
    project_service_pb2.METRIC_HAMMING: metrics.Metric.HAMMING,
}
_METRIC_NUMBERS = {metric: number for number, metric in _METRICS.items()}


def time(stamp: timestamp_pb2.Timestamp) -> datetime.datetime:
    """A moment, in UTC."""
    return stamp.ToDatetime(tzinfo=datetime.UTC)


def metric_number(metric: metrics.Metric) -> project_service_pb2.Metric.ValueType:
    """A metric's number on the wire."""
    return _METRIC_NUMBERS[metric]


def project(message: project_service_pb2.Project) -> projects.Project:
    """A project."""
    return projects.Project(
        project_id=message.project_id,
        name=message.name,
        notes=message.notes,
        schema_json=message.schema_json,
        agreement=projects.Agreement(message.schema_fingerprint, message.width_bits, key_check=b""),
        metric=_METRICS[message.metric],
        result_type=projects.ResultType.GROUPS,
        parties=tuple(
            projects.Party(party.party, party.name, party.sealed, party.row_count) for party in message.parties
        ),
        create_time=time(message.create_time),
    )


def run_state(number: run_service_pb2.RunState.ValueType) -> states.RunState:
    """A run's state."""
    return states.RunState[run_service_pb2.RunState.Name(number).removeprefix("RUN_STATE_")]


def upload_state(number: upload_service_pb2.UploadState.ValueType) -> states.UploadState:
    """An upload's state."""
    return states.UploadState[upload_service_pb2.UploadState.Name(number).removeprefix("UPLOAD_STATE_")]


def run(message: run_service_pb2.Run) -> runs.Run:
    """A run."""
    failed = message.HasField("error")
    return runs.Run(
        run_id=message.run_id,
        project_id=message.project_id,
        name=message.name,
        notes=message.notes,
        threshold=message.threshold,
        metric=_METRICS[message.metric],
        state=run_state(message.state),
        progress=_progress(message.progress),
        stages=tuple(_stage_time(stage) for stage in message.stages),
        failure=runs.Failure(message.error.reason, message.error.message) if failed else None,
        create_time=time(message.create_time),
        end_time=time(message.end_time) if message.HasField("end_time") else None,
    )


def _progress(message: run_service_pb2.RunProgress) -> runs.Progress:
    return runs.Progress(
        stage_fraction=message.stage_fraction,
        comparisons_done=message.comparisons_done,
        comparisons_total=message.comparisons_total,
        tiles_done=message.tiles_done,
        tiles_total=message.tiles_total,
        candidate_pairs=message.candidate_pairs,
        groups=message.groups,
    )


def _stage_time(message: run_service_pb2.StageTime) -> runs.StageTime:
    end = time(message.end_time) if message.HasField("end_time") else None
    return runs.StageTime(run_state(message.state), time(message.start_time), end)
