"""A whole mesh on this machine, as ``hushlink dev`` keeps it up: from outside, by its command line."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

PATIENCE_SECONDS = 60.0
"""What has not happened by then does not happen."""

COMMAND = (sys.executable, "-m", "hushlink_client")


@dataclasses.dataclass(frozen=True, slots=True)
class StartedMesh:
    """A mesh that is up."""

    keeper: subprocess.Popen[str]
    """The process of ``hushlink dev``."""
    errors: pathlib.Path
    """What it writes to standard error."""
    facts: dict[str, Any]
    """What it says about itself."""

    @property
    def coordinator(self) -> str:
        """HOST:PORT."""
        return str(self.facts["endpoints"]["coordinator"])

    @property
    def encoder(self) -> str:
        """HOST:PORT."""
        return str(self.facts["endpoints"]["encoder"])

    @property
    def matchers(self) -> list[str]:
        """HOST:PORT of each."""
        return [str(end) for part, end in self.facts["endpoints"].items() if part.startswith("matcher-")]

    @property
    def data(self) -> pathlib.Path:
        """Its data folder."""
        return pathlib.Path(self.facts["data"])

    @property
    def keys(self) -> pathlib.Path:
        """Where the encoder's secrets are."""
        return pathlib.Path(self.facts["keys"])

    def pid(self, part: str) -> int:
        """The process of one of Hushlink's services: ``coordinator``, ``matcher-1``, ``encoder``."""
        return int(self.facts["processes"][part])

    def secrets(self) -> dict[str, str]:
        """What the parts prove themselves with."""
        held: dict[str, str] = json.loads((self.data / "secrets.json").read_text())
        return held

    def database_url(self) -> str:
        """Postgres, with its password."""
        return f"postgresql://hushlink:{self.secrets()['postgres_password']}@{self.facts['endpoints']['postgres']}"

    def processes(self) -> list[int]:
        """Everything that runs for it, also what Postgres forked."""
        return descendants(self.keeper.pid)

    def ended(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to end, and return its exit status."""
        self.keeper.send_signal(number)
        return self.keeper.wait(PATIENCE_SECONDS)


def environment(**variables: str) -> dict[str, str]:
    """The environment without anything that configures Hushlink but ``variables``."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HUSHLINK_")}
    return {**plain, **variables}


@contextlib.contextmanager
def started(*arguments: str, command: Sequence[str] = COMMAND, **settings: Any) -> Iterator[StartedMesh]:
    """``hushlink dev`` with ``arguments``, up inside the block; it need not be any more at its end."""
    with (
        tempfile.TemporaryDirectory(prefix="hushlink-test-") as folder,
        starting(pathlib.Path(folder), *arguments, command=command, **settings) as (keeper, errors),
    ):
        assert keeper.stdout is not None
        line = keeper.stdout.readline()
        assert line, f"the mesh does not start: {errors.read_text()}"
        yield StartedMesh(keeper, errors, json.loads(line))


@contextlib.contextmanager
def starting(
    folder: pathlib.Path, *arguments: str, command: Sequence[str] = COMMAND, **settings: Any
) -> Iterator[tuple[subprocess.Popen[str], pathlib.Path]]:
    """``hushlink dev`` with ``arguments``, perhaps not up yet, and where it writes its errors in ``folder``."""
    errors = folder / "errors"
    with errors.open("w") as stream:
        keeper = subprocess.Popen(
            [*command, "dev", "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=stream,
            text=True,
            env=environment(),
            **settings,
        )
    with keeper:
        try:
            yield keeper, errors
        finally:
            if keeper.poll() is None:
                keeper.terminate()
                try:
                    keeper.wait(PATIENCE_SECONDS)
                except subprocess.TimeoutExpired:
                    keeper.kill()
                    raise


def hushlink(*arguments: str | pathlib.Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command line, run to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment(**variables),
        timeout=2 * PATIENCE_SECONDS,
        check=False,
    )


def descendants(pid: int) -> list[int]:
    """The processes below ``pid``, those it did not start itself included."""
    children: dict[int, list[int]] = {}
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def eventually(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.02)


@pytest.fixture
def data(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A data folder that is yet to be made. What root keeps beside it goes at the end."""
    folder = tmp_path / "data"
    yield folder
    annexe = folder / "annexe"
    if annexe.exists():
        shutil.rmtree(annexe.read_text(), ignore_errors=True)


@pytest.fixture(scope="session")
def mesh() -> Iterator[StartedMesh]:
    """One mesh for all tests that only use it: Postgres, an object store, a coordinator, two matchers, an encoder."""
    with started("--ephemeral") as one:
        yield one
        assert one.ended() == 0, one.errors.read_text()
