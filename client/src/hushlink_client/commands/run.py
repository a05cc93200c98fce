"""``hushlink run``: create, follow and cancel runs."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from hushlink_client import connection, display, linkage, operation, runs
from hushlink_client.commands import options
from hushlink_domain import runs as domain_runs

_run = click.option("--run", "run_id", required=True, help="The run's id.")


@click.group()
def command() -> None:
    """Create, follow and cancel runs."""


@command.command()
@options.target()
@options.project
@click.option("--threshold", required=True, type=float, help="Similarity that makes a candidate: above 0, at most 1.")
@click.option("--name", default="", help="A name for people.")
@click.option("--notes", default="", help="Anything to remember.")
@click.option("--wait", is_flag=True, help="Follow it to its end; exit status 1 if it does not succeed.")
@options.quiet
@options.as_json
def create(
    target: options.Target,
    project_id: str,
    threshold: float,
    name: str,
    notes: str,
    wait: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Create a run. It starts by itself once every party's dataset is sealed. Needs the owner's right."""
    domain_runs.check_threshold(threshold)

    async def work() -> domain_runs.Run:
        async with target.connected() as coordinator:
            run = await runs.create(coordinator, project_id, threshold, name=name, notes=notes)
            return await _followed(coordinator, run, quiet=quiet or as_json) if wait else run

    run = operation.run(work())
    _print(run, as_json=as_json)
    if wait:
        linkage.check_succeeded(run)


@command.command()
@options.target()
@options.project
@_run
@options.as_json
def show(target: options.Target, project_id: str, run_id: str, as_json: bool) -> None:
    """Show a run."""

    async def work() -> domain_runs.Run:
        async with target.connected() as coordinator:
            return await runs.get(coordinator, project_id, run_id)

    _print(operation.run(work()), as_json=as_json)


@command.command(name="list")
@options.target()
@options.project
@options.as_json
def list_(target: options.Target, project_id: str, as_json: bool) -> None:
    """List a project's runs, newest first."""

    async def work() -> list[domain_runs.Run]:
        async with target.connected() as coordinator:
            return [run async for run in runs.every(coordinator, project_id)]

    found = operation.run(work())
    if as_json:
        sys.stdout.writelines(json.dumps(facts(run)) + "\n" for run in found)
        return
    rows = [
        (
            run.run_id,
            f"{run.create_time:%Y-%m-%d %H:%M}",
            run.state.value,
            f"{run.threshold:g}",
            f"{run.progress.groups:,}",
            run.name,
        )
        for run in found
    ]
    display.table(rows, ("run", "created", "state", "threshold", "groups", "name"))


@command.command()
@options.target()
@options.project
@_run
@options.quiet
@options.as_json
def watch(target: options.Target, project_id: str, run_id: str, quiet: bool, as_json: bool) -> None:
    """Follow a run to its end; exit status 1 if it does not succeed. With --json, a line for every change."""

    async def work() -> domain_runs.Run:
        async with target.connected() as coordinator:
            run = await runs.get(coordinator, project_id, run_id)
            return await _followed(coordinator, run, quiet=quiet or as_json, as_json=as_json)

    run = operation.run(work())
    if not as_json:
        _print(run, as_json=False)
    linkage.check_succeeded(run)


@command.command()
@options.target()
@options.project
@_run
@options.as_json
def cancel(target: options.Target, project_id: str, run_id: str, as_json: bool) -> None:
    """Cancel a run. Needs the owner's right."""

    async def work() -> domain_runs.Run:
        async with target.connected() as coordinator:
            return await runs.cancel(coordinator, project_id, run_id)

    _print(operation.run(work()), as_json=as_json)


async def _followed(
    coordinator: connection.Connection, run: domain_runs.Run, *, quiet: bool, as_json: bool = False
) -> domain_runs.Run:
    """The run at its end."""
    with display.board(quiet=quiet) as board:
        bars = display.RunBars(board)
        async for now in runs.watch(coordinator, run.project_id, run.run_id):
            bars.ran(now)
            if as_json:
                sys.stdout.write(json.dumps(facts(now)) + "\n")
                sys.stdout.flush()
            run = now
    return run


def facts(run: domain_runs.Run) -> dict[str, Any]:
    """A run as JSON."""
    progress = run.progress
    return {
        "run_id": run.run_id,
        "project_id": run.project_id,
        "name": run.name,
        "notes": run.notes,
        "threshold": run.threshold,
        "metric": run.metric.value,
        "state": run.state.value,
        "stage_fraction": progress.stage_fraction,
        "comparisons_done": progress.comparisons_done,
        "comparisons_total": progress.comparisons_total,
        "candidate_pairs": progress.candidate_pairs,
        "groups": progress.groups,
        "stages": {
            stage.state.value: (stage.end_time - stage.start_time).total_seconds() if stage.end_time else None
            for stage in run.stages
        },
        "error": {"reason": run.failure.reason, "message": run.failure.message} if run.failure else None,
        "create_time": run.create_time.isoformat(),
        "end_time": run.end_time.isoformat() if run.end_time else None,
    }


def _print(run: domain_runs.Run, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(facts(run)) + "\n")
        return
    progress = run.progress
    rows = [("run", run.run_id), ("name", run.name), ("state", run.state.value)]
    if progress.comparisons_total:
        rows += [
            ("comparisons", f"{progress.comparisons_done:,} of {progress.comparisons_total:,}"),
            ("candidates", f"{progress.candidate_pairs:,}"),
            ("groups", f"{progress.groups:,}"),
        ]
    if run.failure:
        rows.append(("error", f"{run.failure.message} ({run.failure.reason})"))
    display.table(rows)
