"""The one door to the encoder's engine, which turns records into encodings inside this process.

The engine is the optional extra ``hushlink-client[encode]``: an analyst does not install it.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from hushlink_client import display, encodings_file, errors, fault_report, forms, record_form
from hushlink_domain import schema

if TYPE_CHECKING:
    import hushlink_encoder
    from hushlink_encoder import blocking, people

Secret: TypeAlias = "hushlink_encoder.Secret"  # noqa: S105 - the name of a type
OnRows: TypeAlias = Callable[[int, float | None], None]
"""Told how many rows were read, and how much of the input they are, from 0 to 1, if that is known."""
BlockStatistics: TypeAlias = "blocking.Statistics"
PeoplePlan: TypeAlias = "people.Plan"

BAD_ROWS = ("fail", "skip", "empty")
"""What may become of records at fault: nothing is encoded; they are left out; they become encodings without a bit."""


def shipped_schema(name: str) -> str:
    """The text of a linkage schema that comes with the encoder."""
    _check_installed()
    from hushlink_encoder import schemas  # noqa: PLC0415 - optional

    return schemas.text(name).decode()


def read_schema(path: pathlib.Path, mode: str | None = None) -> schema.LinkageSchema:
    """The linkage schema in a file.

    Raises:
        errors.InputError: the file can't be read.
        schema.InvalidSchema: it is no valid schema.
    """
    return schema.parse_json(read_schema_text(path), mode)


def read_schema_text(path: pathlib.Path) -> str:
    """The text of a schema file, not yet checked.

    Raises:
        errors.InputError: the file can't be read.
    """
    return _read_text(path, "schema")


def read_secret(path: pathlib.Path) -> Secret:
    """The linkage secret in a file: its bytes with one trailing line end removed.

    From now on no core dump of this process is written, which would hold the secret. People are warned on standard
    error of a secret that can be guessed.

    Raises:
        hushlink_domain.errors.CallerError: the file can't be read, or holds no secret.
    """
    _check_installed()
    import hushlink_encoder  # noqa: PLC0415 - optional
    from hushlink_encoder import core_dumps  # noqa: PLC0415

    core_dumps.disable()
    secret = hushlink_encoder.read_secret(path)
    if why := hushlink_encoder.weakness(secret):
        display.say(
            f"warning: the secret in {path} can be guessed: {why}; agree on one from `hushlink secret new`",
            alarming=True,
        )
    return secret


def write_new_secret(path: pathlib.Path) -> None:
    """Draw a secret and write its file, which only its owner may read.

    Raises:
        hushlink_domain.errors.CallerError: the file exists, or can't be written.
    """
    _check_installed()
    import hushlink_encoder  # noqa: PLC0415 - optional
    from hushlink_encoder import core_dumps  # noqa: PLC0415

    core_dumps.disable()
    hushlink_encoder.write_new_secret(path)


def key_check(secret: Secret, agreed: schema.LinkageSchema, project_id: str) -> bytes:
    """16 bytes that are equal exactly where secret, schema and project are. It takes a tenth of a second."""
    import hushlink_encoder  # noqa: PLC0415 - optional

    return hushlink_encoder.key_check(secret, agreed.fingerprint(), project_id)


def record_batches(
    records: pathlib.Path,
    agreed: schema.LinkageSchema,
    batch_rows: int | None = None,
    form: record_form.RecordForm | None = None,
    *,
    keep_going: bool = False,
) -> Iterable[hushlink_encoder.RecordBatch]:
    """A file of records as batches of columns; every iteration reads it from the start.

    Args:
        records: the file.
        agreed: the linkage schema, whose columns it has.
        batch_rows: most records in a batch; None = the encoder's own number.
        form: how the file is written; None = as CSV is by default, or by the file's name.
        keep_going: whether rows that are at fault alone are told with their batch, rather than raised.

    Raises:
        errors.InputError: the form makes no sense.
        errors.ClientError: what reads it is not installed.
        hushlink_domain.errors.CallerError: when iterated over, RECORDS_INVALID; rows and columns are named, never a
            value.
    """
    _check_installed()
    import hushlink_encoder  # noqa: PLC0415 - optional

    form = form or record_form.RecordForm()
    rows = batch_rows or hushlink_encoder.BATCH_ROWS
    if (kind := form.kind_of(records)) != "csv":
        if importlib.util.find_spec("pyarrow") is None:
            raise errors.ClientError(f"{kind} files need pyarrow: install hushlink-client[encode]")
        return hushlink_encoder.TableReader(
            records, agreed, hushlink_encoder.Form(kind), batch_rows=rows, keep_going=keep_going
        )
    try:
        dialect = hushlink_encoder.Dialect(form.delimiter, form.quote, form.escape)
    except ValueError as error:
        raise errors.InputError(f"{error}: see --delimiter, --quote and --escape") from None
    header = hushlink_encoder.Header(form.header)
    return hushlink_encoder.CsvReader(
        records, agreed.identifiers, dialect=dialect, header=header, batch_rows=rows, keep_going=keep_going
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Orders:
    """How files of records become files of encodings."""

    records: record_form.RecordForm = dataclasses.field(default_factory=record_form.RecordForm)
    """How the records are written."""
    bad_rows: str = "fail"
    """What becomes of records at fault, one of `BAD_ROWS`."""
    form: forms.Form = forms.Form.CONTAINER
    """How the encodings are written."""
    key_check: bytes = b""
    """For the header."""


def encode_file(
    records: pathlib.Path,
    target: pathlib.Path,
    agreed: schema.LinkageSchema,
    secret: Secret,
    orders: Orders | None = None,
    *,
    report: fault_report.Report | None = None,
    on_rows: OnRows = lambda _rows, _fraction: None,
) -> encodings_file.EncodingsFile:
    """Encode a file of records into a file of encodings.

    Memory does not grow with the number of records. Nothing is left behind where the records can't be encoded.

    Args:
        records: the file of records.
        target: the file of encodings to write.
        agreed: the linkage schema.
        secret: the linkage secret.
        orders: how; by default CSV into a container, and a record at fault is an error.
        report: told of every fault, also of those that are raised.
        on_rows: called with the number of rows read so far, and how much of the file they are if that is known.

    Raises:
        hushlink_domain.errors.CallerError: RECORDS_INVALID, with up to a hundred faults; rows and columns are named,
            never a value.
        errors.InputError: the target can't be written.
    """
    import hushlink_encoder  # noqa: PLC0415 - optional

    orders = orders or Orders()
    report = report or fault_report.Report()
    bad_rows = hushlink_encoder.BadRows(orders.bad_rows)
    if bad_rows is hushlink_encoder.BadRows.SKIP and orders.form is not forms.Form.CONTAINER:
        raise errors.InputError(f"{orders.form} has no row numbers, so no record may be left out: see --bad-rows empty")
    batches = record_batches(records, agreed, form=orders.records, keep_going=True)
    header = encodings_file.Header(agreed.fingerprint(), agreed.width_bytes * 8, orders.key_check, _version())
    try:
        with forms.writing(target, header, orders.form) as writer, hushlink_encoder.Encoder(agreed, secret) as encoder:
            for part in hushlink_encoder.encoded(encoder, _read_ahead(iter(batches)), bad_rows):
                skipping = bad_rows is hushlink_encoder.BadRows.SKIP
                writer.add(part.encodings.tobytes(), part.rows.tolist() if skipping else None)
                report.add(str(records), part.faults)
                on_rows(part.end, part.fraction)
            return writer.finish()
    except hushlink_encoder.InvalidRecords as error:
        report.add(str(records), error.faults)
        raise


def _read_ahead(batches: Iterator[hushlink_encoder.RecordBatch]) -> Iterator[hushlink_encoder.RecordBatch]:
    """The same batches, each read by a thread of its own while the one before it is encoded and written.

    A fault of reading comes up after the batches before it, as without the thread.
    """
    with concurrent.futures.ThreadPoolExecutor(1, "read") as thread:
        turn = thread.submit(next, batches, None)
        while (batch := turn.result()) is not None:
            turn = thread.submit(next, batches, None)
            yield batch


def read_blocking(path: pathlib.Path, identifiers: tuple[str, ...], mode: str | None = None) -> blocking.Configuration:
    """The blocking configuration in a file, for records with these columns.

    Raises:
        errors.InputError: the file can't be read.
        hushlink_domain.errors.CallerError: SCHEMA_INVALID, with every fault by its JSON path.
    """
    _check_installed()
    from hushlink_encoder import blocking  # noqa: PLC0415 - optional

    return blocking.parse_json(_read_text(path, "blocking configuration"), identifiers, mode)


def blocks_encodings(agreed: blocking.Configuration) -> bool:
    """Whether a configuration makes blocks of encodings, not of records."""
    from hushlink_encoder import blocking  # noqa: PLC0415 - optional

    return isinstance(agreed.method, blocking.LambdaFold) and agreed.method.of_encodings


def blocks_of_records(
    agreed: blocking.Configuration,
    secret: Secret | None,
    records: pathlib.Path,
    linkage: schema.LinkageSchema,
    on_rows: Callable[[int], None],
) -> blocking.Blocks:
    """The blocks of a CSV file, whose header names the schema's columns; cells are stripped where the schema says so.

    Raises:
        hushlink_domain.errors.CallerError: there is no secret and one is needed, RECORDS_INVALID, or no block is left.
    """
    import hushlink_encoder  # noqa: PLC0415 - optional
    from hushlink_encoder import blocking  # noqa: PLC0415

    blocker = blocking.blocker(agreed, secret)
    for batch in hushlink_encoder.CsvReader(records, linkage.identifiers):
        columns = batch.columns
        if linkage.strip_cells:
            columns = tuple(tuple(map(str.strip, column)) for column in columns)
        blocker.add(columns)
        on_rows(batch.first_row + batch.count)
    return blocker.finish()


def blocks_of_encodings(
    agreed: blocking.Configuration,
    secret: Secret | None,
    batches: Iterable[bytes | memoryview],
    width_bits: int,
    on_rows: Callable[[int], None],
) -> blocking.Blocks:
    """The blocks of encodings, given as whole rows. Errors as `blocks_of_records`."""
    import numpy as np  # noqa: PLC0415 - comes with the encoder

    from hushlink_encoder import blocking  # noqa: PLC0415

    blocker, rows = blocking.encodings_blocker(agreed, secret), 0
    for batch in batches:
        encodings = np.frombuffer(batch, np.uint8).reshape(-1, width_bits // 8)
        blocker.add_encodings(encodings)
        rows += len(encodings)
        on_rows(rows)
    return blocker.finish()


def measured_blocks(made: blocking.Blocks, against: pathlib.Path | None) -> tuple[BlockStatistics, int | None]:
    """Figures of blocks, and how many comparisons they make with those of another file.

    Raises:
        errors.InputError: the other file can't be read, or was made by another configuration.
        hushlink_domain.errors.CallerError: the other file is damaged.
    """
    from hushlink_encoder import blocking  # noqa: PLC0415 - optional

    if against is None:
        return blocking.Statistics.of(made), None
    try:
        with against.open("rb") as stream:
            other = blocking.read(stream, str(against))
    except OSError as error:
        raise errors.InputError(f"cannot read {against}: {error.strerror}") from None
    if other.fingerprint != made.fingerprint:
        raise errors.InputError(f"{against} was made by another blocking configuration: its blocks can't be compared")
    return blocking.Statistics.of(made), blocking.comparisons_between(made, other)


def write_blocks(stream: BinaryIO, made: blocking.Blocks) -> str:
    """Write blocks; gives their digest in hexadecimal."""
    from hushlink_encoder import blocking  # noqa: PLC0415 - optional

    return blocking.write(stream, made)


def people_plan(**wanted: object) -> people.Plan:
    """A plan of files of invented people; arguments as `hushlink_encoder.people.Plan`.

    Raises:
        errors.InputError: a value is out of its range.
    """
    _check_installed()
    from hushlink_encoder import people  # noqa: PLC0415 - optional

    try:
        return people.Plan(**wanted)  # type: ignore[arg-type]
    except ValueError as error:
        raise errors.InputError(str(error)) from None


def people_columns() -> tuple[str, ...]:
    """The columns that files of invented people may have, in the order the shipped schema wants.

    Raises:
        errors.ClientError: the encoder is not installed.
    """
    _check_installed()
    from hushlink_encoder import people  # noqa: PLC0415 - optional

    return people.COLUMNS


def _read_text(path: pathlib.Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise errors.InputError(f"cannot read the {what} {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise errors.InputError(f"the {what} {path} is no UTF-8 text (byte {error.start})") from None


def _check_installed() -> None:
    if importlib.util.find_spec("hushlink_encoder") is None:
        raise errors.ClientError("the encoder is not installed: install hushlink-client[encode]")


def _version() -> str:
    return f"hushlink-encoder/{importlib.metadata.version('hushlink-encoder')}"
