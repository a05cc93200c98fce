"""The wire of a matcher: frames in, answers out; what they mean is the session's business."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator, Callable, Iterable

from hushlink.matcher.v1 import matcher_service_pb2, matcher_service_pb2_grpc
from hushlink.mesh.v1 import digest_pb2
from hushlink_domain import digests, errors
from hushlink_matcher import answers, assignments, meters, session
from hushlink_mesh import calls, error_desk, framing, protocol

SERVICE = matcher_service_pb2.DESCRIPTOR.services_by_name["MatcherService"].full_name

_Request = matcher_service_pb2.MatchRequest
_Response = matcher_service_pb2.MatchResponse


@dataclasses.dataclass(frozen=True, slots=True)
class Introduction:
    """What a matcher says of itself."""

    slots: int
    kernel_paths: tuple[str, ...]
    """Best first."""
    kernel_path: str
    metrics: tuple[str, ...]
    max_width_bits: int
    limits: session.Limits
    matcher_id: str = dataclasses.field(default_factory=lambda: secrets.token_hex(8))


class MatcherServicer(matcher_service_pb2_grpc.MatcherServiceServicer):
    """Serves ``Match``."""

    def __init__(
        self,
        introduction: Introduction,
        open_session: Callable[[int], session.Session],
        *,
        max_coordinators: int,
        hello_seconds: float,
    ) -> None:
        """``open_session`` takes the coordinator's pair credit in bytes; its hello must come in ``hello_seconds``."""
        self._introduction = introduction
        self._open_session = open_session
        self._max_coordinators = max_coordinators
        self._hello_seconds = hello_seconds
        self._sessions: set[session.Session] = set()
        self._coordinators = 0

    async def Match(  # noqa: N802 - the name is the proto's
        self, request_iterator: AsyncIterator[_Request], context: calls.Context
    ) -> AsyncIterator[_Response]:
        """Work for one coordinator until either side ends the stream."""
        del context
        self._admit()
        try:
            hello = await self._hello(request_iterator)
            yield self._introduced()
            opened = self._open_session(hello.pair_credit_bytes)
            self._sessions.add(opened)
            reading = asyncio.create_task(_read(request_iterator, opened), name="match requests")
            try:
                async for answer in opened.outgoing():
                    yield _wire(answer)
            finally:
                opened.close()
                reading.cancel()
                self._sessions.discard(opened)
        finally:
            self._coordinators -= 1
            meters.COORDINATORS.dec()

    async def close(self) -> None:
        """End every stream and drop its work; returns when no thread compares any more."""
        sessions = list(self._sessions)
        for opened in sessions:
            opened.close()
        for opened in sessions:
            await opened.closed()

    def _admit(self) -> None:
        if self._coordinators >= self._max_coordinators:
            raise errors.CapacityError(
                errors.Reason.LIMIT_EXCEEDED,
                f"{self._max_coordinators} coordinators hold a stream to this matcher already: try another matcher",
                limit="max_coordinators",
                allowed=self._max_coordinators,
            )
        self._coordinators += 1
        meters.COORDINATORS.inc()

    async def _hello(self, requests: AsyncIterator[_Request]) -> matcher_service_pb2.CoordinatorHello:
        async for frame in calls.frames(requests, self._hello_seconds):
            request: _Request = frame
            kind = request.WhichOneof("message")
            if kind != "hello":
                raise _out_of_order("hello", kind)
            protocol.check(request.hello.protocol)
            return request.hello
        raise _out_of_order("hello", "end of stream")

    def _introduced(self) -> _Response:
        own = self._introduction
        return _Response(
            hello=matcher_service_pb2.MatcherHello(
                matcher_id=own.matcher_id,
                version=protocol.VERSION,
                protocol=protocol.PROTOCOL,
                slots=own.slots,
                kernel_paths=own.kernel_paths,
                kernel_path=own.kernel_path,
                chunk_cache_bytes=own.limits.chunk_cache_bytes,
                metrics=own.metrics,
                max_width_bits=own.max_width_bits,
                chunk_credit_bytes=own.limits.chunk_credit_bytes,
            )
        )


def _out_of_order(expected: str, found: str | None) -> errors.CallerError:
    return errors.CallerError(
        errors.Reason.STREAM_ORDER,
        f"the stream had {found or 'an empty frame'} where {expected} belongs",
        expected=expected,
        found=found or "nothing",
    )


async def _read(requests: AsyncIterator[_Request], opened: session.Session) -> None:
    """Hand every frame to the session, and close it at the end of the stream or at the first frame that is wrong."""
    try:
        async for request in requests:
            await _take(request, opened)
    except Exception as error:
        opened.close(error_desk.foreseen(error))
    else:
        opened.close()


async def _take(request: _Request, opened: session.Session) -> None:
    match request.WhichOneof("message"):
        case "chunk":
            chunk = request.chunk
            await opened.take_chunk(framing.digest_from_proto(chunk.digest), chunk.offset, chunk.data)
        case "tile":
            await opened.take_tile(_tile(request.tile))
        case "cancel":
            opened.cancel_tile(request.cancel.assignment)
        case "credit":
            opened.take_credit(request.credit.bytes)
        case kind:
            raise _out_of_order("a chunk, tile, cancel or credit", kind)


def _tile(tile: matcher_service_pb2.Tile) -> assignments.Request:
    def side(names: Iterable[digest_pb2.Digest]) -> tuple[digests.Digest, ...]:
        return tuple(framing.digest_from_proto(name) for name in names)

    return assignments.Request(
        number=tile.assignment,
        width_bits=tile.width_bits,
        metric=tile.metric,
        threshold=tile.threshold,
        left=side(tile.left),
        right=side(tile.right),
        pairs_per_run=tile.pairs_per_run,
    )


def _wire(answer: answers.Answer) -> _Response:
    pb2 = matcher_service_pb2
    match answer:
        case answers.Pairs():
            columns = (answer.scores, answer.left_rows, answer.right_rows)
            frame = pb2.PairFrame(
                assignment=answer.assignment,
                run=answer.run,
                scores=answer.scores,
                left_rows=answer.left_rows,
                right_rows=answer.right_rows,
                crc32c=framing.crc32c(*columns),
                last=answer.last,
            )
            return _Response(pairs=frame)
        case answers.Progress(assignment, comparisons):
            return _Response(progress=pb2.TileProgress(assignment=assignment, comparisons=comparisons))
        case answers.ChunkCredit(size_bytes):
            return _Response(credit=pb2.Credit(bytes=size_bytes))
        case answers.ChunksChanged(received, dropped):
            notice = pb2.ChunkNotice(
                received=[framing.digest_to_proto(digest) for digest in received],
                dropped=[framing.digest_to_proto(digest) for digest in dropped],
            )
            return _Response(chunks=notice)
        case answers.Done():
            return _Response(
                done=pb2.TileDone(
                    assignment=answer.assignment,
                    pair_count=answer.pair_count,
                    run_count=answer.run_count,
                    comparisons=answer.comparisons,
                    busy_nanos=answer.busy_nanos,
                )
            )
        case answers.Failed(assignment, error):
            return _Response(
                failed=pb2.TileFailed(
                    assignment=assignment,
                    reason=error.reason.value,
                    message=error.message,
                    retryable=answer.retryable,
                )
            )
