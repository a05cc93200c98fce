"""A gRPC server as every Hushlink process runs one: health, reflection, server info, limits, TLS, a graceful end."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import pathlib
from collections.abc import AsyncIterator, Callable, Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from hushlink.mesh.v1 import server_service_pb2, server_service_pb2_grpc
from hushlink_mesh import calls, config, protocol, telemetry

logger = logging.getLogger(__name__)

Register = Callable[[grpc.aio.Server], None]
"""Adds one servicer to a server: ``lambda server: add_XServicer_to_server(servicer, server)``."""


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """A server that serves."""

    address: str
    """HOST:PORT as bound."""
    health: health.aio.HealthServicer
    """Where the process says whether it is ready."""


class _ServerInfo(server_service_pb2_grpc.ServerServiceServicer):
    def __init__(self, service: str, max_message_bytes: int) -> None:
        self._answer = server_service_pb2.GetServerInfoResponse(
            service=service,
            version=protocol.VERSION,
            protocol=protocol.PROTOCOL,
            protocol_oldest=protocol.PROTOCOL_OLDEST,
            max_message_bytes=max_message_bytes,
        )

    async def GetServerInfo(  # noqa: N802 - the name is the proto's
        self,
        request: server_service_pb2.GetServerInfoRequest,
        context: calls.Context,
    ) -> server_service_pb2.GetServerInfoResponse:
        del request, context
        return self._answer


@contextlib.asynccontextmanager
async def serving(
    settings: config.ProcessConfig, service: str, names: Sequence[str], registers: Sequence[Register]
) -> AsyncIterator[Running]:
    """A server that serves inside the ``async with`` block and ends gracefully behind it.

    Args:
        settings: where to listen, limits, TLS.
        service: the kind of process, for server info.
        names: full names of the services, for health and reflection.
        registers: adds each service to the server.
    """
    server = grpc.aio.server(
        interceptors=[calls.Interceptor(settings.unary_timeout_seconds)],
        options=_options(settings),
    )
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    info = _ServerInfo(service, settings.max_message_bytes)
    server_service_pb2_grpc.add_ServerServiceServicer_to_server(info, server)
    for register in registers:
        register(server)
    info_name = server_service_pb2.DESCRIPTOR.services_by_name["ServerService"].full_name
    reflection.enable_server_reflection([*names, info_name, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    address = _bind(server, settings)
    metrics = telemetry.serve_metrics(settings.metrics_listen) if settings.metrics_listen else None
    await server.start()
    for name in ("", *names):
        await health_servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    _announce(settings.address_file, address)
    logger.info("serving", extra={"service": service, "address": address, "version": protocol.VERSION})
    try:
        yield Running(address, health_servicer)
    finally:
        await health_servicer.enter_graceful_shutdown()
        await server.stop(settings.stop_grace_seconds)
        if metrics is not None:
            metrics.shutdown()
            metrics.server_close()
        logger.info("stopped", extra={"service": service})


def _options(settings: config.ProcessConfig) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.max_metadata_size", 16 << 10),
        # Two processes that share a port by accident would each get half of the calls.
        ("grpc.so_reuseport", 0),
        # Dead peers are found, also behind a firewall that drops silently; live ones may ping as often.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
    ]


def _bind(server: grpc.aio.Server, settings: config.ProcessConfig) -> str:
    host, _, _ = settings.listen.rpartition(":")
    if settings.tls_certificate is None or settings.tls_key is None:
        port = server.add_insecure_port(settings.listen)
        return f"{host}:{port}"
    client_ca = settings.tls_client_ca.read_bytes() if settings.tls_client_ca else None
    credentials = grpc.ssl_server_credentials(
        [(settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes())],
        root_certificates=client_ca,
        require_client_auth=client_ca is not None,
    )
    return f"{host}:{server.add_secure_port(settings.listen, credentials)}"


def _announce(file: pathlib.Path | None, address: str) -> None:
    """Write the address so that a reader sees all of it or nothing."""
    if file is None:
        return
    draft = file.with_name(file.name + ".new")
    draft.write_text(address + "\n")
    draft.replace(file)
