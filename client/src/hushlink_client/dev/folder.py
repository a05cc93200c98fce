"""The data folder: what the development mesh keeps between starts, and the locks that make it ours.

Two locks. ``lock`` is held by the process that keeps the mesh up: a second start is refused. ``parts.lock`` is handed
down to every part as well: after that process was killed, a new start waits until the last of its parts has gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import hashlib
import itertools
import json
import os
import pathlib
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping

from hushlink_client import errors
from hushlink_client.dev import waiting
from hushlink_domain import grants

_LOCK = "lock"
_PARTS_LOCK = "parts.lock"
_ANNEXE = "annexe"
_OWNER = "owner"
_LASTING_ANNEXES = pathlib.Path("/var/lib")
_ANNEXE_PARENT = "/tmp"  # noqa: S108 - every account may enter it, unlike $TMPDIR; the folder's name is drawn
_EPHEMERAL_PREFIX = "hushlink-dev-"
_PARTS_WAIT_SECONDS = 30.0


@dataclasses.dataclass(frozen=True, slots=True)
class Secrets:
    """What the parts prove themselves to each other with; drawn when the folder is made."""

    postgres_password: str = dataclasses.field(repr=False)
    blobs_access_key: str = dataclasses.field(repr=False)
    blobs_secret_key: str = dataclasses.field(repr=False)
    operator_right: str = dataclasses.field(repr=False)
    """Lists all projects; anyone may create one."""

    @classmethod
    def draw(cls) -> Secrets:
        """New ones, from the system's generator."""
        return cls(secrets.token_hex(24), secrets.token_hex(10), secrets.token_hex(24), grants.draw())


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """A data folder while it is ours."""

    path: pathlib.Path
    """Absolute, without links."""
    ephemeral: bool
    """Whether it goes when we do, so that nothing need survive a power cut."""
    parts_lock: int
    """The descriptor every part inherits."""

    @property
    def logs(self) -> pathlib.Path:
        """Where each part's output goes."""
        return self.path / "logs"

    @property
    def objects(self) -> pathlib.Path:
        """What the object store keeps."""
        return self.path / "objects"

    @property
    def keys(self) -> pathlib.Path:
        """The secrets the encoder holds: a file's name is the key's."""
        return self.path / "keys"

    @property
    def addresses(self) -> pathlib.Path:
        """Where services write what they are bound to."""
        return self.path / "addresses"

    @property
    def endpoints(self) -> pathlib.Path:
        """What a running mesh tells scripts about itself, as JSON; absent while none runs."""
        return self.path / "endpoints.json"

    @property
    def operator_right(self) -> pathlib.Path:
        """The operator's right, for --right-file."""
        return self.path / "operator.right"

    def secrets(self) -> tuple[Secrets, bool]:
        """The folder's secrets, and whether they were drawn just now."""
        file = self.path / "secrets.json"
        if file.exists():
            return Secrets(**json.loads(file.read_text())), False
        drawn = Secrets.draw()
        write_private(self.operator_right, drawn.operator_right + "\n")
        write_private(file, json.dumps(dataclasses.asdict(drawn)))
        return drawn, True

    @property
    def annexe_note(self) -> pathlib.Path:
        """Where it is written which annexe is ours, if we have one."""
        return self.path / _ANNEXE

    def annexe(self) -> pathlib.Path:
        """A folder that other accounts may enter, for what we as root can't keep in our own.

        The folder's note names it, so that it goes along when the folder is moved. A new lasting one is named after the
        folder's path: a folder that is made anew at the same place takes over what the last one left.

        Raises:
            errors.MeshError: the folder is a copy of another, whose annexe it would share.
        """
        if self.annexe_note.exists():
            place = pathlib.Path(self.annexe_note.read_text())
            if (other := self._other_owner(place)) is not None:
                raise errors.MeshError(f"{self.path} is a copy of {other}, whose database lies in {place}: remove it")
        elif self.ephemeral:
            place = pathlib.Path(tempfile.mkdtemp(prefix="hushlink-annexe-", dir=_ANNEXE_PARENT))
        else:
            place = next(free for free in self._lasting_annexes() if self._other_owner(free) is None)
        place.mkdir(mode=0o755, exist_ok=True)
        place.chmod(0o755)
        write_private(place / _OWNER, str(self.path))
        write_private(self.annexe_note, str(place))
        return place

    def _lasting_annexes(self) -> Iterator[pathlib.Path]:
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return (_LASTING_ANNEXES / f"hushlink-dev-{name}-{number}" for number in itertools.count())

    def _other_owner(self, place: pathlib.Path) -> pathlib.Path | None:
        """The other data folder whose annexe ``place`` is, if there is one."""
        owner = place / _OWNER
        if not owner.exists():
            return None
        path = pathlib.Path(owner.read_text())
        note = path / _ANNEXE
        return path if path != self.path and note.is_file() and note.read_text() == str(place) else None

    def ports(self) -> dict[str, int]:
        """The ports of the last start, by part."""
        file = self.path / "ports.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def remember_ports(self, ports: Mapping[str, int]) -> None:
        """Keep the ports for the next start."""
        write_private(self.path / "ports.json", json.dumps(ports))


def write_private(file: pathlib.Path, text: str) -> None:
    """Write a file that only we may read, all of it or nothing."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    draft.replace(file)


@contextlib.asynccontextmanager
async def lasting(path: pathlib.Path) -> AsyncIterator[Folder]:
    """A data folder that stays; it is made if there is none.

    Raises:
        errors.MeshError: another process keeps a mesh up on it, or it is not one of ours.
    """
    async with _held(_adopted(path), ephemeral=False) as folder:
        yield folder


@contextlib.asynccontextmanager
async def passing() -> AsyncIterator[Folder]:
    """A data folder that is removed afterwards; those whose owners were killed go as well."""
    _sweep()
    path = _adopted(pathlib.Path(tempfile.mkdtemp(prefix=_EPHEMERAL_PREFIX)))
    try:
        async with _held(path, ephemeral=True) as folder:
            yield folder
    finally:
        _remove(path)


def _adopted(path: pathlib.Path) -> pathlib.Path:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (path / _LOCK).exists() and any(path.iterdir()):
            raise errors.MeshError(f"{path} is not empty and no data folder of Hushlink: name another with --data")
        (path / _LOCK).touch(mode=0o600)
        return path.resolve()
    except OSError as error:
        raise errors.MeshError(f"the data folder {path} can't be used: {error.strerror}") from None


@contextlib.asynccontextmanager
async def _held(path: pathlib.Path, *, ephemeral: bool) -> AsyncIterator[Folder]:
    with _opened(path / _LOCK) as lock, _opened(path / _PARTS_LOCK) as parts_lock:
        if not _try_lock(lock):
            owner = os.pread(lock, 20, 0).decode(errors="replace").strip()
            raise errors.MeshError(
                f"process {owner} keeps a mesh up on {path} already: stop it, or name another folder with --data"
            )
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        await _parts_gone(path, parts_lock)
        folder = Folder(path, ephemeral, parts_lock)
        for part in (folder.logs, folder.objects, folder.keys, folder.addresses):
            part.mkdir(mode=0o700, exist_ok=True)
        try:
            yield folder
        finally:
            folder.endpoints.unlink(missing_ok=True)


async def _parts_gone(path: pathlib.Path, parts_lock: int) -> None:
    """Wait until no part of an earlier start is left, and take their lock."""
    try:
        async with asyncio.timeout(_PARTS_WAIT_SECONDS):
            await waiting.until(lambda: _try_lock(parts_lock) or None)
    except TimeoutError:
        raise errors.MeshError(
            f"parts of a mesh that was killed still run on {path}: end them (`fuser {path / _PARTS_LOCK}` names them)"
        ) from None


@contextlib.contextmanager
def _opened(file: pathlib.Path) -> Iterator[int]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep() -> None:
    """Remove ephemeral folders of ours that nobody holds any more."""
    for path in pathlib.Path(tempfile.gettempdir()).glob(_EPHEMERAL_PREFIX + "*"):
        with contextlib.suppress(OSError):
            # A lock without an owner's number belongs to a folder that is being made just now.
            if path.is_symlink() or path.stat().st_uid != os.geteuid() or not (path / _LOCK).stat().st_size:
                continue
            with _opened(path / _LOCK) as lock, _opened(path / _PARTS_LOCK) as parts_lock:
                if _try_lock(lock) and _try_lock(parts_lock):
                    _remove(path)


def _remove(path: pathlib.Path) -> None:
    annexe = path / _ANNEXE
    if annexe.is_file():
        shutil.rmtree(annexe.read_text(), ignore_errors=True)
    shutil.rmtree(path, ignore_errors=True)
