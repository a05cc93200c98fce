"""Real processes of the mesh, started on loopback and taken down with their test."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from typing import BinaryIO

START_SECONDS = 60.0
"""A process that serves nothing by then is broken."""


@dataclasses.dataclass(frozen=True, slots=True)
class Process:
    """A process that serves."""

    address: str
    """HOST:PORT."""
    running: asyncio.subprocess.Process
    log: pathlib.Path
    """Its standard error."""

    @property
    def pid(self) -> int:
        return self.running.pid

    def kill(self) -> None:
        """End it as a crash would."""
        self.running.send_signal(signal.SIGKILL)

    def pause(self) -> None:
        """Make it hang."""
        self.running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after ``pause``."""
        self.running.send_signal(signal.SIGCONT)

    async def terminated(self) -> int:
        """Ask it to stop, and return its exit status."""
        self.running.send_signal(signal.SIGTERM)
        return await self.running.wait()

    def peak_memory_bytes(self) -> int:
        """The most memory it ever held."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"the system tells nothing of process {self.pid}")


@contextlib.asynccontextmanager
async def started(module: str, **settings: object) -> AsyncIterator[Process]:
    """``python -m module`` with each setting as HUSHLINK_<SETTING>, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="hushlink-test-") as folder, contextlib.ExitStack() as pipes:
        address_file, log = pathlib.Path(folder, "address"), pathlib.Path(folder, "log")
        ours, theirs = os.pipe()
        lifeline = pipes.enter_context(os.fdopen(theirs, "wb"))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HUSHLINK_")}
        settings = {"listen": "127.0.0.1:0", **settings, "address_file": address_file, "lifeline": ours}
        environment |= {f"HUSHLINK_{name.upper()}": str(value) for name, value in settings.items()}
        errors = pipes.enter_context(_written(log))
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, env=environment, stderr=errors, pass_fds=[ours]
        )
        os.close(ours)
        try:
            yield Process(await _address(running, address_file, log), running, log)
        finally:
            lifeline.close()
            await _ended(running)


def _written(file: pathlib.Path) -> BinaryIO:
    return file.open("wb")


def _content(file: pathlib.Path) -> str:
    return file.read_text().strip() if file.exists() else ""


async def _address(running: asyncio.subprocess.Process, address_file: pathlib.Path, log: pathlib.Path) -> str:
    try:
        async with asyncio.timeout(START_SECONDS):
            while not (address := _content(address_file)):
                if running.returncode is not None:
                    raise AssertionError(f"the process ended with {running.returncode}: {_content(log)}")
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"the process does not serve: {_content(log)}") from None
    return address


async def _ended(running: asyncio.subprocess.Process) -> None:
    if running.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            running.send_signal(signal.SIGCONT)
    try:
        async with asyncio.timeout(20):
            await running.wait()
    except TimeoutError:
        running.kill()
        await running.wait()
        raise AssertionError("the process did not stop when its lifeline was cut") from None


@contextlib.asynccontextmanager
async def started_matcher(**settings: object) -> AsyncIterator[Process]:
    """A matcher with one slot, unless told otherwise."""
    async with started("hushlink_matcher", **{"slots": 1, **settings}) as process:
        yield process
