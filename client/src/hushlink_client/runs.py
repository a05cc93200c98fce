"""Runs, as the coordinator works on them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import grpc

from hushlink.coordinator.v1 import run_service_pb2, run_service_pb2_grpc
from hushlink_client import connection, retries, wire
from hushlink_domain import runs


async def create(
    coordinator: connection.Connection, project_id: str, threshold: float, *, name: str = "", notes: str = ""
) -> runs.Run:
    """Create a run; it starts by itself once all datasets are sealed.

    Args:
        coordinator: where, with the owner's right.
        project_id: which project.
        threshold: pairs at or above this similarity are candidates; above 0, at most 1.
        name: for people.
        notes: for people.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
    """
    request = run_service_pb2.CreateRunRequest(
        project_id=project_id,
        name=name,
        notes=notes,
        threshold=threshold,
        request_id=str(uuid.uuid4()),  # so that asking again gives the same run
    )
    return wire.run((await coordinator.call(_stub(coordinator).CreateRun, request)).run)


async def get(coordinator: connection.Connection, project_id: str, run_id: str) -> runs.Run:
    """A run.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
    """
    request = run_service_pb2.GetRunRequest(project_id=project_id, run_id=run_id)
    return wire.run((await coordinator.call(_stub(coordinator).GetRun, request)).run)


async def every(coordinator: connection.Connection, project_id: str) -> AsyncIterator[runs.Run]:
    """A project's runs, newest first.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
    """
    page_token = ""
    while True:
        request = run_service_pb2.ListRunsRequest(project_id=project_id, page_token=page_token)
        answer = await coordinator.call(_stub(coordinator).ListRuns, request)
        for message in answer.runs:
            yield wire.run(message)
        page_token = answer.next_page_token
        if not page_token:
            return


async def cancel(coordinator: connection.Connection, project_id: str, run_id: str) -> runs.Run:
    """Cancel a run; returns it as it is now, which may be shortly before its end.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
    """
    request = run_service_pb2.CancelRunRequest(project_id=project_id, run_id=run_id)
    return wire.run((await coordinator.call(_stub(coordinator).CancelRun, request)).run)


async def watch(coordinator: connection.Connection, project_id: str, run_id: str) -> AsyncIterator[runs.Run]:
    """The run now and after every change, until it has ended. A watch that breaks is taken up again.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
    """
    request = run_service_pb2.WatchRunRequest(project_id=project_id, run_id=run_id)
    backoff = retries.Backoff()
    with coordinator.refusals():
        while True:
            try:
                async for answer in _stub(coordinator).WatchRun(request, metadata=coordinator.metadata()):
                    backoff.progressed()
                    run = wire.run(answer.run)
                    yield run
                    if run.state.ended:
                        return
                await backoff.pause(None)
            except grpc.aio.AioRpcError as error:
                await backoff.pause(error)


def _stub(coordinator: connection.Connection) -> run_service_pb2_grpc.RunServiceAsyncStub:
    return run_service_pb2_grpc.RunServiceStub(coordinator.channel)
