"""The project service."""

from __future__ import annotations

import datetime

from hushlink.coordinator.v1 import project_service_pb2 as pb
from hushlink.coordinator.v1 import project_service_pb2_grpc
from hushlink_coordinator import access, blobs, deletion, identifiers
from hushlink_coordinator.servicers import wire
from hushlink_coordinator.store import projects as project_store
from hushlink_domain import encodings, errors, grants, projects, schema
from hushlink_mesh import calls


class ProjectServicer(project_service_pb2_grpc.ProjectServiceServicer):
    """Wire in, call, wire out."""

    def __init__(self, store: project_store.ProjectStore, objects: blobs.Blobs, checks: access.Access) -> None:
        self._store = store
        self._objects = objects
        self._access = checks

    async def CreateProject(  # noqa: N802
        self, request: pb.CreateProjectRequest, context: calls.Context
    ) -> pb.CreateProjectResponse:
        """Create a project and draw its rights."""
        await self._access.may_create(context)
        projects.check_texts(request.name, request.notes)
        projects.check_party_names(request.party_names)
        project = projects.Project(
            project_id=identifiers.draw("p"),
            name=request.name,
            notes=request.notes,
            schema_json=request.schema_json,
            agreement=agreement(request.schema_json, request.width_bits),
            metric=wire.metric(request.metric),
            result_type=wire.result_type(request.result_type),
            parties=tuple(projects.Party(n, name, False, 0) for n, name in enumerate(request.party_names)),
            create_time=datetime.datetime.now(datetime.UTC),
        )
        owner, *parties = (grants.draw() for _ in range(len(project.parties) + 1))
        created = await self._store.create(project, grants.digest(owner), [grants.digest(right) for right in parties])
        return pb.CreateProjectResponse(project=wire.project(created), owner_right=owner, party_rights=parties)

    async def GetProject(  # noqa: N802
        self, request: pb.GetProjectRequest, context: calls.Context
    ) -> pb.GetProjectResponse:
        """Describe a project."""
        await self._access.member(context, request.project_id)
        found = await self._store.find(request.project_id)
        if found is None:
            raise grants.refusal()
        return pb.GetProjectResponse(project=wire.project(found))

    async def ListProjects(  # noqa: N802
        self, request: pb.ListProjectsRequest, context: calls.Context
    ) -> pb.ListProjectsResponse:
        """List the projects that the caller's right reaches."""
        grant = await self._access.grant(context)
        size = wire.page_size(request.page_size)
        before = wire.place(request.page_token)
        found = await self._store.page(size + 1, before=before, only_id=grant.project_id)
        shown = [wire.project(project) for project in found]
        count = wire.fitting(shown, size)
        answer = pb.ListProjectsResponse(projects=shown[:count])
        if len(found) > count:
            answer.next_page_token = wire.place_token((found[count - 1].create_time, found[count - 1].project_id))
        return answer

    async def DeleteProject(  # noqa: N802
        self, request: pb.DeleteProjectRequest, context: calls.Context
    ) -> pb.DeleteProjectResponse:
        """Delete a project with everything of it."""
        await self._access.owner(context, request.project_id)
        deleted = await deletion.delete(self._store, self._objects, request.project_id)
        return pb.DeleteProjectResponse(deleted_objects=deleted)


def agreement(schema_json: str, width_bits: int) -> projects.Agreement:
    """What a new project fixes: its schema's fingerprint and width, or the width alone.

    Raises:
        errors.CallerError: SCHEMA_INVALID; WIDTH_MISMATCH, when schema and width differ; INVALID_REQUEST.
        errors.CapacityError: LIMIT_EXCEEDED, when the schema is too long.
    """
    if width_bits:
        encodings.width_bytes(width_bits)
    if not schema_json:
        return projects.Agreement(b"", width_bits, b"")
    projects.check_schema_size(len(schema_json.encode()))
    linkage_schema = schema.parse_json(schema_json)
    schema_bits = linkage_schema.width_bytes * 8
    if width_bits not in (0, schema_bits):
        raise errors.CallerError(
            errors.Reason.WIDTH_MISMATCH,
            f"the schema makes encodings of {schema_bits} bits, the project asks for {width_bits}: leave the width out",
            expected_bits=schema_bits,
            found_bits=width_bits,
        )
    encodings.width_bytes(schema_bits)
    return projects.Agreement(linkage_schema.fingerprint(), schema_bits, b"")
