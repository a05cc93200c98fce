"""The command line run inside the test's own process, which is quicker than starting one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from hushlink_client import cli
from hushlink_encoder import core_dumps

CommandLine = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Runs ``hushlink`` with some arguments; core dumps of the tests stay as they were."""
    monkeypatch.setattr(core_dumps, "disable", lambda: None)

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        given = ["hushlink", *map(str, arguments)]
        monkeypatch.setattr("sys.argv", given)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(given, int(ended.value.code or 0), said.out, said.err)

    return run
