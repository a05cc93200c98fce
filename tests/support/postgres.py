"""Real Postgres servers of several versions: two of the wheel, one of the system's packages."""

from __future__ import annotations

import contextlib
import pathlib
import urllib.parse
import uuid
from collections.abc import AsyncIterator

import asyncpg

from hushlink_client.dev import folder, postgres, processes
from tests.support import capabilities

VERSIONS = ("wheel-18", "wheel-16", "system")
_INSTALLATIONS = {"wheel-18": "pginstall18", "wheel-16": "pginstall"}


def _programs(version: str) -> pathlib.Path:
    if version in _INSTALLATIONS:
        return postgres.wheel() / _INSTALLATIONS[version] / "bin"
    capabilities.need(capabilities.SYSTEM_POSTGRES)
    found = capabilities.postgres_programs()
    assert found is not None
    return found


@contextlib.asynccontextmanager
async def serving(version: str) -> AsyncIterator[str]:
    """A server of one of ``VERSIONS``; gives its URL, password included."""
    programs = _programs(version)
    async with folder.passing() as place:
        crew = processes.Crew(place.logs, (place.parts_lock,), lambda process: None)
        with contextlib.closing(crew):
            async with postgres.serving(place, crew, None, programs) as url:
                yield url


@contextlib.asynccontextmanager
async def fresh_database(server_url: str) -> AsyncIterator[str]:
    """An empty database of a server; gives its URL."""
    name = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        yield urllib.parse.urlsplit(server_url)._replace(path=f"/{name}").geturl()
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()
