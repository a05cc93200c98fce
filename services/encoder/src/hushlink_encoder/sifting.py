"""Records at fault: told all at once, read over, or encoded as nothing.

What an encoder refuses as a whole batch is taken apart here, until the rows at fault are known and all others encoded.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy import typing as npt

from hushlink_encoder import engine, faults, records

RowNumbers: TypeAlias = npt.NDArray[np.int64]


class BadRows(enum.StrEnum):
    """What becomes of a file with records at fault."""

    FAIL = "fail"
    """Nothing of it is encoded; its faults are told, up to `faults.COLLECTED_FAULTS`."""
    SKIP = "skip"
    """They are left out; the other rows keep their numbers."""
    EMPTY = "empty"
    """They become encodings without a bit."""


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Encodings, the rows they are of, and what was wrong with rows of this batch."""

    rows: RowNumbers
    """Numbers of data rows, from 0 over the whole input, ascending."""
    encodings: engine.Encodings
    """One for each of `rows`."""
    end: int
    """The number of the row after the last one that was read."""
    faults: tuple[faults.RecordFault, ...] = ()
    """By row; several for a record with several cells at fault."""
    fraction: float | None = None
    """How much of the input was read, from 0 to 1, if known."""


def encoded(
    encoder: engine.Encoder, batches: Iterable[records.RecordBatch], bad_rows: BadRows
) -> Iterator[EncodedBatch]:
    """Encode batches of one input; memory does not grow with their number.

    Args:
        encoder: the encoder.
        batches: from a reader that keeps going.
        bad_rows: what becomes of records at fault.

    Raises:
        faults.InvalidRecords: whatever leaves open what the rows are, such as a quote that is never closed; with
            `BadRows.FAIL` every fault, once all batches were looked at or enough faults were found.
    """
    found: list[faults.RecordFault] = []
    source = None
    try:
        for batch in batches:
            source = batch.source
            sifted = _Sifting(encoder, batch).result(bad_rows)
            if bad_rows is not BadRows.FAIL:
                yield sifted
                continue
            found += sifted.faults
            if len(found) >= faults.COLLECTED_FAULTS:
                break
            if not found:
                yield sifted
    except faults.InvalidRecords as error:
        found += error.faults
        source = error.source
    else:
        if not found:
            return
    raise faults.InvalidRecords(found, source)


class _Sifting:
    """One batch on its way through the encoder."""

    def __init__(self, encoder: engine.Encoder, batch: records.RecordBatch) -> None:
        self._encoder = encoder
        self._batch = batch
        self._faults = list(batch.faults)

    def result(self, bad_rows: BadRows) -> EncodedBatch:
        """The batch's encodings and faults."""
        first, count = self._batch.first_row, self._batch.count
        if not self._batch.faults and (whole := self._encoded_at_once()) is not None:
            return EncodedBatch(np.arange(first, first + count), whole, first + count, (), self._batch.fraction)
        unread = {fault.row - first for fault in self._batch.faults if fault.row is not None}
        good = [place for place in range(count) if place not in unread]
        parts = list(self._encoded(good))
        places = np.concatenate([np.asarray(part, np.int64) for part, _ in parts] or [np.empty(0, np.int64)])
        rows = np.concatenate([encodings for _, encodings in parts] or [self._nothing(0)])
        if bad_rows is BadRows.EMPTY and len(places) < count:
            whole = self._nothing(count)
            whole[places] = rows
            places, rows = np.arange(count, dtype=np.int64), whole
        self._faults.sort(key=lambda fault: fault.row or 0)
        return EncodedBatch(places + first, rows, first + count, tuple(self._faults), self._batch.fraction)

    def _encoded_at_once(self) -> engine.Encodings | None:
        """The encodings of the whole batch, None if a record is at fault."""
        try:
            return self._encoder.encode_columns(self._batch.columns)
        except faults.InvalidRecords:
            return None

    def _encoded(self, places: Sequence[int]) -> Iterator[tuple[Sequence[int], engine.Encodings]]:
        """Encode the rows at these places of the batch, but for those at fault, which are noted."""
        if not places:
            return
        try:
            encodings = self._encoder.encode_columns(self._cells(places))
        except faults.InvalidRecords as error:
            named = error.faults
        else:
            yield places, encodings
            return
        if len(named) >= faults.COLLECTED_FAULTS and len(places) > 1:  # there may be more: look closer
            middle = len(places) // 2
            yield from self._encoded(places[:middle])
            yield from self._encoded(places[middle:])
            return
        at_fault = set()
        for fault in named:
            place = places[fault.row or 0]
            at_fault.add(place)
            self._faults.append(replace(fault, row=self._batch.first_row + place))
        yield from self._encoded([place for place in places if place not in at_fault])

    def _cells(self, places: Sequence[int]) -> Sequence[Sequence[str]]:
        columns = self._batch.columns
        if len(places) == self._batch.count:
            return columns
        return [tuple(map(column.__getitem__, places)) if column else () for column in columns]

    def _nothing(self, count: int) -> engine.Encodings:
        return np.zeros((count, self._encoder.schema.width_bytes), dtype=np.uint8)
