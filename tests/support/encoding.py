"""Encoders as processes, and callers of them as strangers would write them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import pathlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import grpc
import pytest

from hushlink.encoder.v1 import encoder_service_pb2 as pb
from hushlink.encoder.v1 import encoder_service_pb2_grpc
from hushlink_domain import errors
from hushlink_mesh import channel, error_desk, framing
from tests.support import processes

KEY = "agreed-2026"
SECRET = b"a secret of the tests"
COLUMNS = ("name", "born", "note")
CALL_SECONDS = 60.0
"""A call that has not ended by then does not end."""

SERVICE = pb.DESCRIPTOR.services_by_name["EncoderService"].full_name

Record: TypeAlias = tuple[str, str, str]
Metadata: TypeAlias = tuple[tuple[str, str], ...]


def schema(width: int = 1024, **features: Any) -> dict[str, Any]:
    """A schema of the three columns; the note is ignored. ``features`` are put over those of the name."""
    hashing = {"comparison": {"type": "ngram", "n": 2}, "strategy": {"bitsPerFeature": 60}}
    name = {"identifier": "name", "format": {"type": "string", "encoding": "utf-8"}, "hashing": hashing} | features
    born = {"identifier": "born", "format": {"type": "date", "format": "%Y-%m-%d"}, "hashing": hashing}
    note = {"identifier": "note", "ignored": True}
    kdf = {"type": "HKDF", "hash": "SHA256", "salt": "c2FsdA==", "info": "", "keySize": 64}
    return {"version": 3, "clkConfig": {"l": width, "kdf": kdf}, "features": [name, born, note]}


def header(document: Mapping[str, Any] | str | None = None, *, key: str = KEY, project: str = "") -> pb.Encoding:
    """The header of a stream of records."""
    text = document if isinstance(document, str) else json.dumps(schema() if document is None else document)
    return pb.Encoding(schema_json=text, key_name=key, project_id=project)


def records(count: int, first: int = 0) -> list[Record]:
    """Different people."""
    return [
        (f"name {number} of many", f"{1900 + number % 120}-{1 + number % 12:02}-{1 + number % 28:02}", f"note {number}")
        for number in range(first, first + count)
    ]


def batch(first_row: int, rows: Sequence[Sequence[str]], columns: int = len(COLUMNS)) -> pb.RecordBatch:
    """Consecutive records as columns."""
    cells = list(zip(*rows, strict=True)) if rows else [()] * columns
    return pb.RecordBatch(first_row=first_row, columns=[pb.Column(cells=column) for column in cells])


def batches(rows: Sequence[Sequence[str]], size: int) -> list[pb.RecordBatch]:
    """Records in batches of ``size``."""
    return [batch(start, rows[start : start + size]) for start in range(0, len(rows), size)]


@dataclasses.dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder that serves, as a caller sees it."""

    address: str
    process: processes.Process
    keys: pathlib.Path
    """The folder of its secrets."""

    @contextlib.asynccontextmanager
    async def stub(self) -> AsyncIterator[encoder_service_pb2_grpc.EncoderServiceAsyncStub]:
        """Its service, on a connection of its own."""
        async with channel.connect(self.address) as opened:
            yield encoder_service_pb2_grpc.EncoderServiceStub(opened)

    def add_key(self, name: str, secret: bytes) -> None:
        """Put a secret into its folder."""
        (self.keys / name).write_bytes(secret + b"\n")


@contextlib.asynccontextmanager
async def started_encoder(**settings: object) -> AsyncIterator[Encoder]:
    """An encoder that holds one secret."""
    with tempfile.TemporaryDirectory(prefix="hushlink-test-keys-") as folder:
        async with processes.started("hushlink_encoder", **{"keys": folder, **settings}) as process:
            encoder = Encoder(process.address, process, pathlib.Path(folder))
            encoder.add_key(KEY, SECRET)
            yield encoder


@dataclasses.dataclass(frozen=True, slots=True)
class Encoded:
    """All of what a stream answered."""

    header: pb.EncodingsHeader
    batches: list[pb.EncodingBatch]
    trailer: pb.EncodingsTrailer

    @property
    def rows(self) -> bytes:
        """The encodings, in order."""
        return b"".join(answer.encodings for answer in self.batches)

    def assert_consistent(self) -> None:
        """What the stream says about itself is true."""
        row_bytes = self.header.width_bits // 8
        first_row = 0
        for answer in self.batches:
            assert answer.first_row == first_row
            assert answer.crc32c == framing.crc32c(answer.encodings)
            first_row += len(answer.encodings) // row_bytes
        assert self.trailer.row_count == first_row
        assert self.trailer.digest.size_bytes == len(self.rows) == first_row * row_bytes
        assert self.trailer.digest.hash == hashlib.sha256(self.rows).digest()


Frame: TypeAlias = pb.Encoding | pb.RecordBatch
Frames: TypeAlias = Iterable[Frame]


def encode_frames(frames: Frames) -> list[pb.EncodeRequest]:
    """Headers and batches as frames of Encode, with the trailer that fits them."""
    given = list(frames)
    return [
        *(
            pb.EncodeRequest(header=each) if isinstance(each, pb.Encoding) else pb.EncodeRequest(batch=each)
            for each in given
        ),
        pb.EncodeRequest(trailer=trailer(given)),
    ]


def publish_frames(frames: Frames) -> list[pb.PublishRequest]:
    """Headers and batches as frames of Publish, with the trailer that fits them."""
    given = list(frames)
    return [
        *(
            pb.PublishRequest(header=each) if isinstance(each, pb.Encoding) else pb.PublishRequest(batch=each)
            for each in given
        ),
        pb.PublishRequest(trailer=trailer(given)),
    ]


def trailer(frames: Frames) -> pb.RecordsTrailer:
    """What ends a stream of these frames."""
    batches = [each for each in frames if isinstance(each, pb.RecordBatch) and each.columns]
    return pb.RecordsTrailer(row_count=sum(len(each.columns[0].cells) for each in batches))


async def encoded(encoder: Encoder, *frames: Frame, metadata: Metadata = ()) -> Encoded:
    """The answers to a stream that is sent whole."""
    answers = await asyncio.to_thread(_answers, encoder.address, encode_frames(frames), metadata)
    first, *middle, last = answers
    assert first.WhichOneof("frame") == "header"
    assert {answer.WhichOneof("frame") for answer in middle} <= {"batch"}
    assert last.WhichOneof("frame") == "trailer"
    found = Encoded(first.header, [answer.batch for answer in middle], last.trailer)
    found.assert_consistent()
    return found


def _answers(address: str, frames: list[pb.EncodeRequest], metadata: Metadata) -> list[pb.EncodeResponse]:
    """By grpcio's threaded client: the other one forgets a refusal that comes while it writes."""
    with grpc.insecure_channel(address) as opened:
        stub = encoder_service_pb2_grpc.EncoderServiceStub(opened)
        return list(stub.Encode(iter(frames), metadata=metadata, timeout=CALL_SECONDS))


async def failure_of_bytes(encoder: Encoder, *frames: bytes) -> Any:
    """The error of a stream of frames that need be no messages."""
    with pytest.raises(grpc.RpcError) as caught:
        await asyncio.to_thread(_answers_to_bytes, encoder.address, frames)
    return caught.value


def _answers_to_bytes(address: str, frames: Sequence[bytes]) -> None:
    with grpc.insecure_channel(address) as opened:
        call: Any = opened.stream_stream(f"/{SERVICE}/Encode")
        for _ in call(iter(frames), timeout=CALL_SECONDS):
            pass


async def refusal(encoder: Encoder, *frames: Frame, metadata: Metadata = ()) -> errors.DomainError:
    """Why a stream is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        await encoded(encoder, *frames, metadata=metadata)
    return refused(caught.value)


def refused(error: Any) -> errors.DomainError:
    """What a failed call was refused for."""
    found = error_desk.from_grpc(error)
    assert found is not None, error
    return found


def everything_said(error: Any) -> str:
    """All that reached the caller with an error, headers and all."""
    trailers = [(key, str(text)) for key, text in error.trailing_metadata() or ()]
    return repr((error.details(), trailers, error.debug_error_string(), refused(error).facts))
