"""A coordinator written by hand, which may say whatever it likes to a matcher."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import numpy

from hushlink.matcher.v1 import matcher_service_pb2 as pb2
from hushlink.matcher.v1 import matcher_service_pb2_grpc
from hushlink.mesh.v1 import digest_pb2
from hushlink_domain import digests, errors
from hushlink_mesh import channel, error_desk
from tests.support import encodings

CREDIT = 1 << 30


def named(data: bytes) -> digest_pb2.Digest:
    """The digest of some bytes, as it travels."""
    digest = digests.Digest.of(data)
    return digest_pb2.Digest(hash=digest.hash, size_bytes=digest.size_bytes)


class Talk:
    """One stream."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.hello: pb2.MatcherHello = pb2.MatcherHello()

    async def say(self, **message: Any) -> None:
        await self._call.write(pb2.MatchRequest(**message))

    async def introduce(self, credit: int = CREDIT, protocol: int = 1) -> None:
        await self.say(hello=pb2.CoordinatorHello(version="test", protocol=protocol, pair_credit_bytes=credit))
        self.hello = await self.next("hello")

    async def say_chunk(self, data: bytes, piece_bytes: int = 1 << 20) -> digest_pb2.Digest:
        name = named(data)
        for offset in range(0, len(data), piece_bytes):
            await self.say(chunk=pb2.ChunkFrame(digest=name, offset=offset, data=data[offset : offset + piece_bytes]))
        return name

    async def say_tile(
        self,
        assignment: int,
        left: Sequence[digest_pb2.Digest],
        right: Sequence[digest_pb2.Digest] = (),
        **changes: Any,
    ) -> None:
        size = {"width_bits": 512, "metric": "dice", "threshold": 0.8, "pairs_per_run": 1 << 18}
        await self.say(tile=pb2.Tile(assignment=assignment, left=left, right=right, **{**size, **changes}))

    async def heard(self) -> pb2.MatchResponse:
        """The next message; a test that hears the end of the stream instead fails."""
        response = await self._call.read()
        assert response is not grpc.aio.EOF, f"the stream has ended: {await self._call.code()}"
        return response

    async def next(self, *kinds: str) -> Any:
        """The next message of one of these kinds; others are passed over."""
        while True:
            response = await self.heard()
            if (kind := response.WhichOneof("message")) in kinds:
                return getattr(response, kind)

    async def until_done(self, assignment: int) -> tuple[list[list[encodings.Pair]], pb2.TileDone]:
        """All runs of a tile, and its end."""
        runs: list[list[encodings.Pair]] = []
        while True:
            response = await self.heard()
            kind = response.WhichOneof("message")
            if kind == "pairs" and response.pairs.assignment == assignment:
                frame = response.pairs
                assert frame.run in (len(runs), len(runs) - 1)
                if frame.run == len(runs):
                    runs.append([])
                runs[-1] += pairs_in(frame)
            assert kind != "failed", response.failed
            if kind == "done" and response.done.assignment == assignment:
                return runs, response.done

    async def end(self) -> errors.DomainError | None:
        """How the matcher ends the stream: None = in good order."""
        try:
            while await self._call.read() is not grpc.aio.EOF:
                pass
            if await self._call.code() is grpc.StatusCode.OK:
                return None
            raise grpc.aio.AioRpcError(
                await self._call.code(),
                await self._call.initial_metadata(),
                await self._call.trailing_metadata(),
                await self._call.details(),
            )
        except grpc.aio.AioRpcError as error:
            refused = error_desk.from_grpc(error)
            assert refused is not None, error
            return refused

    async def done_talking(self) -> None:
        await self._call.done_writing()

    def hang_up(self) -> None:
        self._call.cancel()


def pairs_in(frame: pb2.PairFrame) -> list[encodings.Pair]:
    """A frame's pairs."""
    columns = (
        numpy.frombuffer(frame.scores, "<f8"),
        numpy.frombuffer(frame.left_rows, "<u4"),
        numpy.frombuffer(frame.right_rows, "<u4"),
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))


@contextlib.asynccontextmanager
async def talking(address: str) -> AsyncIterator[Talk]:
    """A stream on which nothing was said yet."""
    async with channel.connect(address) as wire:
        call = matcher_service_pb2_grpc.MatcherServiceStub(wire).Match(metadata=channel.metadata())
        try:
            yield Talk(call)
        finally:
            call.cancel()


@contextlib.asynccontextmanager
async def introduced(address: str, credit: int = CREDIT) -> AsyncIterator[Talk]:
    """A stream on which both sides have introduced themselves."""
    async with talking(address) as talk:
        await talk.introduce(credit)
        yield talk
