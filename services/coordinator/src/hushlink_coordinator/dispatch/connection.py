"""The wire to a matcher: one long-lived stream, and the only place of dispatch that knows the protocol's messages."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator

import grpc

from hushlink.matcher.v1 import matcher_service_pb2, matcher_service_pb2_grpc
from hushlink.mesh.v1 import digest_pb2
from hushlink_coordinator.dispatch import discovery, frames
from hushlink_domain import digests, errors, tiles
from hushlink_mesh import channel, config, error_desk, framing, protocol

_Request = matcher_service_pb2.MatchRequest
_Response = matcher_service_pb2.MatchResponse


class LostError(Exception):
    """The stream has ended, or never began; the message says why."""


class Connection:
    """A stream to a matcher that has introduced itself."""

    def __init__(self, call: grpc.aio.StreamStreamCall[_Request, _Response], hello: frames.Hello) -> None:
        self.hello = hello
        """Who is at the other end."""
        self._call = call
        self._writing = asyncio.Lock()

    async def frames(self) -> AsyncIterator[frames.Frame]:
        """What the matcher says, until it ends the stream in good order.

        Raises:
            LostError: the stream broke.
            frames.ViolationError: the matcher said something that has no place there.
        """
        while True:
            with _as_lost():
                response = await self._call.read()
            if response is grpc.aio.EOF:
                with _as_lost():
                    await _check_end(self._call)
                return
            assert isinstance(response, _Response)  # noqa: S101 - for the type checker
            yield _frame(response)

    async def send_chunk(self, digest: digests.Digest, offset: int, piece: bytes) -> None:
        """Send a piece of a chunk."""
        chunk = matcher_service_pb2.ChunkFrame(digest=framing.digest_to_proto(digest), offset=offset, data=piece)
        await self._send(_Request(chunk=chunk))

    async def send_tile(self, number: int, tile: tiles.Tile, comparing: tiles.Comparing) -> None:
        """Assign a tile, whose chunks were all sent."""
        message = matcher_service_pb2.Tile(
            assignment=number,
            width_bits=8 * comparing.width_bytes,
            metric=comparing.metric.value,
            threshold=comparing.threshold,
            left=_names(tile.left),
            right=_names(tile.right) if tile.right else (),
            pairs_per_run=comparing.pairs_per_run,
        )
        await self._send(_Request(tile=message))

    async def send_cancel(self, number: int) -> None:
        """Take an assignment back."""
        await self._send(_Request(cancel=matcher_service_pb2.CancelTile(assignment=number)))

    async def send_credit(self, size_bytes: int) -> None:
        """Make room for more bytes of pairs."""
        await self._send(_Request(credit=matcher_service_pb2.Credit(bytes=size_bytes)))

    async def _send(self, request: _Request) -> None:
        with _as_lost():
            async with self._writing:
                await self._call.write(request)


@contextlib.asynccontextmanager
async def opened(
    address: discovery.Address, channel_config: config.ChannelConfig, pair_credit_bytes: int, hello_seconds: float
) -> AsyncIterator[Connection]:
    """A stream to the matcher at ``address``, which ends with the ``async with`` block.

    Raises:
        LostError: nobody is there, or whoever is does not introduce themselves in time.
        frames.ViolationError: whoever is there is no matcher we understand.
    """
    if channel_config.ca is not None and channel_config.server_name is None:
        channel_config = channel_config.model_copy(update={"server_name": address.host})
    async with channel.connect(str(address), channel_config) as wire:
        stub: matcher_service_pb2_grpc.MatcherServiceAsyncStub = matcher_service_pb2_grpc.MatcherServiceStub(wire)
        call = stub.Match(metadata=channel.metadata())
        try:
            hello = await _introduced(call, pair_credit_bytes, hello_seconds)
            yield Connection(call, hello)
        finally:
            call.cancel()


async def _introduced(
    call: grpc.aio.StreamStreamCall[_Request, _Response], pair_credit_bytes: int, hello_seconds: float
) -> frames.Hello:
    own = matcher_service_pb2.CoordinatorHello(
        version=protocol.VERSION, protocol=protocol.PROTOCOL, pair_credit_bytes=pair_credit_bytes
    )
    try:
        with _as_lost():
            async with asyncio.timeout(hello_seconds):
                await call.write(_Request(hello=own))
                response = await call.read()
                if response is grpc.aio.EOF:
                    await _check_end(call)
    except TimeoutError:
        raise LostError(f"no introduction within {hello_seconds:g} seconds") from None
    if not isinstance(response, _Response) or not response.HasField("hello"):
        raise frames.ViolationError("the stream does not begin with an introduction")
    return _hello(response.hello)


def _hello(hello: matcher_service_pb2.MatcherHello) -> frames.Hello:
    try:
        protocol.check(hello.protocol)
    except errors.CallerError as error:
        raise frames.ViolationError(error.message) from None
    if not hello.matcher_id or not hello.slots or not hello.chunk_credit_bytes:
        raise frames.ViolationError("an introduction without name, slots or credit for chunks")
    return frames.Hello(
        matcher_id=hello.matcher_id,
        version=hello.version,
        slots=hello.slots,
        kernel_path=hello.kernel_path,
        chunk_cache_bytes=hello.chunk_cache_bytes,
        metrics=frozenset(hello.metrics),
        max_width_bits=hello.max_width_bits,
        held=_digests(hello.held),
        chunk_credit_bytes=hello.chunk_credit_bytes,
    )


def _frame(response: _Response) -> frames.Frame:
    match response.WhichOneof("message"):
        case "pairs":
            pairs = response.pairs
            return frames.Pairs(
                assignment=pairs.assignment,
                run=pairs.run,
                scores=pairs.scores,
                left_rows=pairs.left_rows,
                right_rows=pairs.right_rows,
                crc32c=pairs.crc32c,
                last=pairs.last,
            )
        case "progress":
            return frames.Progress(response.progress.assignment, response.progress.comparisons)
        case "done":
            done = response.done
            return frames.Done(done.assignment, done.pair_count, done.run_count, done.comparisons, done.busy_nanos)
        case "failed":
            failed = response.failed
            return frames.Failed(failed.assignment, failed.reason, failed.message, failed.retryable)
        case "credit":
            return frames.ChunkCredit(response.credit.bytes)
        case "chunks":
            return frames.ChunksDropped(_digests(response.chunks.dropped))
        case kind:
            raise frames.ViolationError(f"{kind or 'an empty frame'} in the middle of the stream")


def _names(side: tiles.Side) -> list[digest_pb2.Digest]:
    return [framing.digest_to_proto(chunk.digest) for chunk in side.chunks]


def _digests(names: Iterable[digest_pb2.Digest]) -> tuple[digests.Digest, ...]:
    return tuple(framing.digest_from_proto(name) for name in names)


async def _check_end(call: grpc.aio.StreamStreamCall[_Request, _Response]) -> None:
    """Raise what the call ended with, unless it ended well."""
    code = await call.code()
    if code is not grpc.StatusCode.OK:
        raise LostError(f"{code.name}: {await call.details()}")


@contextlib.contextmanager
def _as_lost() -> Iterator[None]:
    """Turn what grpc raises when a stream is no more into LostError."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        told = error_desk.from_grpc(error)
        why = f"{told.reason.value}: {told.message}" if told else f"{error.code().name}: {error.details()}"
        raise LostError(why) from None
    except (grpc.aio.UsageError, asyncio.InvalidStateError) as error:
        raise LostError(f"the stream is over: {error}") from None
