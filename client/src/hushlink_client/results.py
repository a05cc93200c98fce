"""Results: the groups that a run published."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator

import grpc

from hushlink.coordinator.v1 import result_service_pb2, result_service_pb2_grpc
from hushlink_client import connection, retries


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """What a run found, in numbers."""

    group_count: int
    member_count: int
    """How many rows are in a group."""
    candidate_pairs: int
    dataset_rows: tuple[int, ...]
    """The rows of each dataset."""


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Consecutive groups, as columns."""

    first_group: int
    """The number of its first group, from 0."""
    member_counts: tuple[int, ...]
    member_datasets: tuple[int, ...]
    member_rows: tuple[int, ...]
    cursor: str
    """Names this page: a later reading may start after it."""

    def members(self) -> Iterator[tuple[int, int, int]]:
        """Each member as (group, dataset, row), in their order."""
        datasets, rows = iter(self.member_datasets), iter(self.member_rows)
        for group, count in enumerate(self.member_counts, self.first_group):
            for _ in range(count):
                yield group, next(datasets), next(rows)


async def summary(coordinator: connection.Connection, project_id: str, run_id: str) -> Summary:
    """What a run found, in numbers.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
    """
    request = result_service_pb2.ReadGroupsRequest(project_id=project_id, run_id=run_id, max_pages=1)
    backoff = retries.Backoff()
    with coordinator.refusals():
        while True:
            try:
                async for frame in _stub(coordinator).ReadGroups(request, metadata=coordinator.metadata()):
                    if frame.WhichOneof("frame") == "header":
                        return _summary(frame.header)
                await backoff.pause(None)
            except grpc.aio.AioRpcError as error:
                await backoff.pause(error)


async def pages(
    coordinator: connection.Connection, project_id: str, run_id: str, *, after_cursor: str = ""
) -> AsyncIterator[Page]:
    """The groups of a run that succeeded. A reading that breaks is taken up after its last page.

    Args:
        coordinator: where, with the owner's right.
        project_id: which project.
        run_id: which run.
        after_cursor: the cursor of the last page that is known already.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
    """
    backoff = retries.Backoff()
    with coordinator.refusals():
        while True:
            request = result_service_pb2.ReadGroupsRequest(
                project_id=project_id, run_id=run_id, after_cursor=after_cursor
            )
            try:
                async for frame in _stub(coordinator).ReadGroups(request, metadata=coordinator.metadata()):
                    if frame.WhichOneof("frame") == "page":
                        backoff.progressed()
                        yield _page(frame.page)
                        after_cursor = frame.page.cursor
            except grpc.aio.AioRpcError as error:
                await backoff.pause(error)
            else:
                return


def _summary(header: result_service_pb2.GroupsHeader) -> Summary:
    return Summary(header.group_count, header.member_count, header.candidate_pairs, tuple(header.dataset_rows))


def _page(page: result_service_pb2.GroupPage) -> Page:
    return Page(
        page.first_group,
        tuple(page.member_counts),
        tuple(page.member_datasets),
        tuple(page.member_rows),
        page.cursor,
    )


def _stub(coordinator: connection.Connection) -> result_service_pb2_grpc.ResultServiceAsyncStub:
    return result_service_pb2_grpc.ResultServiceStub(coordinator.channel)
