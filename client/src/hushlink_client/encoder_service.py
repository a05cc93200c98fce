"""An encoder service as a data owner's other programs use it: records go there, encodings come back.

The secret stays with the service, which holds it under a name.
"""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import AsyncIterator, Callable, Iterator

import grpc

from hushlink.encoder.v1 import encoder_service_pb2, encoder_service_pb2_grpc
from hushlink_client import connection, encoding, encodings_file, errors
from hushlink_domain import errors as domain_errors
from hushlink_domain import schema
from hushlink_mesh import ending, framing

_BATCH_ROWS = 4096
_FRAME_MARGIN = 1 << 10  # what a message has beside its records


async def encode_csv(
    encoder: connection.Connection,
    records: pathlib.Path,
    target: pathlib.Path,
    schema_text: str,
    key_name: str,
    *,
    project_id: str = "",
    on_rows: Callable[[int], None] = lambda _: None,
) -> encodings_file.EncodingsFile:
    """Encode a CSV file, whose header names the schema's columns, into a file of encodings.

    Args:
        encoder: the service.
        records: the CSV file.
        target: the file of encodings to write.
        schema_text: the linkage schema.
        key_name: the name of a secret that the service holds.
        project_id: the project, for the key check; empty = none.
        on_rows: called with the number of rows encoded so far.

    Raises:
        hushlink_domain.errors.DomainError: a record, the schema or the name of the key is faulty.
        errors.ClientError: the target can't be written, or the answer is not what was sent.
    """
    order = encoder_service_pb2.Encoding(schema_json=schema_text, key_name=key_name, project_id=project_id)
    sending = _Sending(order, records, schema.parse_json(schema_text), encoder.max_message_bytes - _FRAME_MARGIN)
    stub: encoder_service_pb2_grpc.EncoderServiceAsyncStub = encoder_service_pb2_grpc.EncoderServiceStub(
        encoder.channel
    )
    try:
        with encoder.refusals():
            call = stub.Encode(sending.frames(), metadata=encoder.metadata())
            end = ending.Ending(call)
            try:
                return await _written(aiter(call), target, on_rows)
            except grpc.aio.AioRpcError as error:
                raise end.error(error) from None
    except asyncio.CancelledError:
        if sending.fault is not None:  # gRPC cancels a call whose frames can't be made
            raise sending.fault from None
        raise
    except domain_errors.CallerError as refusal:
        if refusal.reason is not domain_errors.Reason.RECORDS_INVALID or sending.fault is not None:
            raise
        raise domain_errors.CallerError(refusal.reason, f"{records}: {refusal.message}", **refusal.facts) from None


async def _written(
    answers: AsyncIterator[encoder_service_pb2.EncodeResponse], target: pathlib.Path, on_rows: Callable[[int], None]
) -> encodings_file.EncodingsFile:
    """Write what the service answers, after checking it."""
    first = await anext(answers, None)
    if first is None or not first.header.width_bits:
        raise errors.ClientError("the encoder sends no header: is it of this release?")
    header = encodings_file.header_from_proto(first.header)
    with encodings_file.replacing(target) as stream:
        writer = encodings_file.Writer(stream, target, header)
        row = 0
        async for answer in answers:
            if answer.WhichOneof("frame") == "trailer":
                finished = writer.finish()
                sent = answer.trailer.row_count, framing.digest_from_proto(answer.trailer.digest)
                if sent != (finished.row_count, finished.digest):
                    break
                return finished
            framing.check_crc32c(answer.batch.crc32c, row, answer.batch.encodings)
            writer.add(answer.batch.encodings)
            row += len(answer.batch.encodings) // (header.width_bits // 8)
            on_rows(row)
        raise errors.ClientError("the encodings are not those the encoder made: encode again")


class _Sending:
    """The frames of one stream."""

    def __init__(
        self, order: encoder_service_pb2.Encoding, records: pathlib.Path, agreed: schema.LinkageSchema, room: int
    ) -> None:
        self.fault: Exception | None = None
        """What went wrong on our side while the stream was made."""
        self._order = order
        self._records = records
        self._agreed = agreed
        self._room = room

    async def frames(self) -> AsyncIterator[encoder_service_pb2.EncodeRequest]:
        """Header, then batches, then the trailer."""
        count = 0
        try:
            yield encoder_service_pb2.EncodeRequest(header=self._order)
            for batch in encoding.record_batches(self._records, self._agreed, _BATCH_ROWS):
                for part in self._parts(batch.first_row, batch.columns):
                    count += len(part.columns[0].cells)
                    yield encoder_service_pb2.EncodeRequest(batch=part)
            yield encoder_service_pb2.EncodeRequest(trailer=encoder_service_pb2.RecordsTrailer(row_count=count))
        except Exception as fault:
            self.fault = fault
            raise

    def _parts(self, first_row: int, columns: tuple[tuple[str, ...], ...]) -> Iterator[encoder_service_pb2.RecordBatch]:
        """A batch in as many parts as it takes that each fits into a message, and its encodings too."""
        count = len(columns[0])
        batch = encoder_service_pb2.RecordBatch(
            first_row=first_row, columns=[encoder_service_pb2.Column(cells=cells) for cells in columns]
        )
        if max(batch.ByteSize(), count * self._agreed.width_bytes) <= self._room:
            yield batch
            return
        if count == 1:
            raise domain_errors.CapacityError(
                domain_errors.Reason.LIMIT_EXCEEDED,
                f"the record of data row {first_row} is larger than a message to the encoder may be",
                limit="max_message_bytes",
                allowed=self._room,
            )
        middle = count // 2
        yield from self._parts(first_row, tuple(cells[:middle] for cells in columns))
        yield from self._parts(first_row + middle, tuple(cells[middle:] for cells in columns))
