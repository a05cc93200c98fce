"""What a run brings to the matcher pool, held in memory, and a pool to bring it to."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import numpy

from hushlink_coordinator import dispatch
from hushlink_domain import digests, tiles
from hushlink_mesh import lifecycle
from tests.support import encodings


class Chunks:
    """A chunk source that remembers what was asked."""

    def __init__(self, *datasets: encodings.Dataset) -> None:
        self.blobs = {digest: data for dataset in datasets for digest, data in dataset.blobs().items()}
        self.reads: list[digests.Digest] = []

    async def read(self, digest: digests.Digest) -> bytes:
        self.reads.append(digest)
        return self.blobs[digest]


class Pairs:
    """A pair sink."""

    def __init__(self) -> None:
        self.runs: dict[tuple[int, int], tuple[bytes, bytes, bytes]] = {}
        self.stores = 0
        self.bases: dict[int, tuple[int, int]] = {}

    async def store(self, tile: tiles.Tile, run: int, scores: bytes, left_rows: bytes, right_rows: bytes) -> None:
        self.stores += 1
        self.runs[tile.index, run] = (scores, left_rows, right_rows)
        self.bases[tile.index] = (tile.left.first_row, (tile.right or tile.left).first_row)

    def found(self, answers: Sequence[tiles.TileAnswer]) -> list[encodings.Pair]:
        """The pairs of every run that an answer counts, in canonical order, in rows of the datasets."""
        pairs: list[encodings.Pair] = []
        for answer in answers:
            for run, count in enumerate(answer.run_pairs):
                scores, left, right = self.runs[answer.index, run]
                left_base, right_base = self.bases[answer.index]
                columns = (
                    numpy.frombuffer(scores, "<f8"),
                    numpy.frombuffer(left, "<u4") + left_base,
                    numpy.frombuffer(right, "<u4") + right_base,
                )
                assert len(columns[0]) == count
                pairs += zip(*(column.tolist() for column in columns), strict=True)
        return sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2]))


@dataclasses.dataclass
class Work:
    """One comparison, from the run's side."""

    plan: list[tiles.Tile]
    comparing: tiles.Comparing
    source: Chunks
    sink: Pairs = dataclasses.field(default_factory=Pairs)
    answers: list[tiles.TileAnswer] = dataclasses.field(default_factory=list)
    progress: list[int] = dataclasses.field(default_factory=list)

    def begun(self, pool: dispatch.MatcherPool) -> AsyncGenerator[tiles.TileAnswer, None]:
        return pool.compare(self.plan, self.comparing, self.source, self.sink, self.progress.append)

    async def finish(self, pool: dispatch.MatcherPool) -> None:
        async with contextlib.aclosing(self.begun(pool)) as answers:
            async for answer in answers:
                self.answers.append(answer)

    def assert_answered(self, wanted: list[encodings.Pair]) -> None:
        """Every tile was answered once, progress only grew, and the pairs are those wanted."""
        assert sorted(answer.index for answer in self.answers) == [tile.index for tile in self.plan]
        assert self.progress == sorted(self.progress)
        assert self.progress[-1] == sum(tile.comparisons for tile in self.plan)
        assert self.sink.found(self.answers) == wanted


@contextlib.asynccontextmanager
async def opened_pool(*matchers: str, **settings: Any) -> AsyncIterator[dispatch.MatcherPool]:
    """A pool that fails its test when one of its tasks fails."""
    stop = asyncio.Event()
    supervisor = lifecycle.Supervisor(stop)
    quick: dict[str, Any] = {
        "resolve_seconds": 0.1,
        "silence_seconds": 1.0,
        "redial_seconds": 0.2,
        "tick_seconds": 0.05,
    }
    try:
        async with dispatch.MatcherPool.open(
            dispatch.Settings(tuple(matchers), **{**quick, **settings}), supervisor
        ) as pool:
            yield pool
            assert not stop.is_set(), "a task of the pool failed"
    finally:
        await supervisor.close()
