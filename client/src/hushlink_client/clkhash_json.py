"""clkhash's JSON of encodings, ``{"clks": ["<base64>", ...]}``: what Anonlink's tools write and read.

It states nothing of its encodings but their bits: no schema, no key check, no row numbers. It is read and written piece
by piece, in memory that does not grow with it.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import pathlib
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from hushlink_client import encodings_file, errors
from hushlink_domain import digests

_START: Final = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"([^"\\]*)"\s*:\s*\[')
_ENTRY: Final = re.compile(rb'\s*"([^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*)"\s*([,\]])')
_EMPTY: Final = re.compile(rb"\s*\]")
_END: Final = re.compile(rb"\s*\}\s*\Z")
_READ_BYTES: Final = 1 << 20
_ENTRY_BYTES: Final = 1 << 18
"""No entry is longer: encodings of at most 16,384 bits have 2,732 characters; escapes and blanks make more of them."""


class Writer:
    """Writes clkhash's JSON; `finish` ends it."""

    def __init__(self, stream: BinaryIO, path: pathlib.Path, header: encodings_file.Header) -> None:
        self._stream = stream
        self._path = path
        self._header = header
        self._row_bytes = header.width_bits // 8
        self._count = 0
        self._hash = hashlib.sha256()
        stream.write(b'{"clks": [')

    def add(self, encodings: bytes, row_numbers: list[int] | None = None) -> None:
        """Write whole rows; see `encodings_file.Writer`.

        Raises:
            errors.InputError: row numbers with a gap, for which this form has no place.
        """
        count = len(encodings) // self._row_bytes
        if row_numbers is not None and row_numbers != list(range(self._count, self._count + count)):
            raise errors.InputError(
                f"{self._path}: clkhash's JSON has no row numbers, so no record may be left out: use --bad-rows empty"
            )
        self._hash.update(encodings)
        entries = [
            b'"' + binascii.b2a_base64(encodings[start : start + self._row_bytes], newline=False) + b'"'
            for start in range(0, len(encodings), self._row_bytes)
        ]
        if entries:
            self._stream.write((b",\n" if self._count else b"\n") + b",\n".join(entries))
        self._count += count

    def finish(self) -> encodings_file.EncodingsFile:
        """Write what ends the file; returns what it will be once it has its name."""
        self._stream.write(b"\n]}\n")
        return _file(self._path, self._header, self._count, self._hash.digest())

    def abandon(self) -> None:
        """Write no more."""


def read(path: pathlib.Path) -> encodings_file.EncodingsFile:
    """Check a file from end to end.

    Raises:
        errors.InputError: it can't be read, is no such JSON, is cut, or has encodings of several widths; the message
            names the entry or the byte.
    """
    digest, count, width_bytes = hashlib.sha256(), 0, 0
    for piece, width in _pieces(path):
        digest.update(piece)
        count += len(piece) // width
        width_bytes = width
    if not count:
        raise errors.InputError(f"{path} has no encodings: its `clks` are empty")
    header = encodings_file.Header(b"", width_bytes * 8, b"", "clkhash JSON")
    return _file(path, header, count, digest.digest())


def _file(path: pathlib.Path, header: encodings_file.Header, count: int, digest: bytes) -> encodings_file.EncodingsFile:
    size = count * header.width_bits // 8
    return encodings_file.EncodingsFile(
        path,
        header,
        encodings_file.RowNumbers(count),
        digests.Digest(digest, size),
        lambda: (piece for piece, _ in _pieces(path)),
    )


def _pieces(path: pathlib.Path) -> Iterator[tuple[bytes, int]]:
    """The encodings in pieces of whole rows, each with the bytes of a row."""
    with encodings_file.reading(path) as stream:
        held: list[bytes] = []
        size = width = 0
        for number, encoding in enumerate(_Entries(stream, path).decoded()):
            width = width or len(encoding)
            if len(encoding) != width or not width:
                raise errors.InputError(
                    f"{path}: encoding {number} (from 0) has {len(encoding)} bytes, and those before it have {width}: "
                    "all must be of one schema"
                )
            held.append(encoding)
            size += width
            if size >= encodings_file.PIECE_BYTES:
                yield b"".join(held), width
                held, size = [], 0
        if held:
            yield b"".join(held), width


class _Entries:
    """The entries of one file. Of the text only what was not yet looked at is held."""

    def __init__(self, stream: BinaryIO, path: pathlib.Path) -> None:
        self._stream = stream
        self._path = path
        self._text = b""
        self._place = 0
        self._before = 0
        """Bytes of the file that are no longer held."""

    def decoded(self) -> Iterator[bytes]:
        """Each encoding."""
        start = self._next(_START)
        if start is None:
            raise self._refusal('a JSON object with the one key "clks" is expected here')
        if start[1] != b"clks":
            kind = "; its blocks are not taken: write the encodings alone" if start[1] == b"clknblocks" else ""
            raise self._refusal(f'the key "clks" is expected here{kind}')
        number, more = 0, self._next(_EMPTY) is None
        while more:
            entry = self._next(_ENTRY)
            if entry is None:
                raise self._refusal(
                    f"encoding {number} (from 0) is no text between quotes, or the file is cut off here"
                )
            yield self._decoded(entry[1], number)
            number += 1
            more = entry[2] == b","
        if self._next(_END) is None or self._stream.read(1):
            raise self._refusal("the end of the object is expected here: is there another key, or is the file cut off?")

    def _next(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """What stands at the present place, None if it is something else or the file ends within it."""
        found = pattern.match(self._text, self._place)
        while found is None or found.end() == len(self._text):
            if len(self._text) - self._place > _ENTRY_BYTES:
                break
            more = self._stream.read(_READ_BYTES)
            if not more:
                break
            self._before += self._place
            self._text, self._place = self._text[self._place :] + more, 0
            found = pattern.match(self._text, self._place)
        if found is not None:
            self._place = found.end()
        return found

    def _decoded(self, text: bytes, number: int) -> bytes:
        try:
            if b"\\" in text:
                # Other writers escape slashes; old releases of clkhash put line ends into their base64.
                text = str(json.loads(b'"' + text + b'"')).replace("\n", "").encode("ascii")
            return binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            raise self._refusal(f"encoding {number} (from 0) is no base64") from None

    def _refusal(self, problem: str) -> errors.InputError:
        return errors.InputError(
            f"{self._path} is not clkhash's JSON: before byte {self._before + self._place}, {problem}"
        )
