"""Projects, as the coordinator keeps them."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence

from hushlink.coordinator.v1 import project_service_pb2, project_service_pb2_grpc
from hushlink_client import connection, wire
from hushlink_domain import metrics, projects
from hushlink_mesh import rights

_DELETE_SECONDS = 600.0


@dataclasses.dataclass(frozen=True, slots=True)
class Created:
    """A new project and its rights, which are told this once."""

    project: projects.Project
    owner_right: rights.Right
    party_rights: tuple[rights.Right, ...]


async def create(
    coordinator: connection.Connection,
    *,
    party_names: Sequence[str],
    name: str = "",
    notes: str = "",
    schema_json: str = "",
    width_bits: int = 0,
    metric: metrics.Metric = metrics.Metric.DICE,
) -> Created:
    """Create a project. It is tried once: a second attempt could make a second project.

    Args:
        coordinator: where, with the operator's right if it asks for one.
        party_names: one name per party, in the order of their dataset numbers.
        name: for people.
        notes: for people.
        schema_json: the linkage schema; empty = the first sealed upload fixes fingerprint and width.
        width_bits: 0 = the schema's, or the first upload's.
        metric: how encodings are compared.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
    """
    answer = await coordinator.call(
        _stub(coordinator).CreateProject,
        project_service_pb2.CreateProjectRequest(
            name=name,
            notes=notes,
            schema_json=schema_json,
            width_bits=width_bits,
            metric=wire.metric_number(metric),
            result_type=project_service_pb2.RESULT_TYPE_GROUPS,
            party_names=party_names,
        ),
        repeatable=False,
    )
    return Created(
        wire.project(answer.project),
        rights.Right(answer.owner_right),
        tuple(rights.Right(right) for right in answer.party_rights),
    )


async def get(coordinator: connection.Connection, project_id: str) -> projects.Project:
    """A project.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
    """
    request = project_service_pb2.GetProjectRequest(project_id=project_id)
    return wire.project((await coordinator.call(_stub(coordinator).GetProject, request)).project)


async def every(coordinator: connection.Connection) -> AsyncIterator[projects.Project]:
    """The projects that the right reaches, newest first.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
    """
    page_token = ""
    while True:
        request = project_service_pb2.ListProjectsRequest(page_token=page_token)
        answer = await coordinator.call(_stub(coordinator).ListProjects, request)
        for message in answer.projects:
            yield wire.project(message)
        page_token = answer.next_page_token
        if not page_token:
            return


async def delete(coordinator: connection.Connection, project_id: str) -> int:
    """Delete a project with all that belongs to it; returns how many objects went.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
    """
    request = project_service_pb2.DeleteProjectRequest(project_id=project_id)
    answer = await coordinator.call(_stub(coordinator).DeleteProject, request, seconds=_DELETE_SECONDS)
    return answer.deleted_objects


def _stub(coordinator: connection.Connection) -> project_service_pb2_grpc.ProjectServiceAsyncStub:
    return project_service_pb2_grpc.ProjectServiceStub(coordinator.channel)
