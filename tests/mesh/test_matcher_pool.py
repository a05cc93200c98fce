"""Runs on real matchers, which come, go, hang and die."""

from __future__ import annotations

import contextlib

import pytest

from tests.support import dispatching, encodings, processes

WIDTH = 64


def _work(
    rows: int = 3000, *, seed: int = 1, pairs_per_run: int = 1 << 18
) -> tuple[dispatching.Work, list[encodings.Pair]]:
    left, right = encodings.overlapping(rows, rows + 100, WIDTH, seed)
    one, other = encodings.Dataset(left, 0, 500), encodings.Dataset(right, 1, 400)
    comparing = encodings.dice(WIDTH, 0.8, pairs_per_run)
    work = dispatching.Work(encodings.rectangles(one, other), comparing, dispatching.Chunks(one, other))
    return work, encodings.expected(left, right, comparing)


@pytest.mark.parametrize("matchers", [1, 2])
async def test_finds_what_the_kernel_finds(matchers: int) -> None:
    work, wanted = _work()
    assert len(wanted) > 1000
    async with contextlib.AsyncExitStack() as stack:
        started = [await stack.enter_async_context(processes.started_matcher()) for _ in range(matchers)]
        pool = await stack.enter_async_context(dispatching.opened_pool(*(each.address for each in started)))
        await work.finish(pool)
    work.assert_answered(wanted)
