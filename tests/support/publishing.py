"""Callers of an encoder's Publish."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import grpc
import pytest

from hushlink.encoder.v1 import encoder_service_pb2 as pb
from hushlink_domain import errors
from hushlink_mesh import channel, ending, rights
from tests.support import encoding

RIGHT = rights.Right("hl_a-party-of-the-tests")
CANARY = "Wolkenstein"
"""What stands in cells, and must not come out."""


async def publish(encoder: encoding.Encoder, right: rights.Right | None, *frames: encoding.Frame) -> pb.PublishResponse:
    """Publish a stream that is sent whole."""
    async with encoder.stub() as stub:
        requests = iter(encoding.publish_frames(frames))
        return await receipt(stub.Publish(requests, metadata=channel.metadata(right), timeout=encoding.CALL_SECONDS))


def receipt(call: Any) -> Coroutine[Any, Any, pb.PublishResponse]:
    """The receipt, or the status that the encoder truly gave."""
    end = ending.Ending(call)

    async def awaited() -> pb.PublishResponse:
        try:
            response: pb.PublishResponse = await call
            return response
        except grpc.aio.AioRpcError as error:
            raise end.error(error) from None

    return awaited()


async def refusal(encoder: encoding.Encoder, right: rights.Right | None, *frames: encoding.Frame) -> errors.DomainError:
    """Why a stream is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await publish(encoder, right, *frames)
    assert CANARY not in encoding.everything_said(caught.value)
    return encoding.refused(caught.value)


@contextlib.asynccontextmanager
async def publishing(coordinator: str, **settings: object) -> AsyncIterator[encoding.Encoder]:
    """An encoder that publishes to a coordinator, and whose log shows no cell, secret or right at its end."""
    async with encoding.started_encoder(coordinator=coordinator, log_level="DEBUG", **settings) as encoder:
        yield encoder
        log = encoder.process.log.read_text()
        for hidden in (CANARY, encoding.SECRET.decode(), RIGHT.reveal()):
            assert hidden not in log
