"""An encoder service as a data owner's other programs use it: records go there, encodings come back.

The secret stays with the service, which holds it under a name.
"""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from collections.abc import AsyncIterator, Callable, Iterator

import grpc

from hushlink.encoder.v1 import encoder_service_pb2, encoder_service_pb2_grpc
from hushlink_client import connection, encoding, encodings_file, errors, forms, record_form
from hushlink_domain import errors as domain_errors
from hushlink_domain import schema
from hushlink_mesh import ending, framing

_BATCH_ROWS = 4096
_FRAME_MARGIN = 1 << 10  # what a message has beside its records


@dataclasses.dataclass(frozen=True, slots=True)
class Orders:
    """How files of records become files of encodings."""

    schema_text: str
    """The linkage schema."""
    key_name: str
    """The name of a secret that the service holds."""
    project_id: str = ""
    """The project, for the key check; empty = none."""
    records: record_form.RecordForm = dataclasses.field(default_factory=record_form.RecordForm)
    """How the records are written."""
    form: forms.Form = forms.Form.CONTAINER
    """How the encodings are written."""


async def encode_file(
    encoder: connection.Connection,
    records: pathlib.Path,
    target: pathlib.Path,
    orders: Orders,
    *,
    on_rows: encoding.OnRows = lambda _rows, _fraction: None,
) -> encodings_file.EncodingsFile:
    """Encode a file of records into a file of encodings.

    Args:
        encoder: the service.
        records: the file of records.
        target: the file of encodings to write.
        orders: how.
        on_rows: called with the number of rows encoded so far, and how much of the file was read if that is known.

    Raises:
        hushlink_domain.errors.DomainError: a record, the schema or the name of the key is faulty.
        errors.ClientError: the target can't be written, or the answer is not what was sent.
    """
    sending = _Sending(orders, records, encoder.max_message_bytes - _FRAME_MARGIN)
    stub: encoder_service_pb2_grpc.EncoderServiceAsyncStub = encoder_service_pb2_grpc.EncoderServiceStub(
        encoder.channel
    )
    try:
        with encoder.refusals():
            call = stub.Encode(sending.frames(), metadata=encoder.metadata())
            end = ending.Ending(call)
            try:
                return await _written(aiter(call), target, orders.form, lambda rows: on_rows(rows, sending.fraction))
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
    answers: AsyncIterator[encoder_service_pb2.EncodeResponse],
    target: pathlib.Path,
    form: forms.Form,
    on_rows: Callable[[int], None],
) -> encodings_file.EncodingsFile:
    """Write what the service answers, after checking it."""
    first = await anext(answers, None)
    if first is None or not first.header.width_bits:
        raise errors.ClientError("the encoder sends no header: is it of this release?")
    header = encodings_file.header_from_proto(first.header)
    with forms.writing(target, header, form) as writer:
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

    def __init__(self, orders: Orders, records: pathlib.Path, room: int) -> None:
        self.fault: Exception | None = None
        """What went wrong on our side while the stream was made."""
        self.fraction: float | None = None
        """How much of the records was read, if that is known."""
        self._orders = orders
        self._records = records
        self._agreed = schema.parse_json(orders.schema_text)
        self._room = room

    async def frames(self) -> AsyncIterator[encoder_service_pb2.EncodeRequest]:
        """Header, then batches, then the trailer."""
        count = 0
        try:
            header = encoder_service_pb2.Encoding(
                schema_json=self._orders.schema_text, key_name=self._orders.key_name, project_id=self._orders.project_id
            )
            yield encoder_service_pb2.EncodeRequest(header=header)
            for batch in encoding.record_batches(self._records, self._agreed, _BATCH_ROWS, self._orders.records):
                self.fraction = batch.fraction
                for part in self._parts(batch.first_row, batch.columns):
                    count += max(len(column.cells) for column in part.columns)
                    yield encoder_service_pb2.EncodeRequest(batch=part)
            yield encoder_service_pb2.EncodeRequest(trailer=encoder_service_pb2.RecordsTrailer(row_count=count))
        except Exception as fault:
            self.fault = fault
            raise

    def _parts(self, first_row: int, columns: tuple[tuple[str, ...], ...]) -> Iterator[encoder_service_pb2.RecordBatch]:
        """A batch in as many parts as it takes that each fits into a message, and its encodings too."""
        count = max(map(len, columns))
        columns = tuple(cells or ("",) * count for cells in columns)  # ignored ones may not have been read
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
