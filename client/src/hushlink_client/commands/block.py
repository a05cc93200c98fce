"""``hushlink block``: which records are worth comparing, decided on the data owner's own machine."""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable

import click

from hushlink_client import blocking, concurrency, display, encoding, operation
from hushlink_client.commands import options


@click.command()
@click.argument("source", metavar="RECORDS.csv", type=options.FILE)
@click.option("--blocking", "configuration", required=True, type=options.FILE, help="The blocking configuration.")
@click.option("--schema", "schema_file", type=options.FILE, help="The linkage schema, whose columns the records have.")
@click.option("--secret-file", type=options.FILE, help="The linkage secret; unkeyed blocks need none.")
@click.option("--out", type=options.FILE, help="File of blocks to write.")
@click.option("--stats-only", is_flag=True, help="Write nothing, only tell what blocking would spare.")
@click.option("--against", type=options.FILE, help="Another file of blocks, to count comparisons with.")
@click.option("--mode", type=click.Choice(["keyed", "compat"]), help="Instead of what the configuration says.")
@options.quiet
@options.as_json
def command(
    source: pathlib.Path,
    configuration: pathlib.Path,
    schema_file: pathlib.Path | None,
    secret_file: pathlib.Path | None,
    out: pathlib.Path | None,
    stats_only: bool,
    against: pathlib.Path | None,
    mode: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Put the records of a CSV file, whose header names the schema's columns, into blocks.

    Only records of one block are compared, so a pair that shares none is lost: look at the coverage. With a
    configuration that says "input-clks" the file is one of encodings, from `hushlink encode`. The keys of blocks are
    made with the secret, unless mode "compat" gives blocklib's, with which anybody can test guesses.
    """
    if stats_only == (out is not None):
        raise click.UsageError("give --out, or --stats-only")
    agreed = encoding.read_schema(schema_file) if schema_file else None
    secret = encoding.read_secret(secret_file) if secret_file else None
    request = blocking.Request(source, configuration, agreed, secret, mode, out, against)
    with display.board(quiet=quiet or as_json) as board:
        bar = board.bar("blocking")
        outcome = operation.run(_block(request, bar))
    if as_json:
        sys.stdout.write(json.dumps(outcome.facts() | {"file": str(out) if out else None}) + "\n")
        return
    display.table(_rows(outcome), figures=True)
    if outcome.mode == "compat":
        display.say("warning: these keys hold no secret: whoever sees them can test guesses at names", alarming=True)
    if out is not None and not quiet:
        display.say(f"{outcome.statistics.block_count:,} blocks of {outcome.statistics.rows:,} records: {out}")


async def _block(request: blocking.Request, bar: display.Bar) -> blocking.Outcome:
    def work(stop_if_abandoned: Callable[[], None]) -> blocking.Outcome:
        def on_rows(rows: int) -> None:
            stop_if_abandoned()
            bar.update(0, None, f"{rows:,} records")

        return blocking.block(request, on_rows)

    return await concurrency.in_thread(work)


def _rows(outcome: blocking.Outcome) -> list[tuple[str, str]]:
    shown = outcome.statistics
    rows = [
        ("records", f"{shown.rows:,}"),
        ("in a block", f"{shown.covered_rows:,} ({shown.coverage:.2%})"),
        ("blocks", f"{shown.block_count:,}"),
        ("records of a block, least", f"{shown.least_size:,}"),
        ("median", f"{shown.median_size:,.1f}"),
        ("mean", f"{shown.mean_size:,.2f}"),
        ("most", f"{shown.most_size:,}"),
        ("comparisons within", f"{shown.comparisons_within:,} ({shown.reduction_within:.4%} spared)"),
        (
            "comparisons with a file like it",
            f"{shown.comparisons_with_its_like:,} ({shown.reduction_with_its_like:.4%} spared)",
        ),
    ]
    if outcome.comparisons_between is not None:
        rows.append(("comparisons with the other file", f"{outcome.comparisons_between:,}"))
    return rows
