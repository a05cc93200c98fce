"""What goes wrong becomes one line and an exit status, and no value of anybody shows."""

from __future__ import annotations

import click
import pytest

from hushlink_client import cli, errors
from hushlink_domain import errors as domain_errors

R = domain_errors.Reason


def ended(error: BaseException, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The status and the line of a command that raises ``error``."""

    @click.command()
    def command() -> None:
        raise error

    monkeypatch.setattr("sys.argv", ["hushlink"])
    with pytest.raises(SystemExit) as exit_:
        cli.end(command)
    said = capsys.readouterr()
    assert said.out == ""
    return int(exit_.value.code or 0), said.err


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (errors.InputError("a file is bad"), 2, "a file is bad"),
        (errors.MeshError("it is down"), 1, "it is down"),
        (
            domain_errors.CallerError(R.SCHEMA_INVALID, "the schema:\n  one\n  two\n  three"),
            2,
            "the schema: one (and 2 more)",
        ),
        (domain_errors.CallerError(R.RECORDS_INVALID, "a.csv:\n  row 1"), 2, "a.csv: row 1"),
        (domain_errors.CallerError(R.ACCESS_REFUSED, "no such project"), 1, "no such project"),
        (domain_errors.CallerError(R.RIGHT_MISSING, "no right"), 1, "no right"),
        (domain_errors.StateError(R.DATASET_SEALED, "sealed"), 1, "sealed"),
        (domain_errors.CapacityError(R.STORE_UNAVAILABLE, "down"), 1, "down"),
        (domain_errors.InternalError(R.INTERNAL, "incident 7"), 1, "incident 7"),
        (ValueError("Wolkenstein, Anna"), 1, "an internal fault, ValueError at test_cli.py:"),
        (click.UsageError("no such thing"), 2, "no such thing"),
    ],
)
def test_one_line_and_a_status(
    error: Exception,
    status: int,
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, said = ended(error, capsys, monkeypatch)
    assert found == status
    assert said.startswith(f"hushlink: {line}")
    assert said.count("\n") == 1
    assert "Wolkenstein" not in said


@pytest.mark.parametrize(("error", "status"), [(cli.InterruptedBySignal(15), 143), (KeyboardInterrupt(), 130)])
def test_an_interruption_says_nothing(
    error: BaseException,
    status: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ended(error, capsys, monkeypatch) == (status, "\n" if isinstance(error, KeyboardInterrupt) else "")


def test_every_command_that_is_listed_is_there() -> None:
    for name in cli.hushlink.list_commands(click.Context(cli.hushlink)):
        command = cli.hushlink.get_command(click.Context(cli.hushlink), name)
        assert isinstance(command, click.Command)
        assert command.help
