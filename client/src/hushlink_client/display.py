"""What people see on a terminal while something goes on; nothing where standard error is none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import rich.console
import rich.progress

from hushlink_domain import runs, states

console = rich.console.Console(stderr=True, highlight=False)
"""Where everything for people goes: standard output is for results."""


@contextlib.contextmanager
def board(*, quiet: bool) -> Iterator[rich.progress.Progress]:
    """Progress bars that are shown inside the ``with`` block."""
    columns = (
        rich.progress.TextColumn("{task.description:<10}"),
        rich.progress.BarColumn(bar_width=40),
        rich.progress.TaskProgressColumn(),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TextColumn("{task.fields[note]}"),
    )
    with rich.progress.Progress(*columns, console=console, disable=quiet or not sys.stderr.isatty()) as progress:
        yield progress


class RunBars:
    """One bar per stage of a run."""

    def __init__(self, progress: rich.progress.Progress) -> None:
        self._progress = progress
        self._tasks: dict[states.RunState, rich.progress.TaskID] = {}

    def ran(self, run: runs.Run) -> None:
        """Show a run as it is now."""
        for stage in run.stages:
            done = 1.0 if stage.end_time is not None else run.progress.stage_fraction
            if stage.state in states.STAGES:
                self._progress.update(self._bar(stage.state), completed=done, note=_note(stage.state, run.progress))

    def _bar(self, state: states.RunState) -> rich.progress.TaskID:
        if state not in self._tasks:
            self._tasks[state] = self._progress.add_task(state.value, total=1.0, note="")
        return self._tasks[state]


class LinkageBars(RunBars):
    """Bars for encoding, uploading and each stage of the run."""

    def __init__(self, progress: rich.progress.Progress) -> None:
        super().__init__(progress)
        self._encoding = progress.add_task("encoding", total=None, note="")
        self._uploading: rich.progress.TaskID | None = None
        self._encoded: dict[int, int] = {}
        self._uploaded: dict[int, tuple[int, int]] = {}

    def encoded(self, dataset: int, rows: int) -> None:
        """So many rows of a dataset have been encoded."""
        self._encoded[dataset] = rows
        self._progress.update(self._encoding, note=f"{sum(self._encoded.values()):,} records")

    def uploaded(self, dataset: int, rows: int, row_count: int) -> None:
        """So many rows of a dataset, of all it has, have been sent."""
        if self._uploading is None:
            self._progress.update(self._encoding, total=1, completed=1)
            self._uploading = self._progress.add_task("uploading", total=None, note="")
        self._uploaded[dataset] = rows, row_count
        sent = sum(rows for rows, _ in self._uploaded.values())
        total = sum(count for _, count in self._uploaded.values())
        self._progress.update(self._uploading, completed=sent, total=total, note=f"{sent:,} records")


def _note(state: states.RunState, progress: runs.Progress) -> str:
    match state:
        case states.RunState.COMPARING:
            return f"{progress.comparisons_done:,} comparisons, {progress.candidate_pairs:,} pairs"
        case states.RunState.PUBLISHING:
            return f"{progress.groups:,} groups"
        case _:
            return ""
