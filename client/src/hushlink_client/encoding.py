"""The one door to the encoder's engine, which turns records into encodings inside this process.

The engine is the optional extra ``hushlink-client[encode]``: an analyst does not install it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from hushlink_client import display, encodings_file, errors
from hushlink_domain import schema

if TYPE_CHECKING:
    import hushlink_encoder

Secret: TypeAlias = "hushlink_encoder.Secret"  # noqa: S105 - the name of a type


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
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise errors.InputError(f"cannot read the schema {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise errors.InputError(f"the schema {path} is no UTF-8 text (byte {error.start})") from None


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


def _check_installed() -> None:
    if importlib.util.find_spec("hushlink_encoder") is None:
        raise errors.ClientError("the encoder is not installed: install hushlink-client[encode]")


def _version() -> str:
    return f"hushlink-encoder/{importlib.metadata.version('hushlink-encoder')}"
