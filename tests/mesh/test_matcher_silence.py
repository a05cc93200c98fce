"""Silence counts against a matcher only where it has something to say, and no longer than that."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from hushlink.matcher.v1 import matcher_service_pb2 as pb2
from hushlink_coordinator import dispatch
from hushlink_coordinator.dispatch import matcher as matchers
from hushlink_domain import digests
from tests.support import dispatching, encodings, scripted_matcher, waiting

WIDTH = 64
SILENCE_SECONDS = 0.1


class HeldBack(dispatching.Chunks):
    """Chunks that rest where nobody can read them for a while."""

    def __init__(self, *datasets: encodings.Dataset) -> None:
        super().__init__(*datasets)
        self.released = asyncio.Event()

    async def read(self, digest: digests.Digest) -> bytes:
        data = await super().read(digest)
        await self.released.wait()
        return data


def _work(*, held_back: bool = False) -> tuple[dispatching.Work, list[encodings.Pair]]:
    left, right = encodings.overlapping(100, 100, WIDTH, 3)
    one, other = encodings.Dataset(left, 0, 100), encodings.Dataset(right, 1, 100)
    source = (HeldBack if held_back else dispatching.Chunks)(one, other)
    comparing = encodings.dice(WIDTH, 0.8, 100)
    work = dispatching.Work(encodings.rectangles(one, other), comparing, source)
    return work, encodings.expected(left, right, comparing)


async def _served(pool: dispatch.MatcherPool) -> matchers.Matcher:
    await waiting.eventually("it is connected", lambda: pool.matchers)
    (served,) = pool._matchers.values()
    return served


async def test_who_waits_for_us_owes_no_word() -> None:
    """While the object store is out of reach, a matcher that waits for its chunks is not taken for hung."""
    work, wanted = _work(held_back=True)
    assert isinstance(work.source, HeldBack)
    async with (
        scripted_matcher.scripted() as matcher,
        dispatching.opened_pool(matcher.address, silence_seconds=SILENCE_SECONDS) as pool,
    ):
        served = await _served(pool)
        finishing = asyncio.create_task(work.finish(pool))
        await waiting.eventually("its chunks are looked for", lambda: work.source.reads)
        assert served.copies
        assert not served.owes_a_word
        work.source.released.set()
        await finishing
    work.assert_answered(wanted)


async def test_who_was_silent_is_given_work_again_once_it_has_none_left() -> None:
    """Its run was cancelled, so it has nothing to say any more, with which it could show that it is back."""
    first, _ = _work()
    second, wanted = _work()

    async def hung(tile: pb2.Tile, answers: list[pb2.MatchResponse]) -> AsyncIterator[pb2.MatchResponse]:
        await asyncio.Event().wait()
        yield answers[0]

    async with (
        scripted_matcher.scripted(scripted_matcher.in_turn(hung, scripted_matcher.honest)) as matcher,
        dispatching.opened_pool(matcher.address, silence_seconds=SILENCE_SECONDS) as pool,
    ):
        served = await _served(pool)
        hanging = asyncio.create_task(first.finish(pool))
        await waiting.eventually("it is taken for hung", lambda: served.silent)
        assert served.owes_a_word
        hanging.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await hanging
        await second.finish(pool)
    second.assert_answered(wanted)
    assert len(matcher.cancelled) == 1
