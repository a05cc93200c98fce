"""Real processes of the mesh, started on loopback and taken down with their test."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator

START_SECONDS = 60.0
"""A process that serves nothing by then is broken."""

STOP_SECONDS = 20.0
"""A process that runs on for so long after its lifeline was cut is broken."""


@dataclasses.dataclass(frozen=True, slots=True)
class Process:
    """A process that serves, or is about to."""

    running: subprocess.Popen[bytes]
    address_file: pathlib.Path
    log: pathlib.Path
    """Its standard error."""

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return self.address_file.read_text().strip()

    @property
    def pid(self) -> int:
        return self.running.pid

    def serves(self) -> bool:
        """Whether it has begun to serve; fails when it has ended instead."""
        if self.running.poll() is not None:
            raise AssertionError(f"the process ended with {self.running.returncode}: {self.log.read_text()}")
        return self.address_file.exists()

    def kill(self) -> None:
        """End it as a crash would."""
        self.running.kill()

    def pause(self) -> None:
        """Make it hang."""
        self.running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after ``pause``."""
        self.running.send_signal(signal.SIGCONT)

    async def terminated(self) -> int:
        """Ask it to stop, and return its exit status."""
        self.running.terminate()
        return await asyncio.to_thread(self.running.wait, STOP_SECONDS)

    def peak_memory_bytes(self) -> int:
        """The most memory it ever held."""
        for line in pathlib.Path(f"/proc/{self.running.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"the system tells nothing of process {self.running.pid}")

    def cpu_seconds(self) -> float:
        """How much processor time it has used."""
        fields = pathlib.Path(f"/proc/{self.running.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def launched(module: str, **settings: object) -> Iterator[Process]:
    """``python -m module`` with each setting as HUSHLINK_<SETTING>, until the block ends; it may not serve yet."""
    with tempfile.TemporaryDirectory(prefix="hushlink-test-") as folder, contextlib.ExitStack() as files:
        address_file, log_path = pathlib.Path(folder, "address"), pathlib.Path(folder, "log")
        theirs, ours = os.pipe()
        lifeline = files.enter_context(os.fdopen(ours, "wb"))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUSHLINK_")}
        settings = {"listen": "127.0.0.1:0", **settings, "address_file": address_file, "lifeline": theirs}
        environment |= {f"HUSHLINK_{name.upper()}": str(value) for name, value in settings.items()}
        log = files.enter_context(log_path.open("wb"))
        running = subprocess.Popen([sys.executable, "-m", module], env=environment, stderr=log, pass_fds=[theirs])
        os.close(theirs)
        try:
            yield Process(running, address_file, log_path)
        finally:
            lifeline.close()
            running.send_signal(signal.SIGCONT)
            try:
                running.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
                raise AssertionError("the process did not stop when its lifeline was cut") from None


@contextlib.asynccontextmanager
async def started(module: str, **settings: object) -> AsyncIterator[Process]:
    """A process that serves, until the block ends."""
    with launched(module, **settings) as process:
        deadline = time.monotonic() + START_SECONDS
        while not process.serves():
            assert time.monotonic() < deadline, f"the process does not serve: {process.log.read_text()}"
            await asyncio.sleep(0.01)
        yield process


@contextlib.contextmanager
def serving(module: str, **settings: object) -> Iterator[Process]:
    """The same for fixtures that outlive an event loop."""
    with launched(module, **settings) as process:
        deadline = time.monotonic() + START_SECONDS
        while not process.serves():
            assert time.monotonic() < deadline, f"the process does not serve: {process.log.read_text()}"
            time.sleep(0.01)
        yield process


@contextlib.asynccontextmanager
async def started_matcher(**settings: object) -> AsyncIterator[Process]:
    """A matcher with one slot, unless told otherwise."""
    async with started("hushlink_matcher", **{"slots": 1, **settings}) as process:
        yield process
