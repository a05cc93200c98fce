"""``hushlink upload``: a file of encodings becomes a party's dataset."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys

import click

from hushlink_client import connection, display, encoding, encodings_file, errors, forms, operation, uploads
from hushlink_client.commands import options
from hushlink_domain import states


@click.command()
@click.argument("file", metavar="ENCODINGS", type=options.FILE)
@options.target()
@options.project
@click.option("--party", required=True, type=click.IntRange(0), help="The number of the party's dataset.")
@click.option(
    "--form",
    type=click.Choice([form.value for form in forms.Form]),
    default=forms.Form.CONTAINER.value,
    show_default=True,
    help="What the file is: what `hushlink encode` wrote, clkhash's JSON, or the bytes of encodings alone.",
)
@click.option("--width", "width_bits", type=click.IntRange(8), help="Bits of an encoding; needed for raw ones.")
@click.option("--count", type=click.IntRange(1), help="Number of encodings; needed for raw ones.")
@click.option(
    "--schema", "schema_file", type=options.FILE, help="The linkage schema, where the file does not name its own."
)
@click.option(
    "--secret-file",
    type=options.FILE,
    help="The linkage secret, where the file has no key check: one is made, and the secret goes nowhere.",
)
@click.option("--resume", is_flag=True, help="Go on with an upload of the same file that was cut.")
@options.quiet
@options.as_json
def command(
    file: pathlib.Path,
    target: options.Target,
    project_id: str,
    party: int,
    form: str,
    width_bits: int | None,
    count: int | None,
    schema_file: pathlib.Path | None,
    secret_file: pathlib.Path | None,
    resume: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Upload a file of encodings as a party's dataset, and seal it. Needs the party's right."""
    encoded = forms.read(file, forms.Form(form), width_bits=width_bits, count=count)
    described = _described(encoded, project_id, schema_file, secret_file)

    async def work() -> uploads.Upload:
        async with target.connected() as coordinator:
            first_row = await _committed(coordinator, project_id, party) if resume else 0
            with display.board(quiet=quiet or as_json) as board:
                bar, rate = board.bar("uploading"), display.Rate()
                return await uploads.send(
                    coordinator,
                    project_id,
                    party,
                    described,
                    first_row=first_row,
                    on_rows=lambda rows: bar.update(rows, encoded.row_count, rate.of(rows)),
                )

    receipt = operation.run(work())
    sha256 = receipt.digest.hex if receipt.digest else ""
    if as_json:
        facts = {
            "upload_id": receipt.upload_id,
            "party": receipt.party,
            "rows": receipt.committed_rows,
            "sha256": sha256,
        }
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        sys.stdout.write(f"sealed: {receipt.committed_rows:,} rows as the dataset of party {receipt.party}\n")
        sys.stdout.write(f"sha256: {sha256}\n")


def _described(
    encoded: encodings_file.EncodingsFile,
    project_id: str,
    schema_file: pathlib.Path | None,
    secret_file: pathlib.Path | None,
) -> uploads.Encodings:
    """The encodings as they are uploaded, with what the file itself does not say of them.

    Raises:
        errors.InputError: the schema is not that of the encodings, or can't be read.
        hushlink_domain.errors.CallerError: schema or secret is faulty.
    """
    upload = encoded.to_upload()
    if schema_file is None:
        if secret_file is not None:
            raise click.UsageError("a key check is made of secret and schema: give --schema too")
        return upload
    agreed = encoding.read_schema(schema_file)
    stated, fingerprint = encoded.header.schema_fingerprint, agreed.fingerprint()
    if agreed.width_bytes * 8 != encoded.header.width_bits or stated not in {b"", fingerprint}:
        raise errors.InputError(f"{encoded.path} was not encoded with the schema {schema_file}: name the one it was")
    check = upload.key_check
    if secret_file is not None:
        check = encoding.key_check(encoding.read_secret(secret_file), agreed, project_id)
    return dataclasses.replace(upload, schema_fingerprint=fingerprint, key_check=check)


async def _committed(coordinator: connection.Connection, project_id: str, party: int) -> int:
    kept = await uploads.get(coordinator, project_id, party)
    return kept.committed_rows if kept.state is states.UploadState.OPEN else 0
