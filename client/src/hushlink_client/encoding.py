"""The one door to the encoder's engine, which turns records into encodings inside this process.

The engine is the optional extra ``hushlink-client[encode]``: an analyst does not install it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from hushlink_client import display, encodings_file, errors
from hushlink_domain import schema

if TYPE_CHECKING:
    import hushlink_encoder
    from hushlink_encoder import blocking, people

Secret: TypeAlias = "hushlink_encoder.Secret"  # noqa: S105 - the name of a type
BlockStatistics: TypeAlias = "blocking.Statistics"
PeoplePlan: TypeAlias = "people.Plan"


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
    records: pathlib.Path, agreed: schema.LinkageSchema, batch_rows: int
) -> Iterator[hushlink_encoder.RecordBatch]:
    """A CSV file, whose header names the schema's columns, as batches of columns.

    Raises:
        hushlink_domain.errors.CallerError: RECORDS_INVALID; rows and columns are named, never a value.
    """
    _check_installed()
    import hushlink_encoder  # noqa: PLC0415 - optional

    yield from hushlink_encoder.CsvReader(records, agreed.identifiers, batch_rows=batch_rows)


def encode_csv(
    records: pathlib.Path,
    target: pathlib.Path,
    agreed: schema.LinkageSchema,
    secret: Secret,
    *,
    check: bytes = b"",
    on_rows: Callable[[int], None] = lambda _: None,
) -> encodings_file.EncodingsFile:
    """Encode a CSV file, whose header names the schema's columns, into a file of encodings.

    Memory does not grow with the number of records. Nothing is left behind if a record is faulty.

    Args:
        records: the CSV file.
        target: the file of encodings to write.
        agreed: the linkage schema.
        secret: the linkage secret.
        check: the key check for the header.
        on_rows: called with the number of rows encoded so far.

    Raises:
        hushlink_domain.errors.CallerError: RECORDS_INVALID; rows and columns are named, never a value.
        errors.InputError: the target can't be written.
    """
    import hushlink_encoder  # noqa: PLC0415 - optional

    def batches() -> Iterator[bytes]:
        with hushlink_encoder.Encoder(agreed, secret) as encoder:
            for batch in hushlink_encoder.CsvReader(records, agreed.identifiers):
                yield encoder.encode_batch(batch).tobytes()
                on_rows(batch.first_row + batch.count)

    header = encodings_file.Header(agreed.fingerprint(), agreed.width_bytes * 8, check, _version())
    return encodings_file.write(target, header, batches())


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
    batches: Iterable[bytes],
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
