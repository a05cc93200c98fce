"""What every test has: a started mesh, and a summary that names the capabilities this machine lacks."""

from __future__ import annotations

import pytest

from tests.support import capabilities
from tests.support.mesh import data, mesh
from tests.support.wire import coordinator

__all__ = ["coordinator", "data", "mesh"]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything is required, a skip without an excuse fails the session."""
    if session.exitstatus == pytest.ExitCode.OK and _unexcused(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in capabilities.summary():
        terminalreporter.write_line(line, yellow=True, bold=True)
    for line in _unexcused(terminalreporter.config):
        terminalreporter.write_line(f"FAILED for want of something that is required here: {line}", red=True, bold=True)


def _unexcused(config: pytest.Config) -> list[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not capabilities.required():
        return []
    skipped = (report.longrepr for report in reporter.stats.get("skipped", ()))
    return [f"{reason} ({path})" for path, _, reason in skipped if not capabilities.excused(reason)]
