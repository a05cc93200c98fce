"""``hushlink link``: records of several files in, groups out."""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
import tempfile
from collections.abc import AsyncIterator

import click

from hushlink_client import connection, display, encoding, fault_report, linkage, operation, record_form
from hushlink_client.commands import options, record_options


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="A B [C ...]", type=options.FILE)
@click.option("--schema", "schema_file", required=True, type=options.FILE, help="The linkage schema.")
@click.option("--secret-file", required=True, type=options.FILE, help="The linkage secret.")
@click.option("--threshold", required=True, type=float, help="Similarity that makes a candidate: above 0, at most 1.")
@click.option("--out", required=True, type=options.FILE, help="CSV file to write: group, dataset, row, each from 0.")
@record_options.records
@record_options.bad_rows
@record_options.report
@options.target(required=False)
@options.quiet
@options.as_json
def command(
    files: tuple[pathlib.Path, ...],
    schema_file: pathlib.Path,
    secret_file: pathlib.Path,
    threshold: float,
    out: pathlib.Path,
    form: record_form.RecordForm,
    bad_rows: str,
    report_file: pathlib.Path | None,
    target: options.Target | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Link two or more files of records in one go: CSV, Parquet or Arrow, whose columns are named as the schema's.

    Records are encoded in this process. Without --coordinator they are linked on a mesh that lives as long as the
    command. Nothing but the groups is left afterwards.
    """
    if len(files) < 2:
        raise click.UsageError("give two files or more")
    agreement = linkage.Agreement.read(schema_file, secret_file, threshold)
    orders = encoding.Orders(form, bad_rows)
    with record_options.reporting(report_file, quiet=quiet or as_json) as report:
        outcome = operation.run(_link(files, agreement, orders, report, out, target, quiet=quiet or as_json))
    if as_json:
        facts = {
            "groups": outcome.summary.group_count,
            "members": outcome.summary.member_count,
            "candidate_pairs": outcome.summary.candidate_pairs,
            "comparisons": outcome.comparisons,
            "rows_at_fault": report.row_count,
            "dataset_rows": outcome.summary.dataset_rows,
            "seconds": outcome.seconds,
        }
        sys.stdout.write(json.dumps(facts) + "\n")
    elif not quiet:
        records = " + ".join(f"{rows:,}" for rows in outcome.summary.dataset_rows)
        display.say(f"{outcome.summary.group_count:,} groups of {records} records: {out}")


async def _link(
    files: tuple[pathlib.Path, ...],
    agreement: linkage.Agreement,
    orders: encoding.Orders,
    report: fault_report.Report,
    out: pathlib.Path,
    target: options.Target | None,
    *,
    quiet: bool,
) -> linkage.Outcome:
    with tempfile.TemporaryDirectory(prefix="hushlink-") as workspace, display.board(quiet=quiet) as board:
        bars = display.LinkageBars(board)
        # All of it before a project exists: a faulty record leaves nothing behind.
        encoded = await linkage.encode(files, agreement, pathlib.Path(workspace), bars, orders, report)
        async with contextlib.AsyncExitStack() as stack:
            coordinator = await stack.enter_async_context(target.connected() if target else _own_mesh())
            return await linkage.link(coordinator, encoded, agreement, out, bars)


@contextlib.asynccontextmanager
async def _own_mesh() -> AsyncIterator[connection.Connection]:
    from hushlink_client.dev import mesh  # noqa: PLC0415 - only where it is wanted: Windows has no such thing

    async with mesh.running(mesh.Plan(encoder=False)) as running, connection.connected(running.coordinator) as opened:
        yield opened
