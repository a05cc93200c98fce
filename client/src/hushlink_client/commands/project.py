"""``hushlink project``: create, show, list and delete projects."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sys
from typing import Any

import click

from hushlink_client import display, encoding, errors, operation, projects
from hushlink_client.commands import options
from hushlink_domain import metrics
from hushlink_domain import projects as domain_projects
from hushlink_mesh import rights

OWNER_FILE = "owner.right"


@click.group()
def command() -> None:
    """Create, show, list and delete projects."""


@command.command()
@options.target()
@click.option("--rights-dir", required=True, type=options.FOLDER, help="Folder to write the rights to, one file each.")
@click.option(
    "--party", "party_names", multiple=True, help="Name of a party; repeat it, in the order of their datasets."
)
@click.option("--name", default="", help="A name for people.")
@click.option("--notes", default="", help="Anything to remember.")
@click.option(
    "--schema", "schema_file", type=options.FILE, help="The linkage schema; none = the first upload fixes it."
)
@click.option("--width", "width_bits", type=int, default=0, help="Bits of an encoding; default: the schema's.")
@click.option(
    "--metric", type=click.Choice([metric.value for metric in metrics.Metric]), default="dice", show_default=True
)
@options.as_json
def create(
    target: options.Target,
    rights_dir: pathlib.Path,
    party_names: tuple[str, ...],
    name: str,
    notes: str,
    schema_file: pathlib.Path | None,
    width_bits: int,
    metric: str,
    as_json: bool,
) -> None:
    """Create a project and write its rights to files: owner.right, party-0.right, party-1.right, ...

    The rights are told this once. Hand each party its own, and keep the owner's.
    """
    schema_json = encoding.read_schema_text(schema_file) if schema_file else ""
    domain_projects.check_party_count(len(party_names))

    async def work() -> projects.Created:
        async with target.connected() as coordinator:
            _claim(rights_dir, len(party_names))
            created = await projects.create(
                coordinator,
                party_names=party_names,
                name=name,
                notes=notes,
                schema_json=schema_json,
                width_bits=width_bits,
                metric=metrics.Metric(metric),
            )
            try:
                _write_rights(rights_dir, created)
            except OSError as error:
                await projects.delete(coordinator.acting(created.owner_right), created.project.project_id)
                raise errors.InputError(f"cannot write rights to {rights_dir}: {error.strerror}") from None
            return created

    created = operation.run(work())
    parties = [str(rights_dir / _party_file(party.party)) for party in created.project.parties]
    if as_json:
        facts = {
            **_facts(created.project),
            "owner_right_file": str(rights_dir / OWNER_FILE),
            "party_right_files": parties,
        }
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    sys.stdout.write(f"project      {created.project.project_id}\n")
    sys.stdout.write(f"owner        {rights_dir / OWNER_FILE}\n")
    for party, file in zip(created.project.parties, parties, strict=True):
        sys.stdout.write(f"party {party.party:<6} {file}  {party.name}\n")


@command.command()
@options.target()
@options.project
@options.as_json
def show(target: options.Target, project_id: str, as_json: bool) -> None:
    """Show a project to its owner or one of its parties."""

    async def work() -> domain_projects.Project:
        async with target.connected() as coordinator:
            return await projects.get(coordinator, project_id)

    project = operation.run(work())
    if as_json:
        sys.stdout.write(json.dumps(_facts(project)) + "\n")
        return
    agreement = project.agreement
    rows = [
        ("project", project.project_id),
        ("name", project.name),
        ("created", f"{project.create_time:%Y-%m-%d %H:%M:%S} UTC"),
        ("fingerprint", agreement.schema_fingerprint.hex() or "not fixed yet"),
        ("width", f"{agreement.width_bits} bits" if agreement.width_bits else "not fixed yet"),
        ("metric", project.metric.value),
    ]
    for party in project.parties:
        state = f"sealed, {party.row_count:,} rows" if party.sealed else "no dataset yet"
        rows.append((f"party {party.party}", f"{state}  {party.name}"))
    display.table(rows)


@command.command(name="list")
@options.target()
@options.as_json
def list_(target: options.Target, as_json: bool) -> None:
    """List the projects that the right reaches, newest first."""

    async def work() -> list[domain_projects.Project]:
        async with target.connected() as coordinator:
            return [project async for project in projects.every(coordinator)]

    found = operation.run(work())
    if as_json:
        sys.stdout.writelines(json.dumps(_facts(project)) + "\n" for project in found)
        return
    rows = [
        (
            project.project_id,
            f"{project.create_time:%Y-%m-%d %H:%M}",
            str(len(project.parties)),
            str(sum(party.sealed for party in project.parties)),
            project.name,
        )
        for project in found
    ]
    display.table(rows, ("project", "created", "parties", "sealed", "name"))


@command.command()
@options.target()
@options.project
@options.as_json
def delete(target: options.Target, project_id: str, as_json: bool) -> None:
    """Delete a project with its uploads, runs and results."""

    async def work() -> int:
        async with target.connected() as coordinator:
            return await projects.delete(coordinator, project_id)

    objects = operation.run(work())
    if as_json:
        sys.stdout.write(json.dumps({"project_id": project_id, "deleted_objects": objects}) + "\n")
    else:
        sys.stdout.write(f"deleted {project_id} and {objects} objects\n")


def _facts(project: domain_projects.Project) -> dict[str, Any]:
    return {
        "project_id": project.project_id,
        "name": project.name,
        "notes": project.notes,
        "schema_fingerprint": project.agreement.schema_fingerprint.hex(),
        "width_bits": project.agreement.width_bits,
        "metric": project.metric.value,
        "result_type": project.result_type.value,
        "create_time": project.create_time.isoformat(),
        "parties": [
            {"party": party.party, "name": party.name, "sealed": party.sealed, "row_count": party.row_count}
            for party in project.parties
        ],
    }


def _party_file(party: int) -> str:
    return f"party-{party}.right"


def _claim(rights_dir: pathlib.Path, parties: int) -> None:
    """Check that the rights can be written, before there are any.

    Raises:
        errors.InputError: the folder can't be written, or holds rights already.
    """
    try:
        rights_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise errors.InputError(f"cannot make the folder {rights_dir}: {error.strerror}") from None
    if not os.access(rights_dir, os.W_OK | os.X_OK):
        raise errors.InputError(f"cannot write to the folder {rights_dir}")
    for name in (OWNER_FILE, *map(_party_file, range(parties))):
        if os.path.lexists(rights_dir / name):
            raise errors.InputError(f"{rights_dir / name} is there already: name another folder")


def _write_rights(rights_dir: pathlib.Path, created: projects.Created) -> None:
    """Write all of them, or none."""
    held = {OWNER_FILE: created.owner_right}
    held |= {_party_file(party): right for party, right in enumerate(created.party_rights)}
    written: list[pathlib.Path] = []
    try:
        for name, right in held.items():
            _write_right(rights_dir / name, right)
            written.append(rights_dir / name)
    except OSError:
        for file in written:
            with contextlib.suppress(OSError):
                file.unlink()
        raise


def _write_right(file: pathlib.Path, right: rights.Right) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(right.reveal() + "\n")
