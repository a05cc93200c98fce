"""A mesh of real processes, each of which a test can break and start again."""

from __future__ import annotations

import contextlib
import json
import pathlib
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aioboto3
import asyncpg

from hushlink_client.dev import folder, object_store, ports, postgres
from hushlink_client.dev import processes as crews
from tests.support import processes, waiting, wire


class _Crew(crews.Crew):
    """Remembers the processes that are up."""

    def __init__(self, place: folder.Folder) -> None:
        super().__init__(place.logs, [place.parts_lock], lambda _: None)
        self.up: dict[str, crews.Process] = {}

    def watch(self, process: crews.Process) -> None:
        self.up[process.name] = process
        super().watch(process)


class Stores:
    """A Postgres and an object store, at ports that stay."""

    def __init__(self, place: folder.Folder, crew: _Crew) -> None:
        self._place = place
        self._crew = crew
        self._lives: dict[str, contextlib.AsyncExitStack] = {}
        self._ports = {"postgres": ports.any_free(), "object-store": ports.any_free()}
        self.database_url = ""
        self._blobs: object_store.Store | None = None

    @property
    def objects(self) -> pathlib.Path:
        """What the object store keeps of projects: a folder for each."""
        return self._place.objects / object_store.BUCKET / "projects"

    async def start_postgres(self) -> None:
        life = self._lives["postgres"] = contextlib.AsyncExitStack()
        self.database_url = await life.enter_async_context(
            postgres.serving(self._place, self._crew, self._ports["postgres"])
        )

    async def start_object_store(self) -> None:
        life = self._lives["object-store"] = contextlib.AsyncExitStack()
        self._blobs = await life.enter_async_context(
            object_store.serving(self._place, self._crew, self._ports["object-store"])
        )

    async def stop(self, name: str, *, kill: bool = False) -> None:
        """End ``postgres`` or ``object-store``, as a crash would or in good order."""
        if kill:
            self._crew.up[name].kill()
        await self._lives.pop(name).aclose()

    async def close(self) -> None:
        for name in list(self._lives):
            await self.stop(name)

    def settings(self) -> Mapping[str, str]:
        """What a coordinator must be told of them."""
        assert self._blobs is not None
        return {
            "database_url": self.database_url,
            "blobs_endpoint": self._blobs.endpoint,
            "blobs_access_key": self._blobs.access_key,
            "blobs_secret_key": self._blobs.secret_key,
        }

    async def lose(self, project_id: str) -> str:
        """Have the object store lose one of a project's objects; returns its key."""
        assert self._blobs is not None
        store = aioboto3.Session().client(
            "s3",
            endpoint_url=self._blobs.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self._blobs.access_key,
            aws_secret_access_key=self._blobs.secret_key,
        )
        async with store as client:
            found = await client.list_objects_v2(Bucket=object_store.BUCKET, Prefix=f"projects/{project_id}/")
            key = str(found["Contents"][0]["Key"])
            await client.delete_object(Bucket=object_store.BUCKET, Key=key)
        return key

    @contextlib.asynccontextmanager
    async def locked(self, table: str) -> AsyncIterator[None]:
        """Inside the block nobody else reads or writes a table of Postgres: they wait."""
        database = await asyncpg.connect(self.database_url)
        try:
            async with database.transaction():
                await database.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                yield
        finally:
            await database.close()

    async def query(self, text: str, *arguments: object) -> list[Any]:
        """Rows from Postgres."""
        database = await asyncpg.connect(self.database_url)
        try:
            rows: list[Any] = await database.fetch(text, *arguments)
            return rows
        finally:
            await database.close()


@contextlib.asynccontextmanager
async def stores() -> AsyncIterator[Stores]:
    """A Postgres and an object store that serve."""
    async with folder.passing() as place:
        crew = _Crew(place)
        with contextlib.closing(crew):
            made = Stores(place, crew)
            try:
                await made.start_postgres()
                await made.start_object_store()
                yield made
            finally:
                await made.close()


class BreakableMesh:
    """Coordinators and matchers on the same stores."""

    def __init__(self, kept: Stores, stack: contextlib.AsyncExitStack) -> None:
        self.stores = kept
        self._stack = stack
        self._matchers: list[str] = []
        self._coordinators: list[Coordinator] = []

    async def matcher(self, port: int = 0, *, slow: bool = True) -> processes.Process:
        """A matcher of one slot; coordinators that start later know it. A slow one has the slowest kernel."""
        settings = {"slots": 1, "stop_grace_seconds": 1, "listen": f"127.0.0.1:{port}"}
        if slow:
            settings["kernel"] = "portable"
        started = processes.started("hushlink_matcher", **settings)
        process = await self._stack.enter_async_context(started)
        self._matchers.append(process.address)
        return process

    async def coordinator(self, **settings: object) -> Coordinator:
        """A coordinator whose leases are short and whose tiles are small."""
        quick = {
            "lease_seconds": 1,
            "tile_comparisons": 1,
            "stop_grace_seconds": 1,
            "matchers": ",".join(self._matchers),
            "matchers_resolve_seconds": 0.2,
        }
        started = processes.started("hushlink_coordinator", **{**self.stores.settings(), **quick, **settings})
        made = Coordinator(await self._stack.enter_async_context(started))
        self._coordinators.append(made)
        return made

    def show_logs(self) -> None:
        """Print what every coordinator said, for whoever reads why a test failed."""
        for each in self._coordinators:
            sys.stdout.write(f"---- coordinator {each.address}\n{each.process.log.read_text()}")

    def check_logs(self) -> None:
        """Whatever was broken, no coordinator met anything it had not foreseen."""
        for each in self._coordinators:
            assert not wire.faults_in(each.process.log.read_text())


class Coordinator:
    """One coordinator's process."""

    def __init__(self, process: processes.Process) -> None:
        self.process = process
        self.address = process.address

    def said(self, message: str) -> list[dict[str, Any]]:
        """The entries of its log with this message."""
        entries = [json.loads(line) for line in self.process.log.read_text().splitlines() if line.endswith("}")]
        return [entry for entry in entries if entry["message"] == message]

    async def says(self, message: str) -> dict[str, Any]:
        """Wait until its log has an entry with this message."""
        await waiting.eventually(f"the coordinator says: {message}", lambda: self.said(message))
        return self.said(message)[0]


@contextlib.asynccontextmanager
async def breakable(kept: Stores) -> AsyncIterator[BreakableMesh]:
    """A mesh without any process yet beside its stores."""
    async with contextlib.AsyncExitStack() as stack:
        mesh = BreakableMesh(kept, stack)
        yield mesh
        mesh.show_logs()
        mesh.check_logs()
