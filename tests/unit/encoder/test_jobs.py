"""Jobs: what ends with a stream, and how soon."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import json
import pathlib
import threading
import weakref
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

from hushlink_domain import errors
from hushlink_encoder import engine, jobs, keyring, refusals
from tests.support import encoding

ORDER = jobs.Order(json.dumps(encoding.schema()), encoding.KEY, "")
LIMITS = jobs.Limits(columns=10, cell_bytes=1000, batch_records=1 << 20, message_bytes=1 << 30)


@pytest.fixture
def threads() -> Iterator[concurrent.futures.ThreadPoolExecutor]:
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def desk(tmp_path: pathlib.Path, threads: concurrent.futures.ThreadPoolExecutor) -> jobs.Desk:
    (tmp_path / encoding.KEY).write_bytes(encoding.SECRET)
    return jobs.Desk(keyring.Keyring(tmp_path), LIMITS, 1, threads)


class Watched(Sequence[str]):
    """A column that tells when it is read, and waits to be allowed."""

    def __init__(self, count: int) -> None:
        self.reads: list[slice] = []
        self.reading, self.allowed = threading.Event(), threading.Event()
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, part: Any) -> Any:
        self.reads.append(part)
        self.reading.set()
        assert self.allowed.wait(60)
        return ["name"] * len(range(self._count)[part])


def columns(watched: Watched) -> list[Sequence[str]]:
    return [watched, ["1980-01-01"] * len(watched), [""] * len(watched)]


@contextlib.asynccontextmanager
async def encoding_now(job: jobs.Job, watched: Watched) -> AsyncIterator[asyncio.Task[bytes]]:
    """A batch whose first turn is under way."""
    task = asyncio.create_task(job.encode(0, columns(watched)))
    await asyncio.to_thread(watched.reading.wait, 60)
    yield task
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_cancelled_batch_ends_with_the_turn_that_is_under_way(
    desk: jobs.Desk, threads: concurrent.futures.ThreadPoolExecutor
) -> None:
    watched = Watched(10 * jobs.STEP_ROWS)
    async with desk.opened(ORDER) as job, encoding_now(job, watched) as task:
        task.cancel()
    watched.allowed.set()
    threads.shutdown(wait=True)
    assert watched.reads == [slice(0, jobs.STEP_ROWS)]


async def test_the_loop_is_free_while_a_batch_is_encoded(desk: jobs.Desk) -> None:
    watched = Watched(10)
    async with desk.opened(ORDER) as job, encoding_now(job, watched) as task:
        assert not task.done()
        watched.allowed.set()
        assert len(await task) == 10 * job.facts.row_bytes


async def test_keys_and_caches_end_with_their_stream(
    desk: jobs.Desk, threads: concurrent.futures.ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[Any]] = []
    original = engine.Encoder

    def recorded(*arguments: Any) -> Any:
        encoder = original(*arguments)
        made.append(weakref.ref(encoder))
        return encoder

    monkeypatch.setattr(engine, "Encoder", recorded)
    async with desk.opened(ORDER) as job:
        await job.encode(0, list(zip(*encoding.records(5), strict=True)))
        (encoder,) = made
        assert encoder() is not None
    del job
    threads.shutdown(wait=True)  # a thread gives its work away a little later than the result
    gc.collect()
    assert encoder() is None


async def test_places_are_given_back(desk: jobs.Desk) -> None:
    for _ in range(3):
        with desk.place(), pytest.raises(errors.CapacityError), desk.place():
            pass


def test_texts_are_clipped_to_whole_characters() -> None:
    assert refusals.clipped("\u20ac" * 10, 30) == "\u20ac" * 10
    assert refusals.clipped("\u20ac" * 10, 29) == "\u20ac" * 8 + "..."
