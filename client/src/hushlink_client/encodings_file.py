"""Encodings at rest: the frames an encoder streams, one after the other in a file.

The file starts with ``MAGIC``; then come messages ``hushlink.encoder.v1.EncodeResponse``, each behind its size (32
bits, little-endian): a header, batches, a trailer. So it carries the schema's fingerprint, the width, the key check, a
CRC-32C for every batch, and count and digest of all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import secrets
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from google.protobuf import message as protobuf_message

from hushlink.encoder.v1 import encoder_service_pb2
from hushlink_client import errors, uploads
from hushlink_domain import digests
from hushlink_domain import errors as domain_errors
from hushlink_mesh import framing

MAGIC = b"hushlink encodings 1\n"
_SIZE = struct.Struct("<I")
_FRAME_BYTES = 64 << 20
"""No frame is larger: whatever says so is damaged."""


@dataclasses.dataclass(frozen=True, slots=True)
class Header:
    """What the encodings of a file are."""

    schema_fingerprint: bytes
    width_bits: int
    key_check: bytes
    """Empty where no project was named."""
    encoder_version: str


@dataclasses.dataclass(frozen=True, slots=True)
class EncodingsFile:
    """A file of encodings whose form, checksums, count and digest were checked."""

    path: pathlib.Path
    header: Header
    row_count: int
    digest: digests.Digest

    def __iter__(self) -> Iterator[bytes]:
        """The encodings, batch after batch; every iteration reads them from the start."""
        with self.path.open("rb") as stream:
            for frame in _frames(stream, self.path):
                if frame.WhichOneof("frame") == "batch":
                    yield frame.batch.encodings

    def to_upload(self, key_check: bytes = b"") -> uploads.Encodings:
        """As an upload takes them, with another key check if one is given."""
        return uploads.Encodings(
            self.header.width_bits,
            self.header.schema_fingerprint,
            self,
            key_check or self.header.key_check,
            self.header.encoder_version,
        )


class Writer:
    """Writes the frames of a file; `finish` ends it."""

    def __init__(self, stream: BinaryIO, path: pathlib.Path, header: Header) -> None:
        self._stream = stream
        self._path = path
        self._header = header
        self._row = 0
        self._digest = hashlib.sha256()
        stream.write(MAGIC)
        self._put(encoder_service_pb2.EncodeResponse(header=_header_to_proto(header)))

    def add(self, encodings: bytes) -> None:
        """Write whole rows."""
        batch = encoder_service_pb2.EncodingBatch(
            first_row=self._row, encodings=encodings, crc32c=framing.crc32c(encodings)
        )
        self._put(encoder_service_pb2.EncodeResponse(batch=batch))
        self._digest.update(encodings)
        self._row += len(encodings) // (self._header.width_bits // 8)

    def finish(self) -> EncodingsFile:
        """Write the trailer; returns what the file will be once it has its name."""
        whole = digests.Digest(self._digest.digest(), self._row * (self._header.width_bits // 8))
        trailer = encoder_service_pb2.EncodingsTrailer(row_count=self._row, digest=framing.digest_to_proto(whole))
        self._put(encoder_service_pb2.EncodeResponse(trailer=trailer))
        return EncodingsFile(self._path, self._header, self._row, whole)

    def _put(self, frame: encoder_service_pb2.EncodeResponse) -> None:
        content = frame.SerializeToString()
        self._stream.write(_SIZE.pack(len(content)))
        self._stream.write(content)


def write(path: pathlib.Path, header: Header, batches: Iterable[bytes]) -> EncodingsFile:
    """Write a file, all of it or nothing; only we may read it.

    Args:
        path: replaced if it exists.
        header: what the encodings are.
        batches: whole rows in their order.

    Raises:
        errors.InputError: it can't be written.
        Exception: whatever ``batches`` raises.
    """
    with replacing(path) as stream:
        writer = Writer(stream, path, header)
        for encodings in batches:
            writer.add(encodings)
        return writer.finish()


def read(path: pathlib.Path) -> EncodingsFile:
    """Check a file from end to end.

    Raises:
        errors.InputError: it can't be read, is none of ours, is cut, or is damaged.
    """
    digest, row = hashlib.sha256(), 0
    try:
        with path.open("rb") as stream:
            frames = _frames(stream, path)
            first = next(frames, None)
            if first is None or first.WhichOneof("frame") != "header" or not first.header.width_bits:
                raise errors.InputError(f"{path} has no header: encode the records again")
            header, row_bytes = header_from_proto(first.header), first.header.width_bits // 8
            for frame in frames:
                if frame.WhichOneof("frame") == "trailer":
                    whole = digests.Digest(digest.digest(), row * row_bytes)
                    if (frame.trailer.row_count, framing.digest_from_proto(frame.trailer.digest)) != (row, whole):
                        raise errors.InputError(f"{path} does not hold what its trailer says: encode the records again")
                    return EncodingsFile(path, header, row, whole)
                row += _checked_rows(frame.batch, row, row_bytes, path)
                digest.update(frame.batch.encodings)
    except OSError as error:
        raise errors.InputError(f"cannot read {path}: {error.strerror}") from None
    raise errors.InputError(f"{path} is cut off after row {row}: encode the records again")


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path`` when the block ends well, and vanishes when it does not.

    Raises:
        errors.InputError: it can't be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            yield stream
        draft.replace(path)
    except OSError as error:
        if error.strerror is None:  # a timeout, not a file
            raise
        raise errors.InputError(f"cannot write {path}: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _frames(stream: BinaryIO, path: pathlib.Path) -> Iterator[encoder_service_pb2.EncodeResponse]:
    if stream.read(len(MAGIC)) != MAGIC:
        raise errors.InputError(f"{path} is no file of encodings: make one with `hushlink encode`")
    while size := stream.read(_SIZE.size):
        length = _SIZE.unpack(size)[0] if len(size) == _SIZE.size else 0
        content = stream.read(length) if length <= _FRAME_BYTES else b""
        if not length or len(content) != length:
            raise errors.InputError(f"{path} is cut off or damaged: encode the records again")
        try:
            yield encoder_service_pb2.EncodeResponse.FromString(content)
        except protobuf_message.DecodeError:
            raise errors.InputError(f"{path} is damaged: encode the records again") from None


def _checked_rows(batch: encoder_service_pb2.EncodingBatch, row: int, row_bytes: int, path: pathlib.Path) -> int:
    """How many rows a batch has.

    Raises:
        errors.InputError: it is damaged, or not the next one.
    """
    try:
        framing.check_crc32c(batch.crc32c, row, batch.encodings)
    except domain_errors.CallerError:
        raise errors.InputError(f"{path} is damaged at row {row}: encode the records again") from None
    rows, rest = divmod(len(batch.encodings), row_bytes)
    if batch.first_row != row or rest:
        raise errors.InputError(f"{path} has a gap at row {row}: encode the records again")
    return rows


def _header_to_proto(header: Header) -> encoder_service_pb2.EncodingsHeader:
    return encoder_service_pb2.EncodingsHeader(
        schema_fingerprint=header.schema_fingerprint,
        width_bits=header.width_bits,
        key_check=header.key_check,
        encoder_version=header.encoder_version,
    )


def header_from_proto(message: encoder_service_pb2.EncodingsHeader) -> Header:
    """A header as an encoder sends it."""
    return Header(message.schema_fingerprint, message.width_bits, message.key_check, message.encoder_version)
