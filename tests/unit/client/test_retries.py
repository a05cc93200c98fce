"""Retries: what may pass is tried again, a bounded number of times, and progress starts the count anew."""

from __future__ import annotations

import grpc
import pytest

from hushlink_client import errors, retries


def failed(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each pause would have been; none is waited for."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("asyncio.sleep", sleep)
    return slept


async def test_it_gives_up_with_the_error_itself(pauses: list[float]) -> None:
    error = failed(grpc.StatusCode.UNAVAILABLE)
    backoff = retries.Backoff(attempts=4)
    for _ in range(3):
        await backoff.pause(error)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await backoff.pause(error)
    assert raised.value is error
    assert len(pauses) == 3


async def test_pauses_grow_to_a_limit(pauses: list[float]) -> None:
    backoff = retries.Backoff(attempts=30)
    for _ in range(20):
        await backoff.pause(failed(grpc.StatusCode.UNAVAILABLE))
    assert all(0.05 <= pause <= 5.0 for pause in pauses)
    assert pauses[0] <= 0.1
    assert min(pauses[8:]) >= 2.5


async def test_progress_starts_the_count_anew(pauses: list[float]) -> None:
    backoff = retries.Backoff(attempts=2)
    for _ in range(10):
        await backoff.pause(failed(grpc.StatusCode.UNAVAILABLE))
        backoff.progressed()
    assert len(pauses) == 10


@pytest.mark.parametrize(
    "code",
    [code for code in grpc.StatusCode if code not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK)],
)
async def test_what_will_not_pass_is_not_tried_again(code: grpc.StatusCode, pauses: list[float]) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await retries.Backoff().pause(failed(code))
    assert pauses == []


async def test_a_stream_that_ends_early_too_often(pauses: list[float]) -> None:
    backoff = retries.Backoff(attempts=3)
    await backoff.pause(None)
    await backoff.pause(None)
    with pytest.raises(errors.ClientError, match="too early"):
        await backoff.pause(None)
