"""``hushlink encode``: records in, encodings out, for the data owner's own machine."""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable

import click

from hushlink_client import concurrency, display, encoding, encodings_file, operation
from hushlink_client.commands import options


@click.command()
@click.argument("records", metavar="RECORDS.csv", type=options.FILE)
@click.option("--schema", "schema_file", required=True, type=options.FILE, help="The linkage schema.")
@click.option("--secret-file", required=True, type=options.FILE, help="The linkage secret.")
@click.option(
    "--project", "project_id", default="", help="The project, for the key check that tells other secrets apart."
)
@click.option("--out", required=True, type=options.FILE, help="File of encodings to write, for `hushlink upload`.")
@options.quiet
@options.as_json
def command(
    records: pathlib.Path,
    schema_file: pathlib.Path,
    secret_file: pathlib.Path,
    project_id: str,
    out: pathlib.Path,
    quiet: bool,
    as_json: bool,
) -> None:
    """Encode a CSV file, whose header names the schema's columns.

    Records and secret stay in this process. The file that is written holds bits that nobody without the secret can
    compare with names; it is still no public data.
    """
    agreed = encoding.read_schema(schema_file)
    secret = encoding.read_secret(secret_file)
    check = encoding.key_check(secret, agreed, project_id) if project_id else b""
    with display.board(quiet=quiet or as_json) as board:
        bar = board.add_task("encoding", total=None, note="")

        def work(stop_if_abandoned: Callable[[], None]) -> encodings_file.EncodingsFile:
            def on_rows(rows: int) -> None:
                stop_if_abandoned()
                board.update(bar, note=f"{rows:,} records")

            return encoding.encode_csv(records, out, agreed, secret, check=check, on_rows=on_rows)

        written = operation.run(concurrency.in_thread(work))
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
        display.console.print(f"{written.row_count:,} records encoded: {out}", soft_wrap=True)
