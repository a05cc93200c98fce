"""Jobs: the encoding of one stream of records, from its header to its last batch.

A job has its own encoder, and with it the keys and the caches of cells and tokens; all of them end with the stream.
Encoding runs in threads, some thousand records at a time: streams take turns, and a job that is closed stops soon.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Final, TypeAlias, TypeVar

from hushlink_domain import digests, encodings, errors, schema
from hushlink_encoder import engine, faults, keyring, keys, meters, refusals

STEP_ROWS: Final = 2048
STEP_BYTES: Final = 8 << 20
"""Records encoded in one turn of a thread: at most this many, and at most this many bytes of filters."""
ANSWER_MARGIN_BYTES: Final = 1 << 10
"""What a message may hold beside encodings."""
UTF8_BYTES: Final = 4
"""The most bytes that one character takes."""

Columns: TypeAlias = Sequence[Sequence[str]]
"""Cells, column by column."""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What the header of a stream asks for."""

    schema_json: str
    key_name: str
    project_id: str
    """May be empty: then there is no key check."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What a stream may hold."""

    columns: int
    cell_bytes: int
    batch_records: int
    message_bytes: int
    """The largest message, which the encodings of a batch have to fit into."""


class Desk:
    """Where jobs begin: as many at a time as there are places."""

    def __init__(
        self, held: keyring.Keyring, limits: Limits, places: int, threads: concurrent.futures.ThreadPoolExecutor
    ) -> None:
        self._keyring = held
        self._limits = limits
        self._places = places
        self._taken = 0
        self._threads = threads

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold one of the places for streams.

        Raises:
            errors.CapacityError: LIMIT_EXCEEDED, when all are taken.
        """
        if self._taken >= self._places:
            raise errors.CapacityError(
                errors.Reason.LIMIT_EXCEEDED,
                f"this encoder takes {self._places} streams at a time, and that many are open: try again with back-off",
                limit="streams",
                allowed=self._places,
                found=self._taken + 1,
            )
        self._taken += 1
        meters.STREAMS.inc()
        try:
            yield
        finally:
            self._taken -= 1
            meters.STREAMS.dec()

    async def described(self, schema_json: str) -> schema.LinkageSchema:
        """Read a linkage schema.

        Raises:
            errors.CallerError: SCHEMA_INVALID.
        """
        try:
            return await self._parsed(schema_json)
        except schema.InvalidSchema as error:
            raise refusals.of_schema(error) from None

    async def faults(self, schema_json: str) -> tuple[schema.SchemaFault, ...]:
        """Every fault of a linkage schema; none if it is valid."""
        try:
            await self._parsed(schema_json)
        except schema.InvalidSchema as error:
            return error.faults
        return ()

    @contextlib.asynccontextmanager
    async def opened(self, order: Order) -> AsyncIterator[Job]:
        """A job, whose keys and caches are gone behind the ``async with`` block.

        Raises:
            errors.CallerError: SCHEMA_INVALID, KEY_UNKNOWN, INVALID_REQUEST for an encoding that is too wide.
            errors.StateError: KEY_UNKNOWN.
            errors.CapacityError: LIMIT_EXCEEDED.
        """
        agreed = await self.described(order.schema_json)
        self._check(agreed)
        job = await asyncio.wrap_future(self._threads.submit(self._job, order, agreed))
        try:
            yield job
        finally:
            job.close()

    async def _parsed(self, schema_json: str) -> schema.LinkageSchema:
        """Parse in a thread: a large schema takes a while."""
        return await asyncio.wrap_future(self._threads.submit(schema.parse_json, schema_json.encode()))

    def _check(self, agreed: schema.LinkageSchema) -> None:
        encodings.width_bytes(agreed.width_bytes * 8)
        if len(agreed.columns) > self._limits.columns:
            raise errors.CapacityError(
                errors.Reason.LIMIT_EXCEEDED,
                f"the schema has {len(agreed.columns)} columns, this encoder takes {self._limits.columns}",
                limit="max_columns",
                allowed=self._limits.columns,
                found=len(agreed.columns),
            )

    def _job(self, order: Order, agreed: schema.LinkageSchema) -> Job:
        secret = self._keyring.secret(order.key_name)
        fingerprint = agreed.fingerprint()
        check = keys.key_check(secret, fingerprint, order.project_id) if order.project_id else b""
        facts = Facts(order.project_id, fingerprint, agreed.width_bytes * 8, check)
        return Job(facts, engine.Encoder(agreed, secret), self._limits, self._threads)


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What the encodings of a job are."""

    project_id: str
    schema_fingerprint: bytes
    width_bits: int
    """Rounded up to whole bytes."""
    key_check: bytes
    """Empty where no project was named."""

    @property
    def row_bytes(self) -> int:
        """The bytes of one encoding."""
        return self.width_bits // 8


class Job:
    """Encodes the batches of one stream, one after the other."""

    def __init__(
        self, facts: Facts, encoder: engine.Encoder, limits: Limits, threads: concurrent.futures.ThreadPoolExecutor
    ) -> None:
        self.facts = facts
        self.row_count = 0
        """How many records were encoded."""
        self._encoder = encoder
        self._limits = limits
        self._threads = threads
        self._turn: concurrent.futures.Future[bytes] | None = None
        self._hash = hashlib.sha256()
        filter_bytes = (encoder.schema.working_bits + 7) // 8
        self._step = max(1, min(STEP_ROWS, STEP_BYTES // filter_bytes))
        room = max(1, (limits.message_bytes - ANSWER_MARGIN_BYTES) // facts.row_bytes)
        self._most_records = min(limits.batch_records, room)

    @property
    def digest(self) -> digests.Digest:
        """SHA-256 and size of all encodings so far, in order."""
        return digests.Digest(self._hash.digest(), self.row_count * self.facts.row_bytes)

    async def encode(self, first_row: int, columns: Columns) -> bytes:
        """Encode the next records, one sequence of cells per column of the schema; gives whole rows.

        Raises:
            errors.CallerError: CHUNK_OFFSET; RECORDS_INVALID with row, column and problem, never a value.
            errors.CapacityError: LIMIT_EXCEEDED.
        """
        self._check_start(first_row)
        count = self._counted(columns)
        rows = []
        for start in range(0, count, self._step):
            rows.append(await self._in_turn(self._encoding(columns, start, min(start + self._step, count))))
        self.row_count += count
        meters.RECORDS.inc(count)
        return b"".join(rows)

    def close(self) -> None:
        """Forget keys, cells and tokens: now, or when the thread that is at work has done its turn."""
        if self._turn is None:
            self._encoder.close()
        else:
            self._turn.add_done_callback(lambda _: self._encoder.close())

    async def _in_turn(self, work: Callable[[], bytes]) -> bytes:
        self._turn = self._threads.submit(work)
        return await asyncio.wrap_future(self._turn)

    def _encoding(self, columns: Columns, start: int, stop: int) -> Callable[[], bytes]:
        first_row = self.row_count + start

        def encode() -> bytes:
            cells = [column[start:stop] for column in columns]
            try:
                self._check_sizes(cells, first_row)
                rows = self._encoder.encode_columns(cells, first_row=first_row).tobytes()
            except faults.InvalidRecords as error:
                raise refusals.of_records(error) from None
            self._hash.update(rows)
            return rows

        return encode

    def _check_start(self, first_row: int) -> None:
        if first_row != self.row_count:
            raise errors.CallerError(
                errors.Reason.CHUNK_OFFSET,
                f"the batch starts at row {first_row}, but row {self.row_count} comes next: "
                "number rows from 0 without a gap",
                expected_row=self.row_count,
                found_row=first_row,
            )

    def _counted(self, columns: Columns) -> int:
        """How many records the columns are."""
        identifiers = self._encoder.schema.identifiers
        if len(columns) != len(identifiers):
            note = f"{len(columns)} columns, the schema has {len(identifiers)}"
            raise self._misshapen(faults.RecordFault(faults.Kind.WRONG_CELL_COUNT, self.row_count, note=note))
        counts = [len(column) for column in columns]
        most, least = max(counts, default=0), min(counts, default=0)
        if most > self._most_records:
            raise errors.CapacityError(
                errors.Reason.LIMIT_EXCEEDED,
                f"the batch at row {self.row_count} has {most} records; with encodings of {self.facts.width_bits} bits "
                f"this encoder takes {self._most_records}: send smaller batches",
                limit="max_batch_records",
                allowed=self._most_records,
                found=most,
            )
        if least != most:
            shortest = identifiers[counts.index(least)]
            note = f"the column ends here, others have {most - least} more cells in this batch"
            row = self.row_count + least
            raise self._misshapen(faults.RecordFault(faults.Kind.WRONG_CELL_COUNT, row, shortest, note=note))
        return most

    @staticmethod
    def _misshapen(fault: faults.RecordFault) -> errors.CallerError:
        return refusals.of_records(faults.InvalidRecords([fault]))

    def _check_sizes(self, cells: Columns, first_row: int) -> None:
        limit = self._limits.cell_bytes
        found = [
            faults.RecordFault(faults.Kind.OVERSIZE, first_row + index, identifier, note=f"at most {limit} bytes")
            for identifier, column in zip(self._encoder.schema.identifiers, cells, strict=True)
            if max(map(len, column), default=0) * UTF8_BYTES > limit
            for index, cell in enumerate(column)
            if len(cell) > limit or len(cell.encode()) > limit
        ]
        if found:
            raise faults.InvalidRecords(sorted(found, key=lambda fault: fault.row or 0))
