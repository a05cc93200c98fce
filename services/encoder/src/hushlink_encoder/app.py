"""An encoder put together: what it owns, and how long each thing lives."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools

from hushlink.encoder.v1 import encoder_service_pb2_grpc
from hushlink_encoder import config, jobs, keyring, publishing, servicer
from hushlink_mesh import server


async def serve(settings: config.EncoderConfig, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set; streams that are open then have the grace that the settings give them."""
    with concurrent.futures.ThreadPoolExecutor(settings.threads, thread_name_prefix="encode") as threads:
        register = functools.partial(
            encoder_service_pb2_grpc.add_EncoderServiceServicer_to_server, _servicer(settings, threads)
        )
        async with server.serving(settings, "encoder", [servicer.SERVICE], [register]):
            await stop.wait()


def _servicer(
    settings: config.EncoderConfig, threads: concurrent.futures.ThreadPoolExecutor
) -> servicer.EncoderServicer:
    limits = jobs.Limits(
        columns=settings.max_columns,
        cell_bytes=settings.max_cell_bytes,
        batch_records=settings.max_batch_records,
        message_bytes=settings.max_message_bytes,
    )
    publisher = publishing.Publisher(
        settings.coordinator, settings.coordinator_channel, servicer.VERSION, settings.idle_timeout_seconds
    )
    return servicer.EncoderServicer(
        jobs.Desk(keyring.Keyring(settings.keys), limits, settings.streams, threads),
        publisher,
        idle_seconds=settings.idle_timeout_seconds,
        message_bytes=settings.max_message_bytes,
    )
