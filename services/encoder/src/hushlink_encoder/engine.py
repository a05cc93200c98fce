"""The encoder: rows of text in, rows of bits out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy import typing as npt

from hushlink_domain import errors
from hushlink_domain import schema as linkage
from hushlink_encoder import bloom, columns, faults, keys, records

Encodings: TypeAlias = npt.NDArray[np.uint8]
"""One row per record, ceil(width / 8) bytes each, C-contiguous."""

STEP_ROWS: Final = 8192
STEP_BYTES: Final = 64 << 20
"""Rows worked on at a time: at most this many, and at most this many bytes of filters."""
CACHE_BYTES: Final = 128 << 20
"""What an encoder may remember of cells and tokens, roughly, all columns together."""


class Encoder:
    """Turns records into encodings by one schema and one secret.

    An encoder is one job: it caches what cells and tokens become, in bounded memory, until it is
    closed, and then erases what the kernel held. It is a context manager. Use it from one thread at a
    time; encoders are independent.

    Args:
        schema: the linkage schema, as decoded JSON (clkhash's format, see `hushlink_domain.schema`)
            or already parsed.
        secret: the linkage secret; bytes are taken exactly as they are.
        mode: "compat" or "strict" overrides the schema's own mode; None goes by the schema.

    Raises:
        hushlink_domain.schema.InvalidSchema: with every fault of the schema.
        hushlink_encoder.InvalidSecret: the secret is empty or too long.
        ValueError: an unknown mode, or one that differs from that of a schema already parsed.
    """

    def __init__(
        self,
        schema: Mapping[str, object] | linkage.LinkageSchema,
        secret: bytes | keys.Secret,
        *,
        mode: Literal["compat", "strict"] | None = None,
    ) -> None:
        self.schema = _parsed(schema, mode)
        shared = secret if isinstance(secret, keys.Secret) else keys.Secret(secret)
        column_keys = keys.derive(shared, self.schema)
        features = list(self.schema.features())
        self._columns = tuple(
            columns.ColumnEncoder(
                position, feature, self.schema, column_keys[position], cache_bytes=CACHE_BYTES // len(features)
            )
            for position, feature in features
        )
        self._closed = False
        self._filter_bytes = (self.schema.working_bits + 7) // 8
        self._step = max(1, min(STEP_ROWS, STEP_BYTES // self._filter_bytes))

    def __enter__(self) -> Encoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Erase keys and tokens, forget cells. The encoder can't be used any more."""
        self._closed = True
        for column in self._columns:
            column.close()

    def encode(self, rows: Sequence[Sequence[str]], *, first_row: int = 0, source: str | None = None) -> Encodings:
        """Encode records given row by row, one cell per column of the schema, ignored ones too.

        Args:
            rows: the records; a cell is a str, "" for an empty one.
            first_row: number of the first of these rows in the whole input, for errors only.
            source: the input's name, for errors only.

        Returns:
            A uint8 array of shape (len(rows), schema.width_bytes), C-contiguous, row i for record i.

        Raises:
            InvalidRecords: with the row, column and kind of each fault, never the value.
        """
        self._check_shape(rows, first_row, source)
        encodings = np.zeros((len(rows), self.schema.width_bytes), dtype=np.uint8)
        for start, stop in self._steps(len(rows)):
            flat = list(itertools.chain.from_iterable(rows[start:stop]))
            cells = [flat[column.position :: self._expected] for column in self._columns]
            self._encode(cells, encodings[start:stop], first_row + start, source)
        return encodings

    def encode_columns(
        self, cells: Sequence[Sequence[str]], *, first_row: int = 0, source: str | None = None
    ) -> Encodings:
        """Encode records given column by column, one sequence per column of the schema.

        Ignored columns may be given as empty sequences. Otherwise as `encode`.

        Raises:
            InvalidRecords: as `encode`.
            ValueError: the number of columns is not that of the schema, or their lengths differ.
        """
        if len(cells) != self._expected:
            raise ValueError(f"{len(cells)} columns given, the schema has {self._expected}")
        counts = {len(cells[column.position]) for column in self._columns}
        if len(counts) > 1:
            raise ValueError("the columns differ in length")
        count = counts.pop() if counts else max(map(len, cells), default=0)
        encodings = np.zeros((count, self.schema.width_bytes), dtype=np.uint8)
        for start, stop in self._steps(count):
            part = [cells[column.position][start:stop] for column in self._columns]
            self._encode(part, encodings[start:stop], first_row + start, source)
        return encodings

    def encode_batch(self, batch: records.RecordBatch) -> Encodings:
        """Encode a batch that a reader gave; faults name its file and rows. Otherwise as `encode`."""
        return self.encode_columns(batch.columns, first_row=batch.first_row, source=batch.source)

    def _check_shape(self, rows: Sequence[Sequence[str]], first_row: int, source: str | None) -> None:
        if set(map(len, rows)) <= {self._expected} and not any(issubclass(kind, str) for kind in set(map(type, rows))):
            return
        misshapen = (
            faults.RecordFault(faults.Kind.WRONG_CELL_COUNT, first_row + index, note=_cells(row, self._expected))
            for index, row in enumerate(rows)
            if isinstance(row, str) or len(row) != self._expected
        )
        if found := list(itertools.islice(misshapen, faults.COLLECTED_FAULTS)):
            raise faults.InvalidRecords(found, source)

    @property
    def _expected(self) -> int:
        return len(self.schema.columns)

    def _steps(self, count: int) -> Iterator[tuple[int, int]]:
        for start in range(0, count, self._step):
            yield start, min(start + self._step, count)

    def _encode(self, cells: Sequence[Sequence[str]], encodings: Encodings, first_row: int, source: str | None) -> None:
        """Write the encodings of some records, whose cells are those of the columns that are not ignored."""
        if self._closed:
            raise ValueError("the encoder is closed: make another")
        folds = self.schema.xor_folds
        filters = np.zeros((len(encodings), self._filter_bytes), dtype=np.uint8) if folds else encodings
        found: list[faults.RecordFault] = []
        for column, its_cells in zip(self._columns, cells, strict=True):
            if not column.add(its_cells, filters):
                found += _faulty(column, its_cells, first_row)
        if found:
            found.sort(key=lambda fault: fault.row or 0)
            raise faults.InvalidRecords(found, source)
        if folds:
            encodings[:] = bloom.fold(filters, self.schema.width_bits, folds)


def _parsed(
    agreed: Mapping[str, object] | linkage.LinkageSchema, mode: Literal["compat", "strict"] | None
) -> linkage.LinkageSchema:
    if not isinstance(agreed, linkage.LinkageSchema):
        return linkage.parse(agreed, mode)
    if mode is not None and linkage.Mode(mode) is not agreed.mode:
        raise ValueError(f"the schema was parsed in mode {agreed.mode}: parse it in mode {mode}")
    return agreed


def _faulty(column: columns.ColumnEncoder, cells: Sequence[str], first_row: int) -> list[faults.RecordFault]:
    """Find the rows of a column that are at fault, up to the number that is reported."""
    kinds = ((index, column.fault(cell)) for index, cell in enumerate(cells))
    found = (
        faults.RecordFault(kind, first_row + index, column.identifier) for index, kind in kinds if kind is not None
    )
    collected = list(itertools.islice(found, faults.COLLECTED_FAULTS))
    if not collected:
        raise errors.InternalError(errors.Reason.INTERNAL, f"column {column.identifier!r} can't be encoded: report it")
    return collected


def _cells(row: Sequence[str], expected: int) -> str:
    found = "one text" if isinstance(row, str) else f"{len(row)} cells"
    return f"{found}, {expected} expected"
