"""The run service."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from hushlink.coordinator.v1 import run_service_pb2 as pb
from hushlink.coordinator.v1 import run_service_pb2_grpc
from hushlink_coordinator import access, identifiers
from hushlink_coordinator.servicers import wire
from hushlink_coordinator.store import changes
from hushlink_coordinator.store import runs as run_store
from hushlink_domain import errors, projects, runs
from hushlink_mesh import calls

_LOOK_SECONDS = 2.0
"""How often a watched run is looked at when nothing is heard of it."""


class RunServicer(run_service_pb2_grpc.RunServiceServicer):
    """Wire in, call, wire out."""

    def __init__(self, store: run_store.RunStore, heard: changes.Changes, checks: access.Access) -> None:
        self._store = store
        self._changes = heard
        self._access = checks

    async def CreateRun(  # noqa: N802
        self, request: pb.CreateRunRequest, context: calls.Context
    ) -> pb.CreateRunResponse:
        """Create a run."""
        await self._access.owner(context, request.project_id)
        projects.check_texts(request.name, request.notes)
        threshold = runs.check_threshold(request.threshold)
        if len(request.request_id) > runs.MAX_REQUEST_ID_CHARACTERS or "\0" in request.request_id:
            raise errors.CallerError(
                errors.Reason.INVALID_REQUEST,
                f"request_id may have at most {runs.MAX_REQUEST_ID_CHARACTERS} characters, none of them NUL",
                field="request_id",
            )
        run = await self._store.create(
            identifiers.draw("r"),
            request.project_id,
            request.name,
            request.notes,
            threshold,
            request.request_id or None,
        )
        return pb.CreateRunResponse(run=wire.run(run))

    async def GetRun(self, request: pb.GetRunRequest, context: calls.Context) -> pb.GetRunResponse:  # noqa: N802
        """Describe a run."""
        await self._access.member(context, request.project_id)
        return pb.GetRunResponse(run=wire.run(await self._store.find(request.project_id, request.run_id)))

    async def ListRuns(self, request: pb.ListRunsRequest, context: calls.Context) -> pb.ListRunsResponse:  # noqa: N802
        """List a project's runs."""
        await self._access.member(context, request.project_id)
        size = wire.page_size(request.page_size)
        found = await self._store.page(request.project_id, size + 1, wire.place(request.page_token))
        shown = [wire.run(run) for run in found]
        count = wire.fitting(shown, size)
        answer = pb.ListRunsResponse(runs=shown[:count])
        if len(found) > count:
            answer.next_page_token = wire.place_token((found[count - 1].create_time, found[count - 1].run_id))
        return answer

    async def CancelRun(  # noqa: N802
        self, request: pb.CancelRunRequest, context: calls.Context
    ) -> pb.CancelRunResponse:
        """Ask for a run's end."""
        await self._access.owner(context, request.project_id)
        await self._store.request_cancel(request.project_id, request.run_id)
        return pb.CancelRunResponse(run=wire.run(await self._store.find(request.project_id, request.run_id)))

    async def WatchRun(  # noqa: N802
        self, request: pb.WatchRunRequest, context: calls.Context
    ) -> AsyncIterator[pb.WatchRunResponse]:
        """Send a run whenever it changed, until it has ended."""
        await self._access.member(context, request.project_id)
        last: runs.Run | None = None
        async with contextlib.aclosing(self._changes.ticks(request.run_id, _LOOK_SECONDS)) as ticks:
            async for _ in ticks:
                run = await self._store.find(request.project_id, request.run_id)
                if run != last:
                    last = run
                    yield pb.WatchRunResponse(run=wire.run(run))
                if run.state.ended:
                    return
