"""The command ``hushlink``: finds the subcommand, and turns what goes wrong into one line and an exit status.

Exit status: 0 done; 1 it failed; 2 an option, a file or a request is faulty; 128 + N ended by signal N.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Any

import click

from hushlink_client import display, errors
from hushlink_domain import errors as domain_errors

_COMMANDS = {
    "link": "Link files of records in one go",
    "dev": "Keep a whole mesh up on this machine",
    "encode": "Encode a file of records",
    "block": "Put records into blocks, and tell what that spares",
    "schema": "Check and describe linkage schemas",
    "secret": "Make linkage secrets, and compare them unseen",
    "project": "Create, show, list and delete projects",
    "upload": "Upload a file of encodings as a party's dataset",
    "run": "Create, follow and cancel runs",
    "result": "Read what a run found",
    "generate": "Make files of invented people, with known truth",
    "bench": "Measure the kernel and the mesh on this machine",
}
_NOT_THE_CALLERS_INPUT = frozenset(
    {
        domain_errors.Reason.ACCESS_REFUSED,
        domain_errors.Reason.RIGHT_MISSING,
        domain_errors.Reason.PROTOCOL_MISMATCH,
    }
)


class InterruptedBySignal(Exception):  # noqa: N818 - it is none
    """A signal ended the command; its work was put in order."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class _Commands(click.Group):
    """Loads a subcommand's module when it is called, so that none waits for the libraries of the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"hushlink_client.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hushlink-client", prog_name="hushlink")
def hushlink() -> None:
    """Find which records of several files describe the same people, without showing anyone a name."""


def main() -> None:
    """Run ``hushlink`` and exit with its status."""
    end(hushlink)


def end(command: click.Command) -> None:
    """Run a command and exit with its status."""
    sys.exit(_status(command))


def _status(command: click.Command) -> int:
    try:
        outcome: Any = command.main(prog_name="hushlink", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _misused(error)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except InterruptedBySignal as interruption:
        return 128 + interruption.number
    except Exception as error:
        return _refused(error)
    return outcome if isinstance(outcome, int) else 0


def _misused(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    way_out = f" (see {context.command_path} --help)" if context is not None else ""
    sys.stderr.write(f"hushlink: {_one_line(error.format_message())}{way_out}\n")
    return error.exit_code


def _refused(error: Exception) -> int:
    """Say on one line what went wrong; returns the exit status."""
    if isinstance(error, BrokenPipeError):  # whoever reads our output has enough
        return 1
    text, status = _verdict(error)
    sys.stderr.write(f"hushlink: {_one_line(text)}\n")
    return status


def _verdict(error: Exception) -> tuple[str, int]:
    if isinstance(error, errors.InputError):
        return str(error), 2
    if isinstance(error, errors.ClientError):
        return str(error), 1
    if isinstance(error, domain_errors.DomainError):
        faulty = isinstance(error, domain_errors.CallerError) and error.reason not in _NOT_THE_CALLERS_INPUT
        return f"{error.message} ({error.reason.value})", 2 if faulty else 1
    # The text of an error that nobody foresaw may quote what it choked on.
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
    return f"an internal fault, {type(error).__qualname__} at {where}: please report it", 1


def _one_line(text: str) -> str:
    """The first thing of several, and how many more there are."""
    head, *rest = [display.plain(line.strip()) for line in text.splitlines()]
    if not rest:
        return head
    more = f" (and {len(rest) - 1} more)" if len(rest) > 1 else ""
    return f"{head} {rest[0]}{more}"
