"""The result service."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator

from hushlink.coordinator.v1 import result_service_pb2 as pb
from hushlink.coordinator.v1 import result_service_pb2_grpc
from hushlink_coordinator import access, blobs, meters, reading
from hushlink_coordinator.servicers import wire
from hushlink_coordinator.store import runs as run_store
from hushlink_domain import errors, groups, states
from hushlink_mesh import calls


class ResultServicer(result_service_pb2_grpc.ResultServiceServicer):
    """Wire in, call, wire out."""

    def __init__(self, store: run_store.RunStore, objects: blobs.Blobs, checks: access.Access) -> None:
        self._store = store
        self._objects = objects
        self._access = checks

    async def ReadGroups(  # noqa: N802
        self, request: pb.ReadGroupsRequest, context: calls.Context
    ) -> AsyncIterator[pb.ReadGroupsResponse]:
        """Send a run's groups, page by page."""
        await self._access.owner(context, request.project_id)
        published = await self._published(request.project_id, request.run_id)
        first = _following(request.after_cursor, published)
        yield pb.ReadGroupsResponse(
            header=pb.GroupsHeader(
                group_count=published.group_count,
                member_count=published.member_count,
                candidate_pairs=published.candidate_pairs,
                dataset_rows=published.dataset_rows,
            )
        )
        count = request.max_pages or None
        async for page in reading.pages(self._objects, request.project_id, published, first, count):
            meters.READ_PAGES.inc()
            yield pb.ReadGroupsResponse(
                page=pb.GroupPage(
                    first_group=page.first_group,
                    member_counts=page.member_counts.tolist(),
                    member_datasets=page.member_datasets.tolist(),
                    member_rows=page.member_rows.tolist(),
                    cursor=_cursor(published.run_id, page.number),
                )
            )

    async def _published(self, project_id: str, run_id: str) -> groups.PublishedGroups:
        run = await self._store.find(project_id, run_id)
        if run.state is states.RunState.SUCCEEDED:
            published = await self._store.published(run_id)
            if published is not None:
                return published
        failed = run.state in (states.RunState.FAILED, states.RunState.CANCELLED)
        reason = errors.Reason.RUN_FAILED if failed else errors.Reason.RESULT_NOT_READY
        advice = "it has no result" if failed else "watch it and ask again when it has succeeded"
        raise errors.StateError(reason, f"the run is {run.state.value}: {advice}", run_id=run_id, state=run.state.value)


def _cursor(run_id: str, page: int) -> str:
    return base64.urlsafe_b64encode(f"{run_id}:{page}".encode()).decode()


def _following(cursor: str, published: groups.PublishedGroups) -> int:
    """The number of the page after a cursor's.

    Raises:
        errors.CallerError: CURSOR_INVALID, when the cursor is not of this run.
    """
    if not cursor:
        return 0
    try:
        run_id, _, page = base64.b64decode(cursor, b"-_", validate=True).decode().partition(":")
        number = int(page)
    except (binascii.Error, ValueError):
        raise wire.cursor_invalid() from None
    if run_id != published.run_id or not 0 <= number < len(published.page_first_groups):
        raise wire.cursor_invalid()
    return number + 1
