"""``hushlink generate``: linked files of invented people, to try schemas, thresholds and machines out on."""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import click

from hushlink_client import concurrency, display, encoding, encodings_file, operation
from hushlink_client.commands import options

SCHEMA = "people"
_SHARE = click.FloatRange(0, 1)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="A.csv [B.csv ...]", type=options.FILE)
@click.option("--rows", type=click.IntRange(1), default=10_000, show_default=True, help="Rows of each file.")
@click.option("--overlap", type=_SHARE, default=0.5, show_default=True, help="Share of people who are in all files.")
@click.option("--errors", type=_SHARE, default=0.2, show_default=True, help="Share of records something goes wrong in.")
@click.option("--missing", type=_SHARE, default=0.01, show_default=True, help="Share of cells that are empty.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same files.")
@click.option("--columns", help="Columns in order, with commas between; none = all.")
@click.option("--schema-out", type=options.FILE, help="Write the linkage schema that fits all columns, too.")
@options.quiet
@options.as_json
def command(
    files: tuple[pathlib.Path, ...],
    schema_out: pathlib.Path | None,
    columns: str | None,
    quiet: bool,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Write files of invented people, one for each party: CSV with a header, any size, in constant memory.

    Some people are in all files, the others in one. Names are unevenly frequent, households share a surname and an
    address; records have slips of the keyboard, of scanners and of ears, exchanged fields, missing cells; people move
    and marry. The column "person" tells the truth: the same number is the same person.
    """
    if len({file.absolute() for file in (*files, *([schema_out] if schema_out else []))}) < len(files) + bool(
        schema_out
    ):
        raise click.UsageError("a file is named twice")
    chosen = tuple(columns.split(",")) if columns is not None else encoding.people_columns()
    plan = encoding.people_plan(files=len(files), columns=chosen, **wanted)
    if schema_out is not None:
        with encodings_file.replacing(schema_out) as stream:
            stream.write(encoding.shipped_schema(SCHEMA).encode())
    with display.board(quiet=quiet or as_json) as board:
        operation.run(_written(plan, files, board))
    if as_json:
        facts = {
            **{"files": list(map(str, files)), "rows": plan.rows, "people_in_all": plan.shared, "seed": plan.seed},
            "columns": list(plan.columns),
        }
        sys.stdout.write(json.dumps(facts) + "\n")
    elif not quiet:
        display.say(f"{len(files)} files of {plan.rows:,} records; {plan.shared:,} people are in all of them")


async def _written(plan: encoding.PeoplePlan, files: tuple[pathlib.Path, ...], board: display.Board) -> None:
    def work(stop_if_abandoned: Callable[[], None]) -> None:
        for number, file in enumerate(files):
            bar = board.bar(display.plain(file.name))

            def on_rows(rows: int, bar: display.Bar = bar) -> None:
                stop_if_abandoned()
                bar.update(rows, plan.rows, f"{rows:,} records")

            with encodings_file.replacing(file) as stream:
                plan.write(stream, number, on_rows)

    await concurrency.in_thread(work)
