"""Blocks at rest: a file of JSON lines that other tools can read.

The first line is a header::

    {"format": "hushlink blocks", "version": 1, "kind": "p-sig", "mode": "keyed",
     "configuration_fingerprint": "...", "rows": 1000, "blocks": 312, "memberships": 2890}

Then comes a line for each block, in the order of their keys, `{"block": 0, "key": "..."}`; then a line for each row
that is in a block, in the order of the rows, `{"row": 0, "blocks": [3, 17]}`; and at last `{"sha256": "..."}`, the
digest of all bytes before that line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

import numpy as np

from hushlink_domain import errors
from hushlink_encoder.blocking import blocks, configuration

FORMAT: Final = "hushlink blocks"
VERSION: Final = 1
_LINES: Final = 4096
"""Lines written at a time."""
_LINE_BYTES: Final = 1 << 22
_COUNT: Final = 1 << 40
"""No count in a file is larger."""


class DamagedBlocks(errors.CallerError):
    """A file of blocks can't be used."""

    def __init__(self, message: str) -> None:
        super().__init__(errors.Reason.DIGEST_MISMATCH, message)


def write(stream: BinaryIO, made: blocks.Blocks) -> str:
    """Write blocks; gives the digest in hexadecimal."""
    digest = hashlib.sha256()
    pending: list[str] = []

    def flush() -> None:
        content = "".join(pending).encode("ascii")
        digest.update(content)
        stream.write(content)
        pending.clear()

    for line in _lines(made):
        pending.append(line)
        if len(pending) >= _LINES:
            flush()
    flush()
    stream.write(f'{{"sha256": "{digest.hexdigest()}"}}\n'.encode("ascii"))
    return digest.hexdigest()


def _lines(made: blocks.Blocks) -> Iterator[str]:
    order = sorted(range(len(made.keys)), key=made.keys.__getitem__)
    numbers = np.empty(len(order), np.uint64)
    numbers[order] = np.arange(len(order), dtype=np.uint64)
    # A row is named once for each block, by the one sort that brings both into order.
    pairs = np.unique((made.rows.astype(np.uint64) << np.uint64(32)) | np.repeat(numbers, made.sizes))
    rows, members = (pairs >> np.uint64(32)).tolist(), (pairs & np.uint64(0xFFFFFFFF)).tolist()
    header = {
        "format": FORMAT,
        "version": VERSION,
        "kind": made.kind.value,
        "mode": made.mode.value,
        "configuration_fingerprint": made.fingerprint.hex(),
        "rows": made.row_count,
        "blocks": len(order),
        "memberships": len(members),
    }
    yield json.dumps(header) + "\n"
    for number, place in enumerate(order):
        yield f'{{"block": {number}, "key": {json.dumps(made.keys[place])}}}\n'
    start = 0
    for stop in [*(np.flatnonzero(np.diff(pairs >> np.uint64(32))) + 1).tolist(), len(rows)]:
        if start < stop:
            yield f'{{"row": {rows[start]}, "blocks": {members[start:stop]}}}\n'
        start = stop


def read(stream: BinaryIO, name: str) -> blocks.Blocks:
    """Read blocks, and check form, counts and digest.

    Args:
        stream: the file, from its beginning.
        name: what errors call it.

    Raises:
        DamagedBlocks: it is none of ours, of a later version, cut or damaged.
    """
    return _Reader(stream, name).all()


class _Reader:
    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._line = 0
        self._digest = hashlib.sha256()

    def all(self) -> blocks.Blocks:
        header = self._header()
        counts = [self._number(header, key, _COUNT) for key in ("rows", "blocks", "memberships")]
        row_count, block_count, membership_count = counts
        keys = [self._key(number) for number in range(block_count)]
        rows, members = self._memberships(row_count, block_count, membership_count)
        expected = self._digest.hexdigest()
        if self._next().get("sha256") != expected or self._stream.read(1):
            raise self._damaged("does not hold what its digest says")
        order = np.argsort(members, kind="stable")
        sizes = np.bincount(members, minlength=block_count).astype(np.int64)
        return blocks.Blocks(
            configuration.Kind(header["kind"]),
            configuration.Mode(header["mode"]),
            bytes.fromhex(header["configuration_fingerprint"]),
            row_count,
            keys,
            blocks.offsets_of(sizes),
            rows[order],
        )

    def _header(self) -> Mapping[str, Any]:
        header = self._next()
        if header.get("format") != FORMAT:
            raise DamagedBlocks(f"{self._name} is no file of blocks: make one with `hushlink block`")
        if header.get("version") != VERSION:
            raise DamagedBlocks(f"{self._name} is of another version than {VERSION}: update hushlink")
        try:
            configuration.Kind(str(header.get("kind")))
            configuration.Mode(str(header.get("mode")))
            fingerprint = bytes.fromhex(header.get("configuration_fingerprint", ""))
        except (ValueError, TypeError):
            raise self._damaged("has a faulty header") from None
        if len(fingerprint) != hashlib.sha256().digest_size:
            raise self._damaged("has a faulty header")
        return header

    def _key(self, number: int) -> str:
        line = self._next()
        key = line.get("key")
        if line.get("block") != number or not isinstance(key, str):
            raise self._damaged(f"has no key of block {number} where it belongs")
        return key

    def _memberships(self, row_count: int, block_count: int, count: int) -> tuple[blocks.Rows, blocks.Rows]:
        rows: list[int] = []
        members: list[int] = []
        before = -1
        while len(members) < count:
            line = self._next()
            row, inside = self._number(line, "row", row_count - 1), line.get("blocks")
            if row <= before or not isinstance(inside, list) or not inside:
                raise self._damaged("has rows out of order, or without blocks")
            if not all(type(each) is int and 0 <= each < block_count for each in inside):
                raise self._damaged("names a block that it does not have")
            members += inside
            rows += [row] * len(inside)
            before = row
        if len(members) > count:
            raise self._damaged("has more rows in blocks than its header says")
        return np.array(rows, np.int64), np.array(members, np.int64)

    def _number(self, line: Mapping[str, Any], key: str, most: int) -> int:
        value = line.get(key)
        if type(value) is not int or not 0 <= value <= most:
            raise self._damaged(f"has no sound {key!r}")
        return value

    def _next(self) -> Mapping[str, Any]:
        raw = self._stream.readline(_LINE_BYTES)
        self._line += 1
        try:
            line = json.loads(raw) if raw.endswith(b"\n") else None
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            raise self._damaged("is cut off, damaged, or no file of blocks")
        self._digest.update(raw)
        return line

    def _damaged(self, what: str) -> DamagedBlocks:
        return DamagedBlocks(f"{self._name}, line {self._line}, {what}: make it again with `hushlink block`")
