"""``hushlink dev``: a whole mesh on this machine."""

from __future__ import annotations

import asyncio
import json
import pathlib
import sys

import click

from hushlink_client import cli, display, operation
from hushlink_client.commands import options
from hushlink_client.dev import folder, mesh, processes


@click.command()
@click.option(
    "--data",
    type=options.FOLDER,
    default=pathlib.Path(".hushlink"),
    show_default=True,
    help="Folder that keeps what lasts between starts.",
)
@click.option("--ephemeral", is_flag=True, help="Keep nothing.")
@click.option("--matchers", type=click.IntRange(1, 64), default=2, show_default=True, help="How many matchers.")
@click.option(
    "--coordinator-port", type=click.IntRange(1, 65535), help="Default: that of the last start, else any free."
)
@click.option("--encoder-port", type=click.IntRange(1, 65535), help="Likewise.")
@options.as_json
def command(
    data: pathlib.Path,
    ephemeral: bool,
    matchers: int,
    coordinator_port: int | None,
    encoder_port: int | None,
    as_json: bool,
) -> None:
    """Keep a whole mesh up on this machine: Postgres, an object store, a coordinator, matchers and an encoder.

    Everything listens on the loopback interface only. Whoever reaches the coordinator may create projects. Ctrl-C
    takes everything down.
    """
    wanted = {"coordinator": coordinator_port, "encoder": encoder_port}
    plan = mesh.Plan(
        data=None if ephemeral else data,
        matchers=matchers,
        ports={part: port for part, port in wanted.items() if port is not None},
    )
    try:
        operation.run(_keep_up(plan, as_json=as_json))
    except cli.InterruptedBySignal:
        display.say("everything is down")


async def _keep_up(plan: mesh.Plan, *, as_json: bool) -> None:
    async with mesh.running(plan, _report_death) as running:
        facts = {
            "endpoints": running.endpoints(),
            "processes": running.processes(),
            "data": str(running.folder.path),
            "logs": str(running.folder.logs),
            "keys": str(running.folder.keys),
            "operator_right_file": str(running.folder.operator_right),
        }
        folder.write_private(running.folder.endpoints, json.dumps(facts) + "\n")
        if as_json:
            sys.stdout.write(json.dumps(facts) + "\n")
            sys.stdout.flush()
        else:
            _show(running)
        await asyncio.Event().wait()


def _show(running: mesh.Mesh) -> None:
    place = running.folder
    rows = list(running.endpoints().items())
    rows += [
        ("data", str(place.path) + (" (removed at the end)" if place.ephemeral else "")),
        *([("database", place.annexe_note.read_text())] if place.annexe_note.exists() else []),
        ("logs", str(place.logs)),
        ("keys", f"{place.keys} (the encoder's secrets: a file's name is the key's)"),
        ("rights", "anyone may create a project, and gets its rights then: hushlink project create"),
        ("operator", f"{place.secrets()[0].operator_right} (also in {place.operator_right})"),
    ]
    display.table(rows, stream=sys.stderr)
    display.say("The mesh is up. Ctrl-C takes it down.")


def _report_death(process: processes.Process) -> None:
    display.say(f"{process.name} {process.ending}; its log: {process.log}; the other parts stay up", alarming=True)
