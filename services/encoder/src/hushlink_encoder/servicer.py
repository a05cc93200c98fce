"""The wire of an encoder: records in, encodings out; what they become is the job's business."""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

from hushlink.encoder.v1 import encoder_service_pb2 as pb
from hushlink.encoder.v1 import encoder_service_pb2_grpc
from hushlink_domain import errors, schema
from hushlink_encoder import jobs, patience, publishing
from hushlink_mesh import calls, framing, rights

SERVICE = pb.DESCRIPTOR.services_by_name["EncoderService"].full_name
VERSION = f"hushlink-encoder/{importlib.metadata.version('hushlink-encoder')}"
"""What encoded the rows, as headers tell it."""

_Frames: TypeAlias = "AsyncIterator[pb.EncodeRequest | pb.PublishRequest]"

logger = logging.getLogger(__name__)


class EncoderServicer(encoder_service_pb2_grpc.EncoderServiceServicer):
    """Wire in, call, wire out."""

    def __init__(
        self, desk: jobs.Desk, publisher: publishing.Publisher, *, idle_seconds: float, message_bytes: int
    ) -> None:
        self._desk = desk
        self._publisher = publisher
        self._patience = patience.Patience(idle_seconds)
        self._idle_seconds = idle_seconds
        self._message_bytes = message_bytes

    async def Encode(  # noqa: N802 - the names are the proto's
        self, request_iterator: AsyncIterator[pb.EncodeRequest], context: calls.Context
    ) -> AsyncIterator[pb.EncodeResponse]:
        """Answer each batch of records with its encodings; the next is read once the answer was taken."""
        with self._desk.place():
            frames = calls.frames(request_iterator, self._idle_seconds)
            async with self._desk.opened(_order(await _header(frames))) as job:
                with self._patience.taking(context):
                    yield pb.EncodeResponse(header=_encodings_header(job.facts))
                async for batch in _batches(frames, job):
                    rows = await job.encode(batch.first_row, [column.cells for column in batch.columns])
                    with self._patience.taking(context):
                        yield pb.EncodeResponse(batch=_encoding_batch(batch.first_row, rows))
                trailer = pb.EncodingsTrailer(row_count=job.row_count, digest=framing.digest_to_proto(job.digest))
                with self._patience.taking(context):
                    yield pb.EncodeResponse(trailer=trailer)

    async def Publish(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.PublishRequest], context: calls.Context
    ) -> pb.PublishResponse:
        """Encode a stream of records, and send the encodings on to the coordinator."""
        right = rights.required(context)
        with self._desk.place():
            frames = calls.frames(request_iterator, self._idle_seconds)
            order = _order(await _header(frames))
            _check_project(order)
            async with self._desk.opened(order) as job:
                receipt = await self._publisher.publish(right, job, _encoded(frames, job))
        facts = {"project_id": order.project_id, "upload_id": receipt.upload_id, "rows": receipt.row_count}
        logger.info("published", extra=facts)
        return pb.PublishResponse(
            upload_id=receipt.upload_id,
            party=receipt.party,
            row_count=receipt.row_count,
            digest=framing.digest_to_proto(receipt.digest),
        )

    async def DescribeSchema(  # noqa: N802
        self, request: pb.DescribeSchemaRequest, context: calls.Context
    ) -> pb.DescribeSchemaResponse:
        """Tell what a linkage schema means."""
        del context
        agreed = await self._desk.described(request.schema_json)
        return pb.DescribeSchemaResponse(
            schema_fingerprint=agreed.fingerprint(),
            width_bits=agreed.width_bytes * 8,
            mode=agreed.mode.value,
            columns=[
                pb.ColumnDescription(identifier=column.identifier, ignored=isinstance(column, schema.IgnoredColumn))
                for column in agreed.columns
            ],
        )

    async def ValidateSchema(  # noqa: N802
        self, request: pb.ValidateSchemaRequest, context: calls.Context
    ) -> pb.ValidateSchemaResponse:
        """List every fault of a linkage schema."""
        del context
        answer = pb.ValidateSchemaResponse()
        size = 0
        for number, fault in enumerate(faults := await self._desk.faults(request.schema_json)):
            message = pb.SchemaFault(path=fault.path, problem=fault.problem, remedy=fault.remedy)
            size += message.ByteSize() + _FIELD_BYTES
            if size > self._message_bytes - jobs.ANSWER_MARGIN_BYTES:
                rest = f"has {len(faults) - number} faults more than one message holds"
                answer.faults.add(path="$", problem=rest, remedy="correct those before, then validate again")
                break
            answer.faults.append(message)
        return answer


_FIELD_BYTES = 8
"""What a message takes inside another, beside itself."""


async def _header(frames: _Frames) -> pb.Encoding:
    frame = await anext(frames, None)
    if frame is None or frame.WhichOneof("frame") != "header":
        raise _out_of_order("header", frame)
    return frame.header


async def _batches(frames: _Frames, job: jobs.Job) -> AsyncIterator[pb.RecordBatch]:
    """The batches up to the trailer, which alone tells a stream that ended from one that was cut."""
    async for frame in frames:
        kind = frame.WhichOneof("frame")
        if kind == "trailer":
            _check_count(frame.trailer.row_count, job.row_count)
            if (more := await anext(frames, None)) is not None:
                raise _out_of_order("the stream's end", more)
            return
        if kind != "batch":
            raise _out_of_order("batch or trailer", frame)
        yield frame.batch
    raise _out_of_order("batch or trailer", None)


async def _encoded(frames: _Frames, job: jobs.Job) -> AsyncIterator[bytes]:
    """The encodings of all batches."""
    async for batch in _batches(frames, job):
        yield await job.encode(batch.first_row, [column.cells for column in batch.columns])


def _check_count(expected: int, found: int) -> None:
    if expected != found:
        raise errors.CallerError(
            errors.Reason.COUNT_MISMATCH,
            f"the trailer counts {expected} rows, {found} came: send all of them again",
            expected=expected,
            found=found,
        )


def _order(header: pb.Encoding) -> jobs.Order:
    return jobs.Order(header.schema_json, header.key_name, header.project_id)


def _check_project(order: jobs.Order) -> None:
    if not order.project_id:
        raise errors.CallerError(
            errors.Reason.INVALID_REQUEST,
            "project_id is empty: name the project whose dataset the records become",
            field="project_id",
        )


def _encodings_header(facts: jobs.Facts) -> pb.EncodingsHeader:
    return pb.EncodingsHeader(
        schema_fingerprint=facts.schema_fingerprint,
        width_bits=facts.width_bits,
        key_check=facts.key_check,
        encoder_version=VERSION,
    )


def _encoding_batch(first_row: int, rows: bytes) -> pb.EncodingBatch:
    return pb.EncodingBatch(first_row=first_row, encodings=rows, crc32c=framing.crc32c(rows))


def _out_of_order(expected: str, frame: Any) -> errors.CallerError:
    found = (frame.WhichOneof("frame") if frame is not None else "the stream's end") or "an empty frame"
    return errors.CallerError(
        errors.Reason.STREAM_ORDER,
        f"a stream of records is a header, batches, a trailer: {expected} should come here, {found} came",
        expected=expected,
        found=found,
    )
