"""What every test has: a started mesh, and a summary that names the capabilities this machine lacks."""

from __future__ import annotations

import pytest

from tests.support import capabilities
from tests.support.mesh import data, mesh
from tests.support.wire import coordinator

__all__ = ["coordinator", "data", "mesh"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in capabilities.summary():
        terminalreporter.write_line(line, yellow=True, bold=True)
