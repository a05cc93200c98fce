"""Containers: encodings at rest, as Parquet files that other tools open.

A container has two columns: ``row`` (64-bit integer), the row of the input, and ``encoding`` (binary of fixed size).
Everything known of the encodings is in the file's metadata, as `FACTS` lists it. Encodings are neither compressed, for
they look like noise, nor otherwise encoded. The form has a version: a release reads all versions up to its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from hushlink_client import encodings_file, errors, popcounts
from hushlink_domain import digests

if TYPE_CHECKING:
    import numpy as np
    from numpy import typing as npt

MAGIC: Final = b"PAR1"
FORMAT_VERSION: Final = 1
PREFIX: Final = "hushlink."
"""Before the name of every fact, because other programs keep theirs in the same place."""
FACTS: Final = {
    "format": re.compile("encodings"),
    "format_version": re.compile("[0-9]{1,9}"),
    "encoder_version": re.compile("[ -~]{0,200}"),
    "schema_fingerprint": re.compile("(?:[0-9a-f]{64})?"),
    "key_check": re.compile("(?:[0-9a-f]{32})?"),
    "width_bits": re.compile("[1-9][0-9]{0,6}"),
    "row_count": re.compile("[0-9]{1,18}"),
    "sha256": re.compile("[0-9a-f]{64}"),
    "rows_sha256": re.compile("[0-9a-f]{64}"),
    "facts_sha256": re.compile("[0-9a-f]{64}"),
}
"""The facts that every container states, and what they look like; beside them ``popcount_min``, ``popcount_median``,
``popcount_mean`` and ``popcount_max``, where there is an encoding. The digests are of all encodings, of all row numbers
(64 bits, little-endian), and of the other facts."""
GROUP_BYTES: Final = 8 << 20
"""Encodings of a row group: what a writer holds in memory."""


class Writer:
    """Writes a container; `finish` ends it."""

    def __init__(self, stream: BinaryIO, path: pathlib.Path, header: encodings_file.Header) -> None:
        self._arrow, parquet = _libraries()
        self._path = path
        self._header = header
        self._row_bytes = header.width_bits // 8
        self._group_rows = max(1, GROUP_BYTES // self._row_bytes)
        self._content = _Content(header.width_bits)
        self._pending = bytearray()
        self._pending_rows: list[npt.NDArray[np.int64]] = []
        self._schema = self._arrow.schema(
            [
                self._arrow.field("row", self._arrow.int64(), nullable=False),
                self._arrow.field("encoding", self._arrow.binary(self._row_bytes), nullable=False),
            ]
        )
        self._parquet = parquet.ParquetWriter(
            stream,
            self._schema,
            compression="none",
            use_dictionary=False,
            column_encoding={"row": "DELTA_BINARY_PACKED", "encoding": "PLAIN"},
            write_statistics=False,
            write_page_checksum=True,
            store_schema=False,
        )

    def add(self, encodings: bytes, row_numbers: list[int] | None = None) -> None:
        """Write whole rows; see `encodings_file.Writer`."""
        import numpy as np  # noqa: PLC0415 - an extra

        count = len(encodings) // self._row_bytes
        if row_numbers is None:
            end = self._content.row_numbers.end
            rows = np.arange(end, end + count, dtype=np.int64)
        else:
            rows = np.asarray(row_numbers, dtype=np.int64)
        self._content.add(rows, encodings)
        self._pending += encodings
        self._pending_rows.append(rows)
        while len(self._pending) >= self._group_rows * self._row_bytes:
            self._put(self._group_rows)

    def finish(self) -> encodings_file.EncodingsFile:
        """Write what ends the file; returns what it will be once it has its name."""
        if self._pending:
            self._put(len(self._pending) // self._row_bytes)
        facts = _facts(self._header, self._content)
        self._parquet.add_key_value_metadata({PREFIX + name: fact for name, fact in facts.items()})
        self._parquet.close()
        return _file(self._path, self._header, self._content)

    def abandon(self) -> None:
        """Write no more, not even an end."""
        self._parquet.is_open = False  # else it would write one when it is thrown away

    def _put(self, count: int) -> None:
        """Write so many of the pending rows as a row group."""
        import numpy as np  # noqa: PLC0415 - an extra

        rows = np.concatenate(self._pending_rows)
        size = count * self._row_bytes
        encodings = self._arrow.Array.from_buffers(
            self._schema.field("encoding").type, count, [None, self._arrow.py_buffer(bytes(self._pending[:size]))]
        )
        table = self._arrow.table([self._arrow.array(rows[:count]), encodings], schema=self._schema)
        self._parquet.write_table(table, row_group_size=count)
        del self._pending[:size]
        self._pending_rows = [rows[count:]]


def read(path: pathlib.Path) -> encodings_file.EncodingsFile:
    """Check a container from end to end.

    Raises:
        errors.InputError: it can't be read, is none, is of a later form, is cut, or is damaged; the message says where.
        errors.ClientError: what reads it is not installed.
    """
    with _Opened(path) as opened:
        header = _header(opened.facts, path)
        opened.check_columns(header.width_bits // 8)
        content = _Content(header.width_bits)
        for rows, encodings in opened.batches(header.width_bits):
            try:
                content.add(rows, encodings)
            except ValueError:
                place = content.row_numbers.count
                raise errors.InputError(
                    f"{path} is damaged: the row numbers after encoding {place} do not ascend; encode the records again"
                ) from None
        _compare(opened.facts, _facts(header, content), path)
        return _file(path, header, content)


class _Content:
    """What was written or read so far, in numbers."""

    def __init__(self, width_bits: int) -> None:
        self.row_numbers = encodings_file.RowNumbers()
        self.hash = hashlib.sha256()
        self.rows_hash = hashlib.sha256()
        self.popcounts = popcounts.Popcounts(width_bits)
        self.size_bytes = 0
        self._row_bytes = width_bits // 8

    def add(self, rows: npt.NDArray[np.int64], encodings: bytes | memoryview) -> None:
        """Count more encodings.

        Raises:
            ValueError: the row numbers don't ascend.
        """
        import numpy as np  # noqa: PLC0415 - an extra

        if not len(rows):
            return
        steps = np.diff(rows)
        # Differences of hostile numbers may wrap around; comparing does not.
        if len(rows) > 1 and not (rows[1:] > rows[:-1]).all():
            raise ValueError("row numbers ascend")
        starts = [0, *(np.flatnonzero(steps != 1) + 1).tolist()]
        for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
            self.row_numbers.extend(int(rows[start]), end - start)
        self.hash.update(encodings)
        self.rows_hash.update(rows.astype("<i8").tobytes())
        self.popcounts.add(np.frombuffer(encodings, np.uint8).reshape(len(rows), self._row_bytes))
        self.size_bytes += len(encodings)


def _file(path: pathlib.Path, header: encodings_file.Header, content: _Content) -> encodings_file.EncodingsFile:
    def pieces() -> Iterator[memoryview]:
        with _Opened(path) as opened:
            for _, encodings in opened.batches(header.width_bits):
                yield encodings

    digest = digests.Digest(content.hash.digest(), content.size_bytes)
    return encodings_file.EncodingsFile(path, header, content.row_numbers, digest, pieces)


class _Opened:
    """A container that is open inside a ``with`` block; what the library says of it becomes an error that names it."""

    def __init__(self, path: pathlib.Path) -> None:
        self.facts: dict[str, str] = {}
        self._path = path
        self._stack = contextlib.ExitStack()
        self._arrow, self._library = _libraries()
        self._damages = (self._arrow.ArrowException, ValueError, OSError, ArithmeticError, LookupError, MemoryError)

    def __enter__(self) -> _Opened:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(encodings_file.reading(self._path))
            self._size = os.fstat(stream.fileno()).st_size
            magic = stream.read(len(MAGIC))
            if magic != MAGIC:
                raise errors.InputError(f"{self._path} is no container of encodings: {_what_it_may_be(magic)}")
            try:
                self._parquet = stack.enter_context(
                    self._library.ParquetFile(
                        stream,
                        pre_buffer=False,
                        buffer_size=encodings_file.PIECE_BYTES,
                        page_checksum_verification=True,
                    )
                )
                self.facts = _stated(self._parquet.metadata.metadata or {})
            except self._damages:
                raise errors.InputError(
                    f"{self._path} has no readable end: it is damaged or cut off; encode the records again"
                ) from None
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def batches(self, width_bits: int) -> Iterator[tuple[npt.NDArray[np.int64], memoryview]]:
        """Row numbers and encodings, in pieces."""
        row_bytes = width_bits // 8
        place = 0
        pieces = self._parquet.iter_batches(
            batch_size=max(1, encodings_file.PIECE_BYTES // row_bytes), columns=["row", "encoding"], use_threads=False
        )
        while True:
            try:
                batch = next(pieces, None)
                if batch is None:
                    return
                batch.validate(full=True)
                rows, encodings = batch.column(0), batch.column(1)
                if rows.null_count or encodings.null_count:
                    raise ValueError("a column has gaps")
                numbers = rows.to_numpy(zero_copy_only=True)
                held = memoryview(encodings.buffers()[1]) if len(encodings) else memoryview(b"")
            except self._damages:
                raise errors.InputError(
                    f"{self._path} is damaged or cut off after encoding {place}: encode the records again"
                ) from None
            yield numbers, held[encodings.offset * row_bytes : (encodings.offset + len(encodings)) * row_bytes]
            place += len(encodings)

    def check_columns(self, row_bytes: int) -> None:
        """Check that the columns are those of a container, and no more rows are stated than the file can hold.

        Raises:
            errors.InputError: they are not, or there are.
        """
        try:
            found = {field.name: field.type for field in self._parquet.schema_arrow}
            count = self._parquet.metadata.num_rows
        except self._damages:
            found, count = {}, 0
        if found != {"row": self._arrow.int64(), "encoding": self._arrow.binary(row_bytes)}:
            raise errors.InputError(
                f"{self._path} is no container of encodings: its columns are not `row` (int64) and `encoding` "
                f"(fixed-size binary of {row_bytes} bytes)"
            )
        if count * row_bytes > self._size:  # before anything is made as large as a lie
            raise errors.InputError(f"{self._path} is damaged: it states more encodings than it has room for")


def _libraries() -> tuple[Any, Any]:
    """pyarrow and its Parquet part, loaded when a container is read or written: that takes half a second."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        raise errors.ClientError(
            "containers of encodings need pyarrow and numpy: install hushlink-client[tables]"
        ) from None


def _what_it_may_be(start: bytes) -> str:
    if start.lstrip()[:1] == b"{":
        return "it looks like JSON; add --form clkhash-json if it is clkhash's"
    return "make one with `hushlink encode`, or say with --form what it is"


def _stated(metadata: Mapping[bytes, bytes]) -> dict[str, str]:
    decoded = {name.decode("utf-8", "replace"): fact.decode("utf-8", "replace") for name, fact in metadata.items()}
    return {name.removeprefix(PREFIX): fact for name, fact in decoded.items() if name.startswith(PREFIX)}


def _header(facts: Mapping[str, str], path: pathlib.Path) -> encodings_file.Header:
    """What a container's facts say of its encodings.

    Raises:
        errors.InputError: it is none, of a later form, or a fact is faulty.
    """
    if "format" not in facts:
        raise errors.InputError(
            f"{path} is a Parquet file, but no container of encodings: make one with `hushlink encode`"
        )
    version = facts.get("format_version", "")
    if version.isascii() and version.isdigit() and int(version) > FORMAT_VERSION:
        raise errors.InputError(
            f"{path} is a container of format version {version}, and this release reads up to {FORMAT_VERSION}: "
            "install a newer one"
        )
    for name, pattern in FACTS.items():
        if pattern.fullmatch(facts.get(name, "missing")) is None:
            raise errors.InputError(f"{path} is damaged: its fact {PREFIX}{name} is faulty; encode the records again")
    width_bits = int(facts["width_bits"])
    if facts["facts_sha256"] != _digest_of(facts) or width_bits % 8 or facts["format_version"] != "1":
        raise errors.InputError(f"{path} is damaged: its facts were changed; encode the records again")
    return encodings_file.Header(
        bytes.fromhex(facts["schema_fingerprint"]),
        width_bits,
        bytes.fromhex(facts["key_check"]),
        facts["encoder_version"],
    )


def _facts(header: encodings_file.Header, content: _Content) -> dict[str, str]:
    """What a container states."""
    facts = {
        "format": "encodings",
        "format_version": str(FORMAT_VERSION),
        "encoder_version": header.encoder_version,
        "schema_fingerprint": header.schema_fingerprint.hex(),
        "key_check": header.key_check.hex(),
        "width_bits": str(header.width_bits),
        "row_count": str(content.row_numbers.count),
        "sha256": content.hash.hexdigest(),
        "rows_sha256": content.rows_hash.hexdigest(),
        **{f"popcount_{name}": f"{figure:.12g}" for name, figure in content.popcounts.summary().items()},
    }
    return {**facts, "facts_sha256": _digest_of(facts)}


def _digest_of(facts: Mapping[str, str]) -> str:
    lines = [f"{name}={fact}\n" for name, fact in sorted(facts.items()) if name != "facts_sha256"]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _compare(stated: Mapping[str, str], found: Mapping[str, str], path: pathlib.Path) -> None:
    """Check that a container holds what it states.

    Raises:
        errors.InputError: it does not.
    """
    for name, fact in found.items():
        if name != "facts_sha256" and stated.get(name) != fact:
            raise errors.InputError(
                f"{path} is damaged: it holds another {PREFIX}{name} than it states; encode the records again"
            )
