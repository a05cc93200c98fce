"""The coordinator put together: what it owns, for how long, and what it serves."""

from __future__ import annotations

import asyncio
import contextlib

from hushlink.coordinator.v1 import (
    project_service_pb2_grpc,
    result_service_pb2_grpc,
    run_service_pb2_grpc,
    upload_service_pb2_grpc,
)
from hushlink_coordinator import access, blobs, config, deletion, dispatch
from hushlink_coordinator.runs import desk, worker
from hushlink_coordinator.servicers import projects, results, runs, uploads
from hushlink_coordinator.store import changes, connection
from hushlink_coordinator.store import projects as project_store
from hushlink_coordinator.store import runs as run_store
from hushlink_coordinator.store import tiles as tile_store
from hushlink_coordinator.store import uploads as upload_store
from hushlink_mesh import lifecycle, server

_PACKAGE = "hushlink.coordinator.v1"
SERVICES = tuple(f"{_PACKAGE}.{name}Service" for name in ("Project", "Upload", "Run", "Result"))


async def serve(settings: config.CoordinatorConfig, stop: asyncio.Event) -> None:
    """Serve and work until asked to stop."""
    async with contextlib.AsyncExitStack() as stack:
        url = settings.database_url.get_secret_value()
        database = await stack.enter_async_context(
            connection.connected(url, most_connections=settings.database_connections)
        )
        objects = await stack.enter_async_context(blobs.connected(settings))
        stores = project_store.ProjectStore(database), run_store.RunStore(database), upload_store.UploadStore(database)
        heard = changes.Changes(url)
        supervisor = lifecycle.Supervisor(stop)
        stack.push_async_callback(supervisor.close)
        supervisor.start("changes", heard.listen())
        matchers = await stack.enter_async_context(dispatch.MatcherPool.open(_dispatch(settings), supervisor))
        rooms = desk.Rooms(settings, stores[1], tile_store.TileStore(database), stores[2], objects, matchers)
        supervisor.start("worker", worker.Worker(rooms, stores[0], heard).work())
        janitor = deletion.Janitor(stores[0], stores[1], objects, heard, settings.unary_timeout_seconds)
        supervisor.start("janitor", janitor.work())
        registers = _registers(settings, stores, objects, heard)
        await stack.enter_async_context(server.serving(settings, "coordinator", SERVICES, registers))
        await stop.wait()


def _dispatch(settings: config.CoordinatorConfig) -> dispatch.Settings:
    return dispatch.Settings(
        matchers=settings.matchers,
        resolve_seconds=settings.matchers_resolve_seconds,
        channel=settings.matchers_channel,
    )


def _registers(
    settings: config.CoordinatorConfig,
    stores: tuple[project_store.ProjectStore, run_store.RunStore, upload_store.UploadStore],
    objects: blobs.Blobs,
    heard: changes.Changes,
) -> list[server.Register]:
    project_facts, run_facts, upload_facts = stores
    checks = access.Access(project_facts, settings.operator_right_sha256, settings.open_creation)
    project_servicer = projects.ProjectServicer(project_facts, objects, checks)
    upload_servicer = uploads.UploadServicer(
        upload_facts, project_facts, objects, checks, settings.idle_timeout_seconds
    )
    run_servicer = runs.RunServicer(run_facts, heard, checks)
    result_servicer = results.ResultServicer(run_facts, objects, checks)
    return [
        lambda target: project_service_pb2_grpc.add_ProjectServiceServicer_to_server(project_servicer, target),
        lambda target: upload_service_pb2_grpc.add_UploadServiceServicer_to_server(upload_servicer, target),
        lambda target: run_service_pb2_grpc.add_RunServiceServicer_to_server(run_servicer, target),
        lambda target: result_service_pb2_grpc.add_ResultServiceServicer_to_server(result_servicer, target),
    ]
