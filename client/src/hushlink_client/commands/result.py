"""``hushlink result``: what a run found."""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
from typing import BinaryIO

import click

from hushlink_client import encodings_file, forms, groups_file, operation, results
from hushlink_client.commands import options

_WRITERS = {"csv": groups_file.write_csv, "jsonl": groups_file.write_json_lines}
_run = click.option("--run", "run_id", required=True, help="The run's id.")


@click.group()
def command() -> None:
    """Read what a run found. Needs the owner's right."""


@command.command()
@options.target()
@options.project
@_run
@click.option("--format", "kind", type=click.Choice(list(_WRITERS)), default="csv", show_default=True)
@click.option("--out", type=options.FILE, help="File to write; default: standard output.")
@click.option(
    "--container",
    "containers",
    multiple=True,
    metavar="DATASET FILE",
    type=(click.IntRange(0), options.FILE),
    help="The container a dataset was uploaded from: its rows are then those of the input, also where records were "
    "left out. May be given for several datasets.",
)
def groups(
    target: options.Target,
    project_id: str,
    run_id: str,
    kind: str,
    out: pathlib.Path | None,
    containers: tuple[tuple[int, pathlib.Path], ...],
) -> None:
    """Read the groups: rows of the datasets that belong to one person, each from 0."""
    row_numbers = {dataset: forms.read(file).row_numbers for dataset, file in containers}

    async def work() -> None:
        async with target.connected() as coordinator:
            # What is refused is refused before anything is written.
            await results.summary(coordinator, project_id, run_id)
            with _opened(out) as stream:
                await _WRITERS[kind](stream, results.pages(coordinator, project_id, run_id), row_numbers)
                stream.flush()

    operation.run(work())


@command.command()
@options.target()
@options.project
@_run
@options.as_json
def summary(target: options.Target, project_id: str, run_id: str, as_json: bool) -> None:
    """Say in numbers what a run found."""

    async def work() -> results.Summary:
        async with target.connected() as coordinator:
            return await results.summary(coordinator, project_id, run_id)

    found = operation.run(work())
    if as_json:
        facts = {
            "groups": found.group_count,
            "members": found.member_count,
            "candidate_pairs": found.candidate_pairs,
            "dataset_rows": found.dataset_rows,
        }
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    sys.stdout.write(f"groups       {found.group_count:,}\n")
    sys.stdout.write(f"members      {found.member_count:,}\n")
    sys.stdout.write(f"candidates   {found.candidate_pairs:,}\n")
    for dataset, rows in enumerate(found.dataset_rows):
        sys.stdout.write(f"dataset {dataset:<4} {rows:,} rows\n")


def _opened(out: pathlib.Path | None) -> contextlib.AbstractContextManager[BinaryIO]:
    return encodings_file.replacing(out) if out is not None else contextlib.nullcontext(sys.stdout.buffer)
