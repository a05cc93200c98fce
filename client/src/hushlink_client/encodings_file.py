"""Files of encodings, whatever their form: what is known of one once it was checked from end to end."""

from __future__ import annotations

import array
import bisect
import contextlib
import dataclasses
import os
import pathlib
import secrets
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from hushlink.encoder.v1 import encoder_service_pb2
from hushlink_client import errors, uploads
from hushlink_domain import digests

PIECE_BYTES = 1 << 20
"""Encodings are read in pieces of about this size."""


@dataclasses.dataclass(frozen=True, slots=True)
class Header:
    """What the encodings of a file are."""

    schema_fingerprint: bytes
    """Empty where the file's form has no place for it."""
    width_bits: int
    key_check: bytes
    """Empty where no project was named."""
    encoder_version: str


class RowNumbers:
    """Which row of the input each encoding is of: ascending, with gaps where records were left out.

    Kept as runs without a gap, so that its size is that of the gaps.
    """

    def __init__(self, count: int = 0) -> None:
        """The rows from 0 to ``count``, without a gap."""
        self.count = 0
        """How many they are."""
        self._starts = array.array("q")
        self._inputs = array.array("q")
        if count:
            self.extend(0, count)

    @property
    def end(self) -> int:
        """The first number that may come next."""
        return self._inputs[-1] + self.count - self._starts[-1] if self.count else 0

    @property
    def missing(self) -> int:
        """How many numbers were left out below `end`."""
        return self.end - self.count

    def extend(self, first: int, count: int) -> None:
        """Add consecutive numbers.

        Raises:
            ValueError: they don't come after all others.
        """
        if first < self.end:
            raise ValueError("row numbers ascend")
        if not self.count or first > self.end:
            self._starts.append(self.count)
            self._inputs.append(first)
        self.count += count

    def __getitem__(self, place: int) -> int:
        """The number of the encoding at a place, from 0."""
        if not 0 <= place < self.count:
            raise IndexError(place)
        run = bisect.bisect_right(self._starts, place) - 1
        return self._inputs[run] + place - self._starts[run]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowNumbers) and (self.count, self._starts, self._inputs) == (
            other.count,
            other._starts,
            other._inputs,
        )

    __hash__ = None  # type: ignore[assignment]  # it grows


@dataclasses.dataclass(frozen=True, slots=True)
class EncodingsFile:
    """A file of encodings whose form, count and digest were checked."""

    path: pathlib.Path
    header: Header
    row_numbers: RowNumbers
    digest: digests.Digest
    """Of all encodings in their order, which is that of the dataset they become."""
    pieces: Callable[[], Iterator[bytes | memoryview]] = dataclasses.field(compare=False, repr=False)
    """Reads the encodings from the start, in pieces of whole rows."""

    @property
    def row_count(self) -> int:
        """How many encodings there are."""
        return self.row_numbers.count

    def __iter__(self) -> Iterator[bytes | memoryview]:
        """The encodings, piece after piece; every iteration reads them from the start."""
        return self.pieces()

    def to_upload(self, key_check: bytes = b"") -> uploads.Encodings:
        """As an upload takes them, with another key check if one is given."""
        return uploads.Encodings(
            self.header.width_bits,
            self.header.schema_fingerprint,
            self,
            key_check or self.header.key_check,
            self.header.encoder_version,
        )


class Writer(Protocol):
    """Writes encodings in one form; `finish` ends the file."""

    def add(self, encodings: bytes, row_numbers: list[int] | None = None) -> None:
        """Write whole rows.

        Args:
            encodings: one after the other.
            row_numbers: the row of the input that each is of; None = the next ones without a gap.
        """

    def finish(self) -> EncodingsFile:
        """Write what ends the file; returns what it will be once it has its name."""

    def abandon(self) -> None:
        """Write no more: the file is given up."""


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


@contextlib.contextmanager
def reading(path: pathlib.Path) -> Iterator[BinaryIO]:
    """A file of encodings, open.

    Raises:
        errors.InputError: it can't be read.
    """
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        if error.strerror is None:
            raise
        raise errors.InputError(f"cannot read {path}: {error.strerror}") from None


def header_from_proto(message: encoder_service_pb2.EncodingsHeader) -> Header:
    """A header as an encoder sends it."""
    return Header(message.schema_fingerprint, message.width_bits, message.key_check, message.encoder_version)
