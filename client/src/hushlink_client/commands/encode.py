"""``hushlink encode``: records in, encodings out, for the data owner's own machine."""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable

import click

from hushlink_client import concurrency, connection, display, encoder_service, encoding, encodings_file, operation
from hushlink_client.commands import options
from hushlink_domain import schema
from hushlink_mesh import config


@click.command()
@click.argument("records", metavar="RECORDS.csv", type=options.FILE)
@click.option("--schema", "schema_file", required=True, type=options.FILE, help="The linkage schema.")
@click.option("--secret-file", type=options.FILE, help="The linkage secret, to encode in this process.")
@click.option("--encoder", metavar="HOST:PORT", help="An encoder service that encodes instead.")
@click.option("--key-name", help="The name under which that service holds the secret.")
@click.option("--project", "project_id", default="", help="The project, so that another secret is noticed.")
@click.option("--out", required=True, type=options.FILE, help="File of encodings to write, for `hushlink upload`.")
@options.ca
@options.quiet
@options.as_json
def command(
    records: pathlib.Path,
    schema_file: pathlib.Path,
    secret_file: pathlib.Path | None,
    encoder: str | None,
    key_name: str | None,
    project_id: str,
    out: pathlib.Path,
    ca: pathlib.Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Encode a CSV file, whose header names the schema's columns.

    Records and secret stay in this process, or go to the encoder service that is named. The file that is written holds
    bits that nobody without the secret can compare with names; it is still no public data.
    """
    schema_text = encoding.read_schema_text(schema_file)
    with display.board(quiet=quiet or as_json) as board:
        bar = board.bar("encoding")

        def show(rows: int) -> None:
            bar.update(0, None, f"{rows:,} records")

        if secret_file is not None and encoder is None and key_name is None:
            work = _here(records, out, schema_text, secret_file, project_id, show)
        elif encoder is not None and key_name is not None and secret_file is None:
            work = _there(records, out, schema_text, encoder, ca, key_name, project_id, show)
        else:
            raise click.UsageError("give --secret-file, or --encoder and --key-name")
        written = operation.run(work)
    if as_json:
        facts = {
            "rows": written.row_count,
            "width_bits": written.header.width_bits,
            "schema_fingerprint": written.header.schema_fingerprint.hex(),
            "sha256": written.digest.hex,
            "file": str(out),
        }
        sys.stdout.write(json.dumps(facts) + "\n")
    elif not quiet:
        display.say(f"{written.row_count:,} records encoded: {out}")


async def _here(
    records: pathlib.Path,
    out: pathlib.Path,
    schema_text: str,
    secret_file: pathlib.Path,
    project_id: str,
    show: Callable[[int], None],
) -> encodings_file.EncodingsFile:
    agreed, secret = schema.parse_json(schema_text), encoding.read_secret(secret_file)

    def work(stop_if_abandoned: Callable[[], None]) -> encodings_file.EncodingsFile:
        def on_rows(rows: int) -> None:
            stop_if_abandoned()
            show(rows)

        check = encoding.key_check(secret, agreed, project_id) if project_id else b""
        return encoding.encode_csv(records, out, agreed, secret, check=check, on_rows=on_rows)

    return await concurrency.in_thread(work)


async def _there(
    records: pathlib.Path,
    out: pathlib.Path,
    schema_text: str,
    address: str,
    ca: pathlib.Path | None,
    key_name: str,
    project_id: str,
    show: Callable[[int], None],
) -> encodings_file.EncodingsFile:
    channel_config = config.ChannelConfig(ca=ca)
    async with connection.connected(address, channel_config, service=connection.ENCODER) as encoder:
        return await encoder_service.encode_csv(
            encoder, records, out, schema_text, key_name, project_id=project_id, on_rows=show
        )
