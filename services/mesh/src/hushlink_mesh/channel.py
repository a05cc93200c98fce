"""A gRPC channel as every Hushlink client opens one: TLS, limits, keep-alive, the protocol named in every call."""

from __future__ import annotations

from typing import Any

import grpc

from hushlink_mesh import config, protocol, rights

UNARY_TIMEOUT_SECONDS = 60.0
"""The deadline of a unary call where the caller knows no better."""


def connect(
    target: str, channel_config: config.ChannelConfig | None = None, *, max_message_bytes: int = 4 << 20
) -> grpc.aio.Channel:
    """A channel to ``target`` (HOST:PORT). It connects when it is first used; close it when done."""
    settings = channel_config or config.ChannelConfig()
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.enable_http_proxy", 0),
        # Channels of one process share no connection: the fall of one says nothing about another.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if settings.ca is None:
        return grpc.aio.insecure_channel(target, options=options)
    if settings.server_name:
        options.append(("grpc.ssl_target_name_override", settings.server_name))
    credentials = grpc.ssl_channel_credentials(
        root_certificates=settings.ca.read_bytes(),
        private_key=settings.key.read_bytes() if settings.key else None,
        certificate_chain=settings.certificate.read_bytes() if settings.certificate else None,
    )
    return grpc.aio.secure_channel(target, credentials, options=options)


def metadata(right: rights.Right | None = None) -> list[tuple[str, str]]:
    """What every call carries: the protocol, and the caller's right where it has one."""
    entries = [(protocol.METADATA_KEY, str(protocol.PROTOCOL))]
    if right is not None:
        entries.append(right.metadata())
    return entries
