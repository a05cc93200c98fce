"""The development mesh put together: which parts, in which order, told what, at which ports."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping

from hushlink_client import concurrency, errors
from hushlink_client.dev import folder, object_store, ports, postgres, processes, services
from hushlink_domain import grants

EXAMPLE_KEY = "example"
"""The name of the one secret that a new data folder has for the encoder."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Which mesh is wanted."""

    data: pathlib.Path | None = None
    """Where it keeps what lasts; None = nowhere, everything is removed at its end."""
    matchers: int = 2
    encoder: bool = True
    """Whether there is an encoder service."""
    ports: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Ports that are insisted on, by part: coordinator, encoder, matcher-1, postgres, object-store."""
    settings: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict, repr=False)
    """Further settings of services, by part (``matcher`` for all matchers), without the prefix HUSHLINK_."""


class Mesh:
    """A mesh that is up."""

    def __init__(self, place: folder.Folder, crew: processes.Crew) -> None:
        self.folder = place
        self._crew = crew
        self._parts: dict[str, services.Serving] = {}
        self.database_url = ""
        """Postgres, with its password."""
        self.object_store: object_store.Store | None = None

    @property
    def coordinator(self) -> str:
        """HOST:PORT of the coordinator."""
        return self._parts["coordinator"].address

    @property
    def encoder(self) -> str | None:
        """HOST:PORT of the encoder, if there is one."""
        return self._parts["encoder"].address if "encoder" in self._parts else None

    @property
    def matchers(self) -> tuple[str, ...]:
        """HOST:PORT of each matcher."""
        return tuple(part.address for name, part in sorted(self._parts.items()) if name.startswith("matcher-"))

    def endpoints(self) -> dict[str, str]:
        """Where each part is reached, by its name, without any secret."""
        addresses = {name: part.address for name, part in self._parts.items()}
        addresses["postgres"] = self.database_url.rpartition("@")[2].partition("?")[0]
        if self.object_store is not None:
            addresses["object-store"] = self.object_store.endpoint
        return dict(sorted(addresses.items()))

    def processes(self) -> dict[str, int]:
        """The process number of each of Hushlink's services, by the part's name."""
        return {name: part.process.pid for name, part in sorted(self._parts.items())}

    async def start(self, service: services.Service, stack: contextlib.AsyncExitStack) -> services.Serving:
        """Start a service; ``stack`` ends it. One of the same name is replaced."""
        part = await stack.enter_async_context(services.serving(service, self.folder, self._crew))
        self._parts[service.name] = part
        return part


def no_report(process: processes.Process) -> None:
    """Nobody is told of a part's death."""


@contextlib.asynccontextmanager
async def running(plan: Plan, on_death: Callable[[processes.Process], None] = no_report) -> AsyncIterator[Mesh]:
    """A mesh that is up inside the ``async with`` block; all of it has ended behind the block.

    Args:
        plan: which mesh.
        on_death: called when a part ends that nobody asked to; the others stay up.

    Raises:
        errors.MeshError: the data folder is in use or not ours, a port is taken, or a part does not start.
    """
    for part, port in plan.ports.items():
        if not ports.is_free(port):
            raise errors.MeshError(f"port {port}, wanted for {part}, is taken: name another, or none")
    held = folder.passing() if plan.data is None else folder.lasting(plan.data)
    async with held as place:
        crew = processes.Crew(place.logs, [place.parts_lock], on_death)
        with contextlib.closing(crew):
            async with contextlib.AsyncExitStack() as stack:
                mesh = Mesh(place, crew)
                await _start(mesh, plan, crew, stack)
                yield mesh


async def _start(mesh: Mesh, plan: Plan, crew: processes.Crew, stack: contextlib.AsyncExitStack) -> None:
    """Start the parts, those that need nobody at the same time; ``stack`` ends them in the opposite order."""
    place = mesh.folder
    wanted = {**place.ports(), **plan.ports}

    async def stores() -> None:
        mesh.database_url = await stack.enter_async_context(postgres.serving(place, crew, wanted.get("postgres")))

    async def objects() -> None:
        store = object_store.serving(place, crew, wanted.get("object-store"))
        mesh.object_store = await stack.enter_async_context(store)

    names = [f"matcher-{number}" for number in range(1, plan.matchers + 1)]
    matchers = [_service(plan, name, "matcher", ports.preferred(wanted.get(name)), SLOTS="1") for name in names]
    await concurrency.together(stores(), objects(), *(mesh.start(matcher, stack) for matcher in matchers))

    async def front(port: int) -> None:
        """Coordinator and encoder: the port of the one is told to the other before either serves."""
        async with contextlib.AsyncExitStack() as parts:
            services_wanted = [_coordinator(mesh, plan, port)]
            if plan.encoder:
                services_wanted.append(_encoder(mesh, plan, port, ports.preferred(wanted.get("encoder"))))
            await concurrency.together(*(mesh.start(service, parts) for service in services_wanted))
            stack.push_async_exit(parts.pop_all())

    await ports.claimed(wanted.get("coordinator"), front)
    if not place.ephemeral:
        place.remember_ports({part: _port(end) for part, end in mesh.endpoints().items()})


def _port(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2].partition("/")[0])


def _service(plan: Plan, name: str, kind: str, port: int, **settings: str) -> services.Service:
    settings |= {**plan.settings.get(kind, {}), **plan.settings.get(name, {})}
    return services.Service(name, f"hushlink_{kind}", settings, port)


def _coordinator(mesh: Mesh, plan: Plan, port: int) -> services.Service:
    assert mesh.object_store is not None  # noqa: S101 - started before
    return _service(
        plan,
        "coordinator",
        "coordinator",
        port,
        DATABASE_URL=mesh.database_url,
        BLOBS_ENDPOINT=mesh.object_store.endpoint,
        BLOBS_BUCKET=object_store.BUCKET,
        BLOBS_ACCESS_KEY=mesh.object_store.access_key,
        BLOBS_SECRET_KEY=mesh.object_store.secret_key,
        MATCHERS=",".join(mesh.matchers),
        OPERATOR_RIGHT_SHA256=grants.digest(mesh.folder.secrets()[0].operator_right).hex(),
        OPEN_CREATION="true",
    )


def _encoder(mesh: Mesh, plan: Plan, coordinator_port: int, port: int) -> services.Service:
    example = mesh.folder.keys / EXAMPLE_KEY
    if not any(mesh.folder.keys.iterdir()):
        folder.write_private(example, secrets.token_urlsafe(32) + "\n")
    coordinator = f"{ports.LOOPBACK}:{coordinator_port}"
    return _service(plan, "encoder", "encoder", port, KEYS=str(mesh.folder.keys), COORDINATOR=coordinator)
