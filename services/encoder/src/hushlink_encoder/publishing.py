"""Publishing: a job's encodings go to the coordinator as they are made, under the caller's right.

The coordinator takes rows at its own pace; the caller's stream is read no faster than that. The trailer, without which
no dataset is sealed, is sent only after the caller has ended its stream in good order.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import grpc

from hushlink.coordinator.v1 import upload_service_pb2 as pb
from hushlink.coordinator.v1 import upload_service_pb2_grpc
from hushlink.mesh.v1 import server_service_pb2, server_service_pb2_grpc
from hushlink_domain import digests, errors
from hushlink_encoder import jobs, meters, refusals
from hushlink_mesh import channel, config, ending, error_desk, framing, protocol, rights

if TYPE_CHECKING:  # generic in the stubs only
    from grpc.aio import StreamUnaryCall

    _Call = StreamUnaryCall[pb.UploadEncodingsRequest, pb.UploadEncodingsResponse]

_SERVICE = "coordinator"
_HANDSHAKE_SECONDS = 20.0


@dataclasses.dataclass(frozen=True, slots=True)
class Receipt:
    """What the coordinator says of the sealed dataset."""

    upload_id: str
    party: int
    row_count: int
    digest: digests.Digest


class Publisher:
    """Sends encodings to one coordinator. Each upload has a connection of its own: none waits behind another.

    Args:
        address: HOST:PORT of the coordinator; None = there is none.
        channel_config: how this process proves itself to it.
        encoder_version: what it is told the encodings were made by.
        patience_seconds: how long the coordinator may take for a frame, and for the receipt.
    """

    def __init__(
        self,
        address: str | None,
        channel_config: config.ChannelConfig,
        encoder_version: str,
        patience_seconds: float,
    ) -> None:
        self._address = address
        self._channel_config = channel_config
        self._encoder_version = encoder_version
        self._patience_seconds = patience_seconds

    async def publish(self, right: rights.Right, job: jobs.Job, batches: AsyncIterator[bytes]) -> Receipt:
        """Upload batches of whole rows as the dataset of the party whose right it is.

        Args:
            right: the party's.
            job: the job that makes the batches.
            batches: its encodings; an error that they end with is raised, and then nothing is sealed.

        Raises:
            errors.DomainError: what the coordinator refused, as it refused it; COORDINATOR_UNAVAILABLE.
        """
        if self._address is None:
            raise _unavailable("this encoder is set up without a coordinator: its operator sets HUSHLINK_COORDINATOR")
        async with channel.connect(self._address, self._channel_config) as opened:
            most_bytes = await self._introduced(opened)
            sending = _Sending(self._header(job.facts), job, batches, most_bytes, self._patience_seconds)
            receipt = _receipt(await self._uploaded(opened, right, sending))
        if (receipt.row_count, receipt.digest) != (job.row_count, job.digest):
            raise errors.InternalError(
                errors.Reason.INTERNAL,
                f"the coordinator's receipt is for {receipt.row_count} rows of upload {receipt.upload_id}, and not for "
                f"the {job.row_count} that were sent: tell its operator, and do not use the dataset",
            )
        meters.PUBLISHED.inc(receipt.row_count)
        return receipt

    def _header(self, facts: jobs.Facts) -> pb.UploadHeader:
        return pb.UploadHeader(
            project_id=facts.project_id,
            schema_fingerprint=facts.schema_fingerprint,
            width_bits=facts.width_bits,
            key_check=facts.key_check,
            encoder_version=self._encoder_version,
        )

    async def _introduced(self, opened: grpc.aio.Channel) -> int:
        """Meet the coordinator; returns the largest message it takes, in bytes."""
        stub = server_service_pb2_grpc.ServerServiceStub(opened)
        with self._told():
            info = await stub.GetServerInfo(
                server_service_pb2.GetServerInfoRequest(), metadata=channel.metadata(), timeout=_HANDSHAKE_SECONDS
            )
        if info.service != _SERVICE:
            raise _unavailable(
                f"this encoder is set up with a Hushlink {info.service} where a coordinator belongs: its operator "
                "corrects HUSHLINK_COORDINATOR"
            )
        if not info.protocol_oldest <= protocol.PROTOCOL <= info.protocol:
            raise errors.CallerError(
                errors.Reason.PROTOCOL_MISMATCH,
                f"the coordinator (release {info.version}) speaks protocols {info.protocol_oldest} to {info.protocol}, "
                f"this encoder (release {protocol.VERSION}) {protocol.PROTOCOL}: upgrade the older side",
                protocol=protocol.PROTOCOL,
                oldest=info.protocol_oldest,
                newest=info.protocol,
            )
        return info.max_message_bytes

    async def _uploaded(
        self, opened: grpc.aio.Channel, right: rights.Right, sending: _Sending
    ) -> pb.UploadEncodingsResponse:
        """Send everything and wait for the receipt; whoever fails first, caller or coordinator, decides the error."""
        stub: upload_service_pb2_grpc.UploadServiceAsyncStub = upload_service_pb2_grpc.UploadServiceStub(opened)
        call: _Call = stub.UploadEncodings(metadata=channel.metadata(right))
        answer = asyncio.create_task(_answer(call, ending.Ending(call)), name="publish receipt")
        frames = asyncio.create_task(sending.send(call), name="publish frames")
        try:
            await asyncio.wait({frames, answer}, return_when=asyncio.FIRST_COMPLETED)
            if frames.done() and (fault := frames.exception()) is not None:
                raise fault
            with self._told(sending):
                async with asyncio.timeout(self._patience_seconds):
                    return await _complete(frames, answer)
        finally:
            call.cancel()
            for task in (frames, answer):
                task.cancel()
            await asyncio.gather(frames, answer, return_exceptions=True)

    @contextlib.contextmanager
    def _told(self, sending: _Sending | None = None) -> Iterator[None]:
        """Turns a failed call to the coordinator into an error of the trade."""
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise error_desk.from_grpc(error) or self._unforeseen(error, sending) from None
        except TimeoutError:
            raise _unavailable(
                f"the coordinator did not answer for {self._patience_seconds:g} seconds", sending
            ) from None

    def _unforeseen(self, error: grpc.aio.AioRpcError, sending: _Sending | None) -> errors.DomainError:
        """For a status that comes from the network, or from somebody else's server."""
        match error.code():
            case grpc.StatusCode.UNIMPLEMENTED:
                return _unavailable(f"{self._address} is no Hushlink coordinator of this release", sending)
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return _unavailable(f"the coordinator at {self._address} did not answer in time", sending)
            case code:
                cause = refusals.clipped(error.details() or code.name, refusals.FACT_BYTES)
                return _unavailable(f"the coordinator at {self._address} cannot be reached ({cause})", sending)


class _Sending:
    """The frames of one upload: header, chunks, and a trailer once all batches have come."""

    def __init__(
        self,
        header: pb.UploadHeader,
        job: jobs.Job,
        batches: AsyncIterator[bytes],
        most_bytes: int,
        patience_seconds: float,
    ) -> None:
        self.closed = False
        """Whether the trailer may have left this process: from then on the dataset may be sealed."""
        self._header = header
        self._job = job
        self._batches = batches
        row_bytes = job.facts.row_bytes
        room = min(framing.PIECE_BYTES, most_bytes - jobs.ANSWER_MARGIN_BYTES)
        self._piece_bytes = max(1, room // row_bytes) * row_bytes
        self._patience_seconds = patience_seconds

    async def send(self, call: _Call) -> bool:
        """Send all frames; False when the call ended before, and its status says why.

        Raises:
            errors.CapacityError: COORDINATOR_UNAVAILABLE, when the coordinator takes nothing for too long.
            Exception: what the batches end with.
        """
        row_bytes, first_row = self._job.facts.row_bytes, 0
        if not await self._write(call, pb.UploadEncodingsRequest(header=self._header)):
            return False
        async for batch in self._batches:
            for _, piece in framing.pieces(batch, self._piece_bytes) if batch else ():
                chunk = pb.EncodingChunk(first_row=first_row, encodings=piece, crc32c=framing.crc32c(piece))
                if not await self._write(call, pb.UploadEncodingsRequest(chunk=chunk)):
                    return False
                first_row += len(piece) // row_bytes
        self.closed = True
        trailer = pb.UploadTrailer(row_count=self._job.row_count, digest=framing.digest_to_proto(self._job.digest))
        return await self._write(call, pb.UploadEncodingsRequest(trailer=trailer), last=True)

    async def _write(self, call: _Call, frame: pb.UploadEncodingsRequest, *, last: bool = False) -> bool:
        try:
            async with asyncio.timeout(self._patience_seconds):
                await call.write(frame)
                if last:
                    await call.done_writing()
        except (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError):
            return False  # what a failed write says of its cause is a guess: the call's status knows it
        except TimeoutError:
            raise _unavailable(f"the coordinator took nothing for {self._patience_seconds:g} seconds", self) from None
        return True


async def _answer(call: _Call, end: ending.Ending) -> pb.UploadEncodingsResponse:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise end.error(error) from None


async def _complete(
    frames: asyncio.Task[bool], answer: asyncio.Task[pb.UploadEncodingsResponse]
) -> pb.UploadEncodingsResponse:
    """The receipt, which must be for everything."""
    message = await answer
    if not await frames:
        raise errors.InternalError(
            errors.Reason.INTERNAL, "the coordinator gave its receipt before all rows were sent: tell its operator"
        )
    return message


def _receipt(message: pb.UploadEncodingsResponse) -> Receipt:
    upload = message.upload
    return Receipt(upload.upload_id, upload.party, upload.committed_rows, framing.digest_from_proto(upload.digest))


def _unavailable(problem: str, sending: _Sending | None = None) -> errors.CapacityError:
    if sending is not None and sending.closed:
        remedy = "the dataset may have been sealed all the same: ask the coordinator's GetUpload, then publish again"
    else:
        remedy = "nothing was sealed: publish again"
    return errors.CapacityError(errors.Reason.COORDINATOR_UNAVAILABLE, f"{problem}; {remedy}")
