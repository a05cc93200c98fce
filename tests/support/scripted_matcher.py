"""A matcher written by hand, in the test's own process, which may answer whatever it likes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import grpc
import numpy

import hushlink_native
from hushlink.matcher.v1 import matcher_service_pb2 as pb2
from hushlink.matcher.v1 import matcher_service_pb2_grpc
from hushlink_mesh import framing

Script = Callable[[pb2.Tile, list[pb2.MatchResponse]], AsyncIterator[pb2.MatchResponse]]
"""What to answer to a tile, given what an honest matcher would answer."""


async def honest(tile: pb2.Tile, answers: list[pb2.MatchResponse]) -> AsyncIterator[pb2.MatchResponse]:
    """What is right."""
    del tile
    for answer in answers:
        yield answer


async def stuck(tile: pb2.Tile, answers: list[pb2.MatchResponse]) -> AsyncIterator[pb2.MatchResponse]:
    """Alive, at work, and never done."""
    del answers
    while True:
        yield pb2.MatchResponse(progress=pb2.TileProgress(assignment=tile.assignment, comparisons=1))
        await asyncio.sleep(0.05)


class Hang(Exception):
    """Raised by a script to break its stream."""


@dataclasses.dataclass(eq=False)
class ScriptedMatcher(matcher_service_pb2_grpc.MatcherServiceServicer):
    """Answers every tile by its present script."""

    script: Script = honest
    slots: int = 2
    introduction: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Fields of its introduction that differ from the usual ones."""
    address: str = ""
    streams: int = 0
    """How many were begun."""
    tiles: list[pb2.Tile] = dataclasses.field(default_factory=list)
    """All that were assigned."""
    cancelled: list[int] = dataclasses.field(default_factory=list)
    credit: int = 0
    """How many bytes of pairs it may have sent, over all its streams."""
    ended: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    """Set whenever a stream has ended."""

    async def Match(self, request_iterator: Any, context: Any) -> AsyncIterator[pb2.MatchResponse]:
        self.streams += 1
        async for first in request_iterator:
            self.credit += first.hello.pair_credit_bytes
            break
        yield pb2.MatchResponse(hello=self._hello())
        outgoing: asyncio.Queue[pb2.MatchResponse | BaseException | None] = asyncio.Queue()
        reading = asyncio.create_task(self._read(request_iterator, outgoing))
        try:
            while (answer := await outgoing.get()) is not None:
                if isinstance(answer, Hang):
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "scripted")
                if isinstance(answer, BaseException):
                    raise answer
                yield answer
        finally:
            reading.cancel()
            self.ended.set()

    def _hello(self) -> pb2.MatcherHello:
        usual = {
            "matcher_id": f"scripted {self.address}",
            "version": "test",
            "protocol": 1,
            "slots": self.slots,
            "chunk_cache_bytes": 1 << 30,
            "metrics": ["dice", "jaccard", "hamming"],
            "max_width_bits": 16_384,
            "chunk_credit_bytes": 1 << 30,
        }
        return pb2.MatcherHello(**{**usual, **self.introduction})

    async def _read(self, requests: Any, outgoing: asyncio.Queue[Any]) -> None:
        chunks: dict[bytes, bytes] = {}
        performing: dict[int, asyncio.Task[None]] = {}
        async for request in requests:
            match request.WhichOneof("message"):
                case "chunk":
                    name = request.chunk.digest.hash
                    chunks[name] = chunks.get(name, b"") + request.chunk.data
                case "tile":
                    tile = request.tile
                    self.tiles.append(tile)
                    answers = honest_answers(tile, chunks)
                    performing[tile.assignment] = asyncio.create_task(self._perform(tile, answers, outgoing))
                case "credit":
                    self.credit += request.credit.bytes
                case "cancel":
                    self.cancelled.append(request.cancel.assignment)
                    performing[request.cancel.assignment].cancel()
        outgoing.put_nowait(None)

    async def _perform(self, tile: pb2.Tile, answers: list[pb2.MatchResponse], outgoing: asyncio.Queue[Any]) -> None:
        try:
            async for answer in self.script(tile, answers):
                outgoing.put_nowait(answer)
        except Exception as error:
            outgoing.put_nowait(error)


def honest_answers(tile: pb2.Tile, chunks: dict[bytes, bytes]) -> list[pb2.MatchResponse]:
    """A tile's frames and its end. Several runs are cut from the sorted pairs, unlike a real matcher's."""
    width = tile.width_bits // 8
    left = _rows((chunks[name.hash] for name in tile.left), width)
    right = _rows((chunks[name.hash] for name in tile.right), width) if tile.right else None
    columns = hushlink_native.candidate_pairs(left, right, tile.threshold, metric=tile.metric)
    count = len(columns[0])
    answers = [
        frame(tile.assignment, run, *(column[first : first + tile.pairs_per_run] for column in columns))
        for run, first in enumerate(range(0, count, tile.pairs_per_run))
    ]
    comparisons = len(left) * (len(left) - 1) // 2 if right is None else len(left) * len(right)
    done = pb2.TileDone(
        assignment=tile.assignment,
        pair_count=count,
        run_count=len(answers),
        comparisons=comparisons,
        busy_nanos=1000 * comparisons,
    )
    return [*answers, pb2.MatchResponse(done=done)]


def frame(
    assignment: int, run: int, scores: Any, left_rows: Any, right_rows: Any, *, last: bool = True
) -> pb2.MatchResponse:
    """A frame of pairs with its right checksum."""
    columns = [
        numpy.asarray(column, dtype=kind).tobytes()
        for column, kind in ((scores, "<f8"), (left_rows, "<u4"), (right_rows, "<u4"))
    ]
    names = ("scores", "left_rows", "right_rows")
    pairs = pb2.PairFrame(
        assignment=assignment,
        run=run,
        crc32c=framing.crc32c(*columns),
        last=last,
        **dict(zip(names, columns, strict=True)),
    )
    return pb2.MatchResponse(pairs=pairs)


def _rows(chunks: Iterable[bytes], width: int) -> Any:
    return numpy.frombuffer(b"".join(chunks), dtype=numpy.uint8).reshape(-1, width)


def in_turn(*scripts: Script) -> Script:
    """The first script for the first tile, and so on; the last for all the rest."""
    numbers = itertools.count()

    def script(tile: pb2.Tile, answers: list[pb2.MatchResponse]) -> AsyncIterator[pb2.MatchResponse]:
        return scripts[min(next(numbers), len(scripts) - 1)](tile, answers)

    return script


def changed(change: Callable[[list[pb2.MatchResponse]], Sequence[pb2.MatchResponse]]) -> Script:
    """Honest answers, changed."""

    async def script(tile: pb2.Tile, answers: list[pb2.MatchResponse]) -> AsyncIterator[pb2.MatchResponse]:
        for answer in change(answers):
            yield answer

    return script


@contextlib.asynccontextmanager
async def scripted(script: Script = honest, *, port: int = 0, **details: Any) -> AsyncIterator[ScriptedMatcher]:
    """A scripted matcher that serves."""
    matcher = ScriptedMatcher(script, **details)
    server = grpc.aio.server()
    matcher_service_pb2_grpc.add_MatcherServiceServicer_to_server(matcher, server)
    matcher.address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    await server.start()
    try:
        yield matcher
    finally:
        await server.stop(None)
