"""The three images, built and run without any power: they link two files, and hold their own distributions alone."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
import pathlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hushlink.coordinator.v1 import project_service_pb2 as project_pb
from hushlink.coordinator.v1 import project_service_pb2_grpc, result_service_pb2_grpc, run_service_pb2_grpc
from hushlink.coordinator.v1 import result_service_pb2 as result_pb
from hushlink.coordinator.v1 import run_service_pb2 as run_pb
from hushlink.encoder.v1 import encoder_service_pb2_grpc
from hushlink_client.dev import folder, object_store, ports, postgres, processes
from hushlink_domain import errors
from hushlink_encoder import schemas
from tests.support import capabilities, containers, encoding, people, repository
from tests.support import mesh as meshes

pytestmark = pytest.mark.timeout(1200)

THRESHOLD = 0.7
_CALL_SECONDS = 60.0
_POWERS = """
import ctypes, json, os
facts = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
try:
    open("/opt/hushlink/written", "w")
except OSError as error:
    written = error.strerror
print(json.dumps({"uid": os.getuid(), "caps": facts["CapEff"], "no_new": facts["NoNewPrivs"], "written": written}))
"""
_DISTRIBUTIONS = """
import importlib.metadata, json
print(json.dumps(sorted(each.name.lower().replace("_", "-") for each in importlib.metadata.distributions())))
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[containers.Engine]:
    capabilities.need(capabilities.CONTAINERS)
    with containers.engine() as podman:
        podman.make_bases()
        yield podman


@pytest.fixture(scope="module")
def images(engine: containers.Engine) -> dict[str, str]:
    return {service: engine.build(service) for service in repository.SERVICES}


@dataclasses.dataclass(frozen=True, slots=True)
class _Mesh:
    """Four containers on this machine's loopback interface."""

    coordinator: str
    encoder: str
    running: dict[str, containers.Container]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(
    engine: containers.Engine, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[_Mesh]:
    addresses = {name: f"{ports.LOOPBACK}:{ports.any_free()}" for name in ("coordinator", "one", "two", "encoder")}
    keys = tmp_path_factory.mktemp("keys")
    os.chown(keys, 65532, 65532)
    _secret_file(keys / encoding.KEY, encoding.SECRET)
    async with contextlib.AsyncExitStack() as stack:
        place = await stack.enter_async_context(folder.passing())
        crew = stack.enter_context(contextlib.closing(processes.Crew(place.logs, (place.parts_lock,), lambda _: None)))
        database = await stack.enter_async_context(postgres.serving(place, crew, None))
        objects = await stack.enter_async_context(object_store.serving(place, crew, None))
        running = {}
        for matcher in ("one", "two"):
            settings = {"HUSHLINK_LISTEN": addresses[matcher], "HUSHLINK_SLOTS": "1"}
            running[matcher] = stack.enter_context(engine.running(images["matcher"], matcher, settings))
        settings = {
            "HUSHLINK_LISTEN": addresses["coordinator"],
            "HUSHLINK_DATABASE_URL": database,
            "HUSHLINK_BLOBS_ENDPOINT": objects.endpoint,
            "HUSHLINK_BLOBS_ACCESS_KEY": objects.access_key,
            "HUSHLINK_BLOBS_SECRET_KEY": objects.secret_key,
            "HUSHLINK_MATCHERS": f"{addresses['one']},{addresses['two']}",
        }
        coordinator = stack.enter_context(engine.running(images["coordinator"], "coordinator", settings))
        settings = {
            "HUSHLINK_LISTEN": addresses["encoder"],
            "HUSHLINK_KEYS": "/keys",
            "HUSHLINK_COORDINATOR": addresses["coordinator"],
        }
        options = ("--volume", f"{keys}:/keys:ro")
        encoder = stack.enter_context(engine.running(images["encoder"], "encoder", settings, *options))
        running |= {"coordinator": coordinator, "encoder": encoder}
        for name, container in running.items():
            _wait_until_serving(addresses[name], container)
        yield _Mesh(addresses["coordinator"], addresses["encoder"], running)


def _secret_file(path: pathlib.Path, secret: bytes) -> None:
    path.write_bytes(secret + b"\n")
    os.chown(path, 65532, 65532)
    path.chmod(0o400)


def _wait_until_serving(address: str, container: containers.Container) -> None:
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=_CALL_SECONDS)
        except grpc.RpcError as error:
            raise AssertionError(f"{container.name} does not serve: {container.logs()}") from error
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def _inside(engine: containers.Engine, image: str, script: str) -> str:
    python = ("--entrypoint", "/opt/hushlink/bin/python")
    return engine.do("run", "--rm", "--network=none", *containers.POWERLESS, *python, image, "-c", script)


@pytest.mark.parametrize("service", repository.SERVICES)
def test_an_image_holds_its_own_distributions_alone(
    engine: containers.Engine, images: dict[str, str], service: str
) -> None:
    held = json.loads(_inside(engine, images[service], _DISTRIBUTIONS))
    ours = {name for name in held if name.startswith("hushlink-")}
    assert ours == {member.name for member in repository.needed_members(f"hushlink-{service}")}
    pinned = (repository.ROOT / "requirements" / f"{service}.txt").read_text()
    assert all(f"{name}==" in pinned for name in set(held) - ours)


@pytest.mark.parametrize("service", repository.SERVICES)
def test_an_image_says_what_it_is_and_wants_no_power(
    engine: containers.Engine, images: dict[str, str], service: str
) -> None:
    (facts,) = json.loads(engine.do("inspect", "--type=image", images[service]))
    assert facts["Config"]["User"] == "65532:65532"
    assert facts["Labels"]["org.opencontainers.image.title"] == f"hushlink-{service}"
    assert facts["Labels"]["org.opencontainers.image.version"] == repository.members()[f"hushlink-{service}"].version
    assert not any("SECRET" in line or "PASSWORD" in line for line in facts["Config"]["Env"])
    powers = json.loads(_inside(engine, images[service], _POWERS))
    assert powers == {"uid": 65532, "caps": "0" * 16, "no_new": "1", "written": "Read-only file system"}


@pytest.mark.parametrize("service", ["coordinator", "encoder"])
def test_what_is_not_set_is_named(engine: containers.Engine, images: dict[str, str], service: str) -> None:
    ended = engine.run("run", "--rm", "--network=none", *containers.POWERLESS, images[service])
    assert ended.status == 2
    missing = {"coordinator": "HUSHLINK_DATABASE_URL", "encoder": "HUSHLINK_KEYS"}[service]
    assert missing in ended.errors


def test_containers_link_two_files(mesh: _Mesh, tmp_path: pathlib.Path) -> None:
    files, out = people.files(tmp_path, 2, rows=300), tmp_path / "groups.csv"
    linked = meshes.hushlink(
        *("link", *map(str, files), *people.agreement(tmp_path), "--threshold", str(THRESHOLD)),
        *("--coordinator", mesh.coordinator, "--out", str(out)),
    )
    assert linked.returncode == 0, linked.stderr + mesh.running["coordinator"].logs()
    found = people.read_groups(out)
    assert found == people.expected_groups(files, THRESHOLD)
    assert set(found) == people.true_groups(files)


def _published(mesh: _Mesh, file: pathlib.Path, project_id: str, right: str) -> int:
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1:]
    header = encoding.header(schemas.document(people.SCHEMA), project=project_id)
    frames = encoding.publish_frames([header, *encoding.batches(rows, 100)])
    with grpc.insecure_channel(mesh.encoder) as channel:
        stub = encoder_service_pb2_grpc.EncoderServiceStub(channel)
        receipt = stub.Publish(iter(frames), metadata=_bearer(right), timeout=_CALL_SECONDS)
    return int(receipt.row_count)


def _bearer(right: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {right}"),)


def test_the_encoders_container_publishes_to_the_coordinators(mesh: _Mesh, tmp_path: pathlib.Path) -> None:
    files = people.files(tmp_path, 2, rows=300)
    with grpc.insecure_channel(mesh.coordinator) as channel:
        created = project_service_pb2_grpc.ProjectServiceStub(channel).CreateProject(
            project_pb.CreateProjectRequest(name="containers", party_names=["one", "two"]), timeout=_CALL_SECONDS
        )
        project_id, owner = created.project.project_id, _bearer(created.owner_right)
        for file, right in zip(files, created.party_rights, strict=True):
            assert _published(mesh, file, project_id, right) == 300
        runs = run_service_pb2_grpc.RunServiceStub(channel)
        request = run_pb.CreateRunRequest(project_id=project_id, threshold=THRESHOLD)
        run_id = runs.CreateRun(request, metadata=owner, timeout=_CALL_SECONDS).run.run_id
        watching = run_pb.WatchRunRequest(project_id=project_id, run_id=run_id)
        *_, last = runs.WatchRun(watching, metadata=owner, timeout=_CALL_SECONDS)
        assert last.run.state == run_pb.RUN_STATE_SUCCEEDED
        reading = result_pb.ReadGroupsRequest(project_id=project_id, run_id=run_id)
        results = result_service_pb2_grpc.ResultServiceStub(channel)
        frames = list(results.ReadGroups(reading, metadata=owner, timeout=_CALL_SECONDS))
    assert sum(len(frame.page.member_counts) for frame in frames) == len(people.true_groups(files))


def test_secrets_that_the_encoders_user_may_not_read_are_no_riddle(
    engine: containers.Engine, images: dict[str, str], tmp_path: pathlib.Path
) -> None:
    address = f"{ports.LOOPBACK}:{ports.any_free()}"
    (tmp_path / encoding.KEY).write_bytes(encoding.SECRET)
    tmp_path.chmod(0o700)
    settings = {"HUSHLINK_LISTEN": address, "HUSHLINK_KEYS": "/keys"}
    with engine.running(images["encoder"], "keyless", settings, "--volume", f"{tmp_path}:/keys:ro") as container:
        _wait_until_serving(address, container)
        with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as refused:
            stub = encoder_service_pb2_grpc.EncoderServiceStub(channel)
            list(stub.Encode(iter(encoding.encode_frames([encoding.header()])), timeout=_CALL_SECONDS))
        assert encoding.refused(refused.value).reason is errors.Reason.KEY_UNKNOWN
        assert "may not enter the folder of secrets" in container.logs()


def test_a_container_that_is_asked_to_stop_ends_well(
    engine: containers.Engine, images: dict[str, str], tmp_path: pathlib.Path
) -> None:
    address = f"{ports.LOOPBACK}:{ports.any_free()}"
    with engine.running(images["matcher"], "third", {"HUSHLINK_LISTEN": address}) as matcher:
        _wait_until_serving(address, matcher)
        assert matcher.stopped() == 0
