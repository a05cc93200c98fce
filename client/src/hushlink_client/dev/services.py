"""Hushlink's own services as processes: what each is told, and when it is ready."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from hushlink_client import errors
from hushlink_client.dev import folder, ports, processes, waiting
from hushlink_mesh import channel

_START_SECONDS = 60.0
_STOP_GRACE_SECONDS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """A service to run."""

    name: str
    """The part's name: ``matcher-1``."""
    package: str
    """The package that is run."""
    settings: Mapping[str, str] = dataclasses.field(repr=False)
    """Its environment variables, without the prefix HUSHLINK_."""
    port: int = 0
    """Where to listen; 0 = anywhere."""


@dataclasses.dataclass(frozen=True, slots=True)
class Serving:
    """A service that is ready."""

    process: processes.Process
    address: str
    """HOST:PORT as bound."""


@contextlib.asynccontextmanager
async def serving(service: Service, place: folder.Folder, crew: processes.Crew) -> AsyncIterator[Serving]:
    """A service that is ready inside the ``async with`` block.

    Raises:
        errors.MeshError: it does not become ready.
    """
    address_file = place.addresses / service.name
    address_file.unlink(missing_ok=True)
    settings = {
        "LISTEN": f"{ports.LOOPBACK}:{service.port}",
        "ADDRESS_FILE": str(address_file),
        "STOP_GRACE_SECONDS": str(_STOP_GRACE_SECONDS),
        **service.settings,
    }
    program = processes.Program(
        name=service.name,
        command=(sys.executable, "-P", "-m", service.package),
        environment={f"HUSHLINK_{name}": setting for name, setting in settings.items()},
    )
    async with crew.running(program) as process:
        address = await process.until(waiting.until(lambda: _bound(address_file)), _START_SECONDS)
        await process.until(_healthy(address), _START_SECONDS)
        crew.watch(process)
        yield Serving(process, address)


def _bound(address_file: pathlib.Path) -> str | None:
    return address_file.read_text().strip() if address_file.exists() else None


async def _healthy(address: str) -> None:
    """Wait until the service says that it serves."""
    async with channel.connect(address) as opened:
        stub: Any = health_pb2_grpc.HealthStub(opened)  # its types know no Watch
        async for answer in stub.Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True):
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
    raise errors.MeshError(f"the service at {address} says nothing of its health")
