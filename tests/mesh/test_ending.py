"""How calls ended: a client that is refused in the middle of a write learns why."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from hushlink.coordinator.v1 import upload_service_pb2 as pb
from hushlink.coordinator.v1 import upload_service_pb2_grpc
from hushlink_domain import errors
from hushlink_mesh import calls, channel, ending, error_desk
from tests.support import coordinators

CHUNK = pb.UploadEncodingsRequest(chunk=pb.EncodingChunk(encodings=bytes(300_000)))
TIMES = 100


@contextlib.asynccontextmanager
async def _uploading(address: str) -> AsyncIterator[Any]:
    """A call that streams, on a connection of its own."""
    async with channel.connect(address) as opened:
        yield upload_service_pb2_grpc.UploadServiceStub(opened).UploadEncodings()


async def test_a_refusal_is_known_whenever_it_comes() -> None:
    """Where a write fails just after the refusal came, grpcio puts its own guess in its place: in some of a hundred."""

    async def refuse(frame: pb.UploadEncodingsRequest, context: calls.Context) -> None:
        if len(recorder.uploads[-1].frames) == 3:
            raise errors.StateError(errors.Reason.WIDTH_MISMATCH, "too wide", expected_bits=8)

    async with coordinators.recording(refuse) as recorder:
        for _ in range(TIMES):
            async with _uploading(recorder.address) as call:
                await _assert_refused(call, ending.Ending(call))
    assert len(recorder.uploads) == TIMES


async def _assert_refused(call: Any, end: ending.Ending) -> None:
    """Write until that fails, and check what the call ended with."""
    with contextlib.suppress(grpc.aio.AioRpcError):
        while not call.done():
            await call.write(CHUNK)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = error_desk.from_grpc(end.error(caught.value))
    assert error is not None
    assert (error.reason, error.facts) == (errors.Reason.WIDTH_MISMATCH, {"expected_bits": "8"})


async def test_a_call_that_succeeds_has_no_error() -> None:
    async with coordinators.recording() as recorder, _uploading(recorder.address) as call:
        end = ending.Ending(call)
        await call.write(pb.UploadEncodingsRequest(trailer=pb.UploadTrailer()))
        await call.done_writing()
        await call
    raised = grpc.aio.AioRpcError(grpc.StatusCode.ABORTED, grpc.aio.Metadata(), grpc.aio.Metadata(), "another's")
    assert end.error(raised) is raised
