"""A matcher put together: what it owns, and how long each thing lives."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools

import hushlink_native
from hushlink.matcher.v1 import matcher_service_pb2_grpc
from hushlink_domain import encodings, metrics
from hushlink_matcher import config, servicer, session, slots
from hushlink_mesh import server


async def serve(settings: config.MatcherConfig, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set; work that is not done then is dropped, its coordinators give it to others."""
    with concurrent.futures.ThreadPoolExecutor(settings.slots, thread_name_prefix="slot") as threads:
        matching = _servicer(settings, threads)
        register = functools.partial(matcher_service_pb2_grpc.add_MatcherServiceServicer_to_server, matching)
        async with server.serving(settings, "matcher", [servicer.SERVICE], [register]):
            try:
                await stop.wait()
            finally:
                await matching.close()


def _servicer(settings: config.MatcherConfig, threads: concurrent.futures.Executor) -> servicer.MatcherServicer:
    limits = session.Limits(settings.chunk_cache_bytes, settings.chunk_credit_bytes, settings.max_pairs_per_run)
    introduction = servicer.Introduction(
        slots=settings.slots,
        kernel_paths=tuple(reversed(hushlink_native.kernel_paths())),
        kernel_path=hushlink_native.active_path(),
        metrics=tuple(metric.value for metric in metrics.Metric),
        max_width_bits=encodings.MAX_WIDTH_BITS,
        limits=limits,
    )
    bench = slots.Slots(settings.slots)
    return servicer.MatcherServicer(
        introduction,
        functools.partial(session.Session, limits, bench, threads),
        max_coordinators=settings.max_coordinators,
        hello_seconds=settings.idle_timeout_seconds,
    )
