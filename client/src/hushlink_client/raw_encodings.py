"""Raw encodings: their bytes one after the other and nothing else, so that width and count have to be told."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Iterator
from typing import BinaryIO

from hushlink_client import encodings_file, errors
from hushlink_domain import digests


def read(path: pathlib.Path, width_bits: int, count: int) -> encodings_file.EncodingsFile:
    """Check a file.

    Args:
        path: the file.
        width_bits: of an encoding, a multiple of 8.
        count: how many encodings there are.

    Raises:
        errors.InputError: it can't be read, or has another size than width and count say.
    """
    if width_bits < 8 or width_bits % 8:
        raise errors.InputError(f"the width of raw encodings is a multiple of 8 bits, and {width_bits} is not")
    row_bytes = width_bits // 8
    with encodings_file.reading(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size != count * row_bytes:
            rows, rest = divmod(size, row_bytes)
            more = f" and {rest} bytes" if rest else ""
            raise errors.InputError(
                f"{path} has {size} bytes: at {width_bits} bits that is {rows} encodings{more}, and {count} were named"
            )
        digest = hashlib.sha256()
        for piece in _pieces(stream, row_bytes):
            digest.update(piece)
    header = encodings_file.Header(b"", width_bits, b"", "raw")
    return encodings_file.EncodingsFile(
        path,
        header,
        encodings_file.RowNumbers(count),
        digests.Digest(digest.digest(), size),
        lambda: _reread(path, row_bytes),
    )


def _reread(path: pathlib.Path, row_bytes: int) -> Iterator[bytes]:
    with encodings_file.reading(path) as stream:
        yield from _pieces(stream, row_bytes)


def _pieces(stream: BinaryIO, row_bytes: int) -> Iterator[bytes]:
    while piece := stream.read(max(1, encodings_file.PIECE_BYTES // row_bytes) * row_bytes):
        yield piece
