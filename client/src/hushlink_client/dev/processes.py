"""The mesh's parts as processes: each has a name, a log file and a watcher, and ends when we do, however we end."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from hushlink_client import errors
from hushlink_client.dev import account as accounts

_TETHER = pathlib.Path(__file__).with_name("tether.py")
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ")

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """What to run."""

    name: str
    """The part's name, also that of its log file."""
    command: tuple[str, ...]
    """Program and arguments; never a secret, which every account of the machine could read."""
    environment: Mapping[str, str] = dataclasses.field(repr=False)
    """All of its environment beside the few variables that say where things are."""
    tethered: bool = False
    """Whether it is a foreign server, which gets a tether, and not one of ours, which get a lifeline."""
    account: accounts.Account | None = None
    """The account of a tethered one; None = ours."""
    stop_signal: signal.Signals = signal.SIGTERM
    """What asks it to end with its work done."""
    stop_seconds: float = 15.0
    """How long that may take before it is killed."""


class Process:
    """A program that was started."""

    def __init__(self, program: Program, log: pathlib.Path, process: asyncio.subprocess.Process) -> None:
        self.program = program
        self.log = log
        self._process = process
        self._stopping = False
        self._watcher: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The part's name."""
        return self.program.name

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        status = self._process.returncode
        if status is None:
            return "is running"
        if status < 0:
            return f"was killed by signal {-status} ({signal.Signals(-status).name})"
        return f"ended with exit status {status}"

    def watch(self, on_death: Callable[[Process], None]) -> None:
        """From now on call ``on_death`` if it ends without being asked to."""

        async def watching() -> None:
            await self._process.wait()
            if not self._stopping:
                on_death(self)

        self._watcher = asyncio.create_task(watching(), name=f"watch {self.name}")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.running:
            self._process.kill()

    async def wait(self) -> None:
        """Wait until it has ended."""
        await self._process.wait()

    async def finish(self, stdin: bytes) -> None:
        """Give it its input and wait until it has ended by itself.

        Raises:
            errors.MeshError: with another exit status than 0.
        """
        await self._process.communicate(stdin)
        if self._process.returncode != 0:
            raise errors.MeshError(f"{self.name} {self.ending}; its last words: {self.last_words()}")

    async def stop(self) -> None:
        """Ask it to end; kill it if that takes too long."""
        self._stopping = True
        if self.running:
            self._process.send_signal(self.program.stop_signal)
        try:
            async with asyncio.timeout(self.program.stop_seconds):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        if self._watcher is not None:
            await self._watcher

    async def until(self, ready: Awaitable[T], seconds: float) -> T:
        """Wait for a sign that it is ready.

        Raises:
            errors.MeshError: it ended before, or the sign did not come in ``seconds``.
        """
        sign = asyncio.ensure_future(ready)
        ended = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait({sign, ended}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if sign.done():
                return sign.result()
        finally:
            for task in (sign, ended):
                task.cancel()
            await asyncio.gather(sign, ended, return_exceptions=True)
        what = self.ending if not self.running else f"was not ready after {seconds:g} seconds"
        raise errors.MeshError(f"{self.name} {what}; its last words: {self.last_words()}")

    def last_words(self) -> str:
        """The end of its log, as one line."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return _message(lines[-1])[:400] if lines else "(none)"


class Crew:
    """The processes of one mesh.

    Args:
        logs: the folder of their log files; a file of the last start is kept as NAME.log.old.
        inherited: descriptors that each process gets, to hold locks with.
        on_death: called when a process ends that nobody asked to.
    """

    def __init__(self, logs: pathlib.Path, inherited: Sequence[int], on_death: Callable[[Process], None]) -> None:
        self._logs = logs
        self._inherited = tuple(inherited)
        self._on_death = on_death
        self._lifeline, self._lifeline_end = os.pipe()

    def close(self) -> None:
        """Let go of the lifeline."""
        os.close(self._lifeline)
        os.close(self._lifeline_end)

    def watch(self, process: Process) -> None:
        """From now on ``process`` is up: its end is a death."""
        process.watch(self._on_death)

    @contextlib.asynccontextmanager
    async def running(self, program: Program) -> AsyncIterator[Process]:
        """A process that runs inside the ``async with`` block and has ended behind it. `watch` it once it is up."""
        log = self._logs / f"{program.name}.log"
        if log.exists():
            log.replace(log.with_name(log.name + ".old"))
        process = Process(program, log, await self._start(program, log))
        try:
            yield process
        finally:
            await process.stop()

    async def run(self, program: Program, stdin: bytes = b"") -> None:
        """Run a program that ends by itself, with ``stdin`` as its input.

        Raises:
            errors.MeshError: it ended with another exit status than 0.
        """
        log = self._logs / f"{program.name}.log"
        process = Process(program, log, await self._start(program, log, asyncio.subprocess.PIPE))
        try:
            await process.finish(stdin)
        finally:
            process.kill()
            await process.wait()

    async def _start(
        self, program: Program, log: pathlib.Path, stdin: int = asyncio.subprocess.DEVNULL
    ) -> asyncio.subprocess.Process:
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        environment |= program.environment
        command, inherited = program.command, self._inherited
        if program.tethered:
            command = _tethered(program)
        else:
            environment["HUSHLINK_LIFELINE"] = str(self._lifeline)
            inherited += (self._lifeline,)
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=stdin,
                stdout=output,
                stderr=output,
                env=environment,
                cwd="/",
                pass_fds=inherited,
                start_new_session=True,  # a terminal's Ctrl-C is for us, who stop the parts in their order
            )


def _message(line: str) -> str:
    """What a line of a log says; ours are JSON, and the end of a trace is what says most."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict) or "message" not in entry:
        return line
    trace = str(entry.get("trace", "")).strip().splitlines()
    return ": ".join([str(entry["message"]), *trace[-1:]])


def _tethered(program: Program) -> tuple[str, ...]:
    who = program.account
    uid, gid = ("-", "-") if who is None else (str(who.uid), str(who.gid))
    return (
        *(sys.executable, "-I", "-S", str(_TETHER)),
        *(str(os.getpid()), str(int(program.stop_signal)), uid, gid),
        *program.command,
    )
