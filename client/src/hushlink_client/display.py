"""What people see while something goes on, on standard error where that is a terminal; standard output is for results.

The only module that imports rich, and only when something is shown: it takes as long to load as all else together, and
scripts never need it.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

import click

from hushlink_domain import runs, states

if TYPE_CHECKING:
    import rich.progress


def plain(text: str) -> str:
    """``text`` without what could move a terminal's cursor or hide a part of it: names come from other parties."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def say(text: str, *, alarming: bool = False) -> None:
    """Tell people something, as one line."""
    click.secho(plain(text), err=True, fg="red" if alarming else None, bold=alarming)


def table(
    rows: Iterable[Sequence[str]],
    headings: Sequence[str] = (),
    *,
    figures: bool = False,
    stream: TextIO | None = None,
) -> None:
    """Print rows in aligned columns.

    Args:
        rows: the cells.
        headings: the columns' names; none = no heading.
        figures: whether all columns but the first are figures.
        stream: where to; None = standard output.
    """
    import rich.console  # noqa: PLC0415 - see above
    import rich.table  # noqa: PLC0415
    import rich.text  # noqa: PLC0415

    columns = rich.table.Table(*headings, box=None, show_header=bool(headings), padding=(0, 2, 0, 0))
    for column in columns.columns[1:] if figures else ():
        column.justify = "right"
    for row in rows:
        columns.add_row(*(rich.text.Text(plain(cell)) for cell in row))
    rich.console.Console(file=stream, highlight=False).print(columns, soft_wrap=True)


class Bar(Protocol):
    """How far one thing is."""

    def update(self, done: float, total: float | None, note: str) -> None:
        """So much of it is done, of that much if that is known."""


class Board(Protocol):
    """The bars of everything that goes on."""

    def bar(self, name: str) -> Bar:
        """Another bar, below the others."""


@contextlib.contextmanager
def board(*, quiet: bool) -> Iterator[Board]:
    """Progress bars that are shown inside the ``with`` block; none where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield _NoBoard()
        return
    import rich.console  # noqa: PLC0415 - see above
    import rich.progress  # noqa: PLC0415

    columns = (
        rich.progress.TextColumn("{task.description:<10}"),
        rich.progress.BarColumn(bar_width=40),
        rich.progress.TaskProgressColumn(),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TextColumn("left"),
        rich.progress.TimeRemainingColumn(elapsed_when_finished=False),
        rich.progress.TextColumn("{task.fields[note]}"),
    )
    console = rich.console.Console(stderr=True, highlight=False)
    with rich.progress.Progress(*columns, console=console) as progress:
        yield _TerminalBoard(progress)


class _NoBoard:
    def bar(self, name: str) -> Bar:
        del name
        return self

    def update(self, done: float, total: float | None, note: str) -> None:
        pass


class _TerminalBoard:
    def __init__(self, progress: rich.progress.Progress) -> None:
        self._progress = progress

    def bar(self, name: str) -> Bar:
        return _TerminalBar(self._progress, self._progress.add_task(name, total=None, note=""))


class _TerminalBar:
    def __init__(self, progress: rich.progress.Progress, task: rich.progress.TaskID) -> None:
        self._progress = progress
        self._task = task

    def update(self, done: float, total: float | None, note: str) -> None:
        self._progress.update(self._task, completed=done, total=total, note=note)


class Rate:
    """How fast records go, from the first that was seen on."""

    def __init__(self) -> None:
        self._started: float | None = None

    def of(self, rows: int) -> str:
        """A note for a bar: so many records by now, and so many a second."""
        now = time.monotonic()
        if self._started is None:
            self._started = now
        seconds = now - self._started
        speed = f", {rows / seconds:,.0f}/s" if seconds >= 1 else ""
        return f"{rows:,} records{speed}"


class RunBars:
    """One bar per stage of a run."""

    def __init__(self, shown: Board) -> None:
        self._board = shown
        self._bars: dict[states.RunState, Bar] = {}

    def ran(self, run: runs.Run) -> None:
        """Show a run as it is now."""
        for stage in run.stages:
            if stage.state in states.STAGES:
                done = 1.0 if stage.end_time is not None else run.progress.stage_fraction
                self._bar(stage.state).update(done, 1.0, _note(stage.state, run.progress))

    def _bar(self, state: states.RunState) -> Bar:
        if state not in self._bars:
            self._bars[state] = self._board.bar(state.value)
        return self._bars[state]


class LinkageBars(RunBars):
    """Bars for encoding, uploading and each stage of the run."""

    def __init__(self, shown: Board) -> None:
        super().__init__(shown)
        self._encoding: Bar | None = None
        self._uploading: Bar | None = None
        self._encoded: dict[int, int] = {}
        self._encoding_rate = Rate()
        self._uploading_rate = Rate()
        self._uploaded: dict[int, tuple[int, int]] = {}

    def encoded(self, dataset: int, rows: int, fraction: float | None) -> None:
        """So many rows of a dataset have been encoded, which are that much of all datasets, if that is known."""
        self._encoding = self._encoding or self._board.bar("encoding")
        self._encoded[dataset] = rows
        total = None if fraction is None else 1.0
        self._encoding.update(fraction or 0, total, self._encoding_rate.of(sum(self._encoded.values())))

    def uploaded(self, dataset: int, rows: int, row_count: int) -> None:
        """So many rows of a dataset, of all it has, have been sent."""
        if self._uploading is None:
            if self._encoding is not None:
                self._encoding.update(1, 1, f"{sum(self._encoded.values()):,} records")
            self._uploading = self._board.bar("uploading")
        self._uploaded[dataset] = rows, row_count
        sent = sum(rows for rows, _ in self._uploaded.values())
        total = sum(count for _, count in self._uploaded.values())
        self._uploading.update(sent, total, self._uploading_rate.of(sent))


def _note(state: states.RunState, progress: runs.Progress) -> str:
    match state:
        case states.RunState.COMPARING:
            return f"{progress.comparisons_done:,} comparisons, {progress.candidate_pairs:,} pairs"
        case states.RunState.PUBLISHING:
            return f"{progress.groups:,} groups"
        case _:
            return ""
