"""``python -m hushlink_client.demo``: links two files of invented people on a mesh of this machine, and tells how well.

The exit status is 1 when precision or recall is below what the shipped schema reaches on these files.
"""

from __future__ import annotations

import csv
import itertools
import pathlib
import secrets
import shutil
import tempfile
import time

import click

from hushlink_client import (
    cli,
    concurrency,
    connection,
    display,
    encoder_service,
    encoding,
    encodings_file,
    febrl,
    linkage,
    operation,
)
from hushlink_client.dev import mesh

SCHEMA = "febrl4"
KEY_NAME = "demo"
THRESHOLD = 0.70
"""Fits the schema: no two people of these files are as similar, and nearly every pair of records of one person is."""

_LEAST = 0.99


@click.command()
def command() -> int:
    """Link febrl4 on a mesh of this machine."""
    return operation.run(_demo())


async def _demo() -> int:
    with tempfile.TemporaryDirectory(prefix="hushlink-demo-") as name:
        folder = pathlib.Path(name)
        files = febrl.write_clean(folder)
        (folder / "schema.json").write_text(encoding.shipped_schema(SCHEMA), encoding="utf-8")
        (folder / "secret").write_text(secrets.token_urlsafe(32) + "\n")
        agreement = linkage.Agreement.read(folder / "schema.json", folder / "secret", THRESHOLD)
        display.say("starting Postgres, an object store, a coordinator, two matchers and an encoder")
        started = time.monotonic()
        async with mesh.running(mesh.Plan()) as running:
            seconds = {"mesh start": time.monotonic() - started}
            shutil.copy(folder / "secret", running.folder.keys / KEY_NAME)
            with display.board(quiet=False) as board:
                bars = display.LinkageBars(board)
                started = time.monotonic()
                encoded = await _encoded(running, files, agreement, folder, bars)
                seconds["encode"] = time.monotonic() - started
                async with connection.connected(running.coordinator) as coordinator:
                    outcome = await linkage.link(coordinator, encoded, agreement, folder / "groups.csv", bars)
        precision, recall = febrl.quality(_groups(folder / "groups.csv"), files)
        _show(outcome, {**seconds, **outcome.seconds}, precision, recall)
        return 0 if min(precision, recall) >= _LEAST else 1


async def _encoded(
    running: mesh.Mesh,
    files: list[pathlib.Path],
    agreement: linkage.Agreement,
    folder: pathlib.Path,
    bars: display.LinkageBars,
) -> list[encodings_file.EncodingsFile]:
    """Let the mesh's encoder encode the files, each in a stream of its own."""
    encoded: dict[int, encodings_file.EncodingsFile] = {}

    async def one(dataset: int, file: pathlib.Path) -> None:
        encoded[dataset] = await encoder_service.encode_file(
            encoder,
            file,
            folder / f"{dataset}.parquet",
            encoder_service.Orders(agreement.schema_text, KEY_NAME),
            on_rows=lambda rows, _: bars.encoded(dataset, rows, None),
        )

    assert running.encoder is not None  # noqa: S101 - this mesh has one
    async with connection.connected(running.encoder, service=connection.ENCODER) as encoder:
        await concurrency.together(*(one(dataset, file) for dataset, file in enumerate(files)))
    return [encoded[dataset] for dataset in sorted(encoded)]


def _groups(file: pathlib.Path) -> list[list[tuple[int, int]]]:
    with file.open(newline="", encoding="ascii") as source:
        lines = list(csv.DictReader(source))
    return [
        [(int(line["dataset"]), int(line["row"])) for line in members]
        for _, members in itertools.groupby(lines, key=lambda line: line["group"])
    ]


def _show(outcome: linkage.Outcome, seconds: dict[str, float], precision: float, recall: float) -> None:
    rows = [
        ("records", " + ".join(f"{rows:,}" for rows in outcome.summary.dataset_rows)),
        ("comparisons", f"{outcome.comparisons:,}"),
        ("comparisons per second", f"{outcome.comparisons / max(seconds['comparing'], 1e-3):,.0f}"),
        ("candidate pairs", f"{outcome.summary.candidate_pairs:,}"),
        ("groups", f"{outcome.summary.group_count:,}"),
        ("precision", f"{precision:.4f}"),
        ("recall", f"{recall:.4f}"),
        ("F1", f"{2 * precision * recall / max(precision + recall, 1e-9):.4f}"),
    ]
    rows += [(f"{stage}, seconds", f"{duration:.2f}") for stage, duration in seconds.items()]
    display.table(rows, ("febrl4", ""), figures=True)
    if min(precision, recall) < _LEAST:
        display.say(f"precision or recall is below {_LEAST}", alarming=True)


if __name__ == "__main__":
    cli.end(command)
