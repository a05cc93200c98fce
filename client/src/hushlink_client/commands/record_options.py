"""Options about files of records, and how their faults are told."""

from __future__ import annotations

import contextlib
import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from hushlink_client import display, encoding, fault_report, record_form
from hushlink_client.commands import options
from hushlink_domain import errors as domain_errors

F = TypeVar("F", bound=Callable[..., Any])

SHOWN_LINES = 20
"""Kinds of faults that are shown to people; a report file has every fault."""
_SPELLED = {"tab": "\t", "\\t": "\t", "space": " ", "semicolon": ";", "pipe": "|"}


def records(function: F) -> F:
    """Adds the options that say how records are written; the command gets them as ``form``."""

    @functools.wraps(function)
    def named(
        records_form: str | None, delimiter: str, quote: str, escape: str | None, header: str, **rest: Any
    ) -> Any:
        form = record_form.RecordForm(
            records_form,
            _SPELLED.get(delimiter, delimiter),
            None if quote == "none" else quote,
            escape,
            header,
        )
        return function(form=form, **rest)

    for option in reversed(_OPTIONS):
        named = option(named)
    return named  # type: ignore[return-value]


_OPTIONS: list[Callable[[Any], Any]] = [
    click.option(
        "--records-form",
        type=click.Choice(record_form.KINDS),
        help="What RECORDS are; default: by the name (.parquet, .arrow, .feather, .ipc), else CSV.",
    ),
    click.option("--delimiter", default=",", show_default=True, help="Between a CSV file's cells; also `tab`."),
    click.option("--quote", default='"', show_default=True, help="Around a CSV file's cells where needed; or `none`."),
    click.option("--escape", help="Before a quote in a CSV file's cells; default: quotes are doubled."),
    click.option(
        "--header",
        type=click.Choice(["check", "match", "skip", "none"]),
        default="check",
        show_default=True,
        help="A CSV file's first line names the schema's columns in order; or in any order, among others; or is not "
        "looked at; or is a record.",
    ),
]

bad_rows = click.option(
    "--bad-rows",
    type=click.Choice(encoding.BAD_ROWS),
    default="fail",
    show_default=True,
    help="What becomes of records at fault: nothing is written; they are left out, the others keep their row numbers; "
    "they become encodings without a bit.",
)
report = click.option(
    "--report", "report_file", type=options.FILE, help="CSV file to write: place and kind of every fault, no value."
)


@contextlib.contextmanager
def reporting(file: pathlib.Path | None, *, quiet: bool) -> Iterator[fault_report.Report]:
    """A report of faults, of which people are told when the block ends.

    Raises:
        hushlink_client.errors.InputError: the file can't be written.
    """
    with fault_report.reporting(file) as report:
        try:
            yield report
        except domain_errors.CallerError as error:
            _, *lines = error.message.splitlines()
            if error.reason is domain_errors.Reason.RECORDS_INVALID and len(lines) > 1 and not quiet:
                for line in lines:
                    display.say(line)
            raise
        if report.row_count and not quiet:
            display.say(f"{report.row_count:,} records are at fault:")
            lines = report.lines()
            for line in lines[:SHOWN_LINES]:
                display.say(f"  {line}")
            if len(lines) > SHOWN_LINES:
                display.say(f"  and {len(lines) - SHOWN_LINES} more kinds")
