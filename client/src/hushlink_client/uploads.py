"""Uploads: how a party's encodings become its dataset, also over a network that breaks."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TypeAlias

import grpc

from hushlink.coordinator.v1 import upload_service_pb2, upload_service_pb2_grpc
from hushlink_client import connection, errors, retries, wire
from hushlink_domain import digests, encodings, states
from hushlink_domain import errors as domain_errors
from hushlink_mesh import ending, error_desk, framing

Chunks: TypeAlias = Iterable[bytes | memoryview]
"""Encodings row after row, in pieces of any number of whole rows."""

FRAME_MARGIN = 1 << 10  # what a message has beside its encodings


@dataclasses.dataclass(frozen=True, slots=True)
class Encodings:
    """A party's encodings, and how they were made."""

    width_bits: int
    """A multiple of 8."""
    schema_fingerprint: bytes
    """SHA-256 of the canonical schema."""
    chunks: Chunks
    """Read again from the start when the stream breaks; something that can be read only once (an iterator) can't."""
    key_check: bytes = b""
    """16 bytes from secret, schema and project; empty = not checked."""
    encoder_version: str = ""

    @classmethod
    def of_rows(cls, rows: memoryview, schema_fingerprint: bytes, key_check: bytes = b"") -> Encodings:
        """Those of a C-contiguous array of bytes with the shape (rows, width in bytes), such as numpy's."""
        shape = rows.shape
        if shape is None or len(shape) != 2 or rows.itemsize != 1 or not rows.c_contiguous:
            raise ValueError("encodings are a C-contiguous array of bytes with the shape (rows, width in bytes)")
        return cls(shape[1] * 8, schema_fingerprint, (rows.cast("B"),) if shape[0] else (), key_check)


@dataclasses.dataclass(frozen=True, slots=True)
class Upload:
    """How far a party's upload is."""

    upload_id: str
    """Empty before the first stream."""
    party: int
    state: states.UploadState
    committed_rows: int
    """Rows that are kept: where a new stream may start."""
    digest: digests.Digest | None
    """Of the sealed dataset."""
    seal_time: datetime.datetime | None


async def get(coordinator: connection.Connection, project_id: str, party: int) -> Upload:
    """How far a party's upload is.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
    """
    request = upload_service_pb2.GetUploadRequest(project_id=project_id, party=party)
    return _upload((await coordinator.call(_stub(coordinator).GetUpload, request)).upload)


async def send(
    coordinator: connection.Connection,
    project_id: str,
    party: int,
    encoded: Encodings,
    *,
    first_row: int = 0,
    on_rows: Callable[[int], None] = lambda _: None,
) -> Upload:
    """Upload a party's encodings; returns the receipt of the sealed dataset.

    A stream that breaks is taken up at the rows the coordinator has kept.

    Args:
        coordinator: where, with the party's right.
        project_id: which project.
        party: the number of the party's dataset.
        encoded: the encodings.
        first_row: the committed rows of an upload that was begun earlier with the same encodings; 0 = start anew.
        on_rows: called with the number of rows sent so far.

    Raises:
        hushlink_domain.errors.DomainError: what the coordinator refused.
        errors.ClientError: the stream broke and the encodings could be read only once.
    """
    backoff = retries.Backoff()
    best = first_row
    with coordinator.refusals():
        while True:
            sending = Sending(project_id, encoded, first_row, coordinator.max_message_bytes, on_rows)
            call = _stub(coordinator).UploadEncodings(sending.frames(), metadata=coordinator.metadata())
            end = ending.Ending(call)
            try:
                return _upload((await call).upload)
            except (grpc.aio.AioRpcError, asyncio.CancelledError) as error:
                if sending.fault is not None:  # gRPC cancels a call whose frames can't be made
                    raise sending.fault from None
                if isinstance(error, asyncio.CancelledError):
                    raise
                await _pause(backoff, end.error(error))
            kept = await get(coordinator, project_id, party)
            if kept.state is states.UploadState.SEALED:
                return _same(kept, encoded)
            if iter(encoded.chunks) is encoded.chunks:
                raise errors.ClientError("the connection broke, and these encodings can be read only once: start anew")
            first_row = kept.committed_rows
            if first_row > best:
                best = first_row
                backoff.progressed()


async def _pause(backoff: retries.Backoff, error: grpc.aio.AioRpcError) -> None:
    """Wait before the next stream. A chunk damaged on its way is no reason to give up at once."""
    refusal = error_desk.from_grpc(error)
    damaged = refusal is not None and refusal.reason is domain_errors.Reason.CHUNK_CORRUPT
    await backoff.pause(None if damaged else error)


class Sending:
    """The frames of one stream."""

    def __init__(
        self,
        project_id: str,
        encoded: Encodings,
        first_row: int,
        max_message_bytes: int,
        on_rows: Callable[[int], None],
    ) -> None:
        self.fault: Exception | None = None
        """What went wrong on our side while the stream was made."""
        self._project_id = project_id
        self._encoded = encoded
        self._first_row = first_row
        self._on_rows = on_rows
        self._row_bytes = encodings.width_bytes(encoded.width_bits)
        room = min(framing.PIECE_BYTES, max_message_bytes - FRAME_MARGIN)
        self._piece_bytes = max(1, room // self._row_bytes) * self._row_bytes

    async def frames(self) -> AsyncIterator[upload_service_pb2.UploadEncodingsRequest]:
        """Header, chunks, trailer."""
        try:
            yield upload_service_pb2.UploadEncodingsRequest(header=self._header())
            digest, row = hashlib.sha256(), 0
            for piece in _pieces(self._encoded.chunks, self._row_bytes, self._piece_bytes):
                digest.update(piece)
                end = row + len(piece) // self._row_bytes
                if end > self._first_row:
                    skipped = max(0, self._first_row - row)
                    yield self._chunk(row + skipped, bytes(piece[skipped * self._row_bytes :]))
                row = end
                self._on_rows(row)
            trailer = upload_service_pb2.UploadTrailer(
                row_count=row,
                digest=framing.digest_to_proto(digests.Digest(digest.digest(), row * self._row_bytes)),
            )
            yield upload_service_pb2.UploadEncodingsRequest(trailer=trailer)
        except Exception as fault:
            self.fault = fault
            raise

    def _header(self) -> upload_service_pb2.UploadHeader:
        return upload_service_pb2.UploadHeader(
            project_id=self._project_id,
            schema_fingerprint=self._encoded.schema_fingerprint,
            width_bits=self._encoded.width_bits,
            key_check=self._encoded.key_check,
            encoder_version=self._encoded.encoder_version,
            first_row=self._first_row,
        )

    @staticmethod
    def _chunk(first_row: int, rows: bytes) -> upload_service_pb2.UploadEncodingsRequest:
        chunk = upload_service_pb2.EncodingChunk(first_row=first_row, encodings=rows, crc32c=framing.crc32c(rows))
        return upload_service_pb2.UploadEncodingsRequest(chunk=chunk)


def _pieces(chunks: Chunks, row_bytes: int, piece_bytes: int) -> Iterator[memoryview]:
    """The chunks cut into pieces of whole rows, at most ``piece_bytes`` each."""
    row = 0
    for chunk in chunks:
        view = memoryview(chunk)
        row += encodings.rows_in(row, len(view), row_bytes)
        for offset in range(0, len(view), piece_bytes):
            yield view[offset : offset + piece_bytes]


def _same(kept: Upload, encoded: Encodings) -> Upload:
    """Check that what is sealed are our encodings: the answer to our stream may have been lost, or another won.

    Raises:
        domain_errors.StateError: DATASET_SEALED, when they are others.
    """
    if iter(encoded.chunks) is encoded.chunks:
        return kept
    digest, size = hashlib.sha256(), 0
    for chunk in encoded.chunks:
        digest.update(chunk)
        size += len(memoryview(chunk))
    if kept.digest != digests.Digest(digest.digest(), size):
        raise domain_errors.StateError(
            domain_errors.Reason.DATASET_SEALED,
            "the party's dataset was sealed with other encodings meanwhile: create a new project for these",
        )
    return kept


def _upload(message: upload_service_pb2.Upload) -> Upload:
    return Upload(
        message.upload_id,
        message.party,
        wire.upload_state(message.state),
        message.committed_rows,
        framing.digest_from_proto(message.digest) if message.HasField("digest") else None,
        wire.time(message.seal_time) if message.HasField("seal_time") else None,
    )


def _stub(coordinator: connection.Connection) -> upload_service_pb2_grpc.UploadServiceAsyncStub:
    return upload_service_pb2_grpc.UploadServiceStub(coordinator.channel)
