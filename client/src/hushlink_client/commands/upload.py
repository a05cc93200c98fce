"""``hushlink upload``: a file of encodings becomes a party's dataset."""

from __future__ import annotations

import json
import pathlib
import sys

import click

from hushlink_client import connection, display, encodings_file, operation, uploads
from hushlink_client.commands import options
from hushlink_domain import states


@click.command()
@click.argument("file", metavar="ENCODINGS", type=options.FILE)
@options.target()
@options.project
@click.option("--party", required=True, type=click.IntRange(0), help="The number of the party's dataset.")
@click.option("--resume", is_flag=True, help="Go on with an upload of the same file that was cut.")
@options.quiet
@options.as_json
def command(
    file: pathlib.Path,
    target: options.Target,
    project_id: str,
    party: int,
    resume: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Upload a file that `hushlink encode` wrote as a party's dataset, and seal it. Needs the party's right."""
    encoded = encodings_file.read(file)

    async def work() -> uploads.Upload:
        async with target.connected() as coordinator:
            first_row = await _committed(coordinator, project_id, party) if resume else 0
            with display.board(quiet=quiet or as_json) as board:
                bar = board.bar("uploading")
                return await uploads.send(
                    coordinator,
                    project_id,
                    party,
                    encoded.to_upload(),
                    first_row=first_row,
                    on_rows=lambda rows: bar.update(rows, encoded.row_count, f"{rows:,} records"),
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


async def _committed(coordinator: connection.Connection, project_id: str, party: int) -> int:
    kept = await uploads.get(coordinator, project_id, party)
    return kept.committed_rows if kept.state is states.UploadState.OPEN else 0
