"""Projects over the wire: what is refused, who reaches what, and that deleting one leaves nothing."""

from __future__ import annotations

import asyncio
import json
import pathlib
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import grpc
import hypothesis
import pytest
from hypothesis import strategies as st

from hushlink.coordinator.v1 import project_service_pb2 as pb
from hushlink.coordinator.v1 import result_service_pb2, run_service_pb2, upload_service_pb2
from tests.support import encodings, repository, wire
from tests.support import mesh as meshes

SCHEMA = (repository.ROOT / "services/encoder/src/hushlink_encoder/schemas/febrl4.json").read_text()
WEIRD = "Ünïcødé \u202e\u200b👩\u200d👩\u200d👧 \ufffe\U0010ffff '; DROP TABLE projects; --"


def request(**fields: Any) -> pb.CreateProjectRequest:
    return pb.CreateProjectRequest(**{"party_names": ["one", "two"], **fields})


@pytest.mark.parametrize(
    ("fields", "reason", "facts"),
    [
        ({"party_names": []}, "INVALID_REQUEST", {"field": "party_names", "found": "0"}),
        ({"party_names": ["one"]}, "INVALID_REQUEST", {"field": "party_names", "found": "1"}),
        ({"party_names": ["x"] * 33}, "INVALID_REQUEST", {"field": "party_names", "found": "33"}),
        ({"name": "x" * 201}, "INVALID_REQUEST", {"field": "name", "allowed": "200", "found": "201"}),
        ({"name": "a\0b"}, "INVALID_REQUEST", {"field": "name"}),
        ({"notes": "x" * 10_001}, "INVALID_REQUEST", {"field": "notes", "allowed": "10000", "found": "10001"}),
        ({"notes": "\0"}, "INVALID_REQUEST", {"field": "notes"}),
        ({"party_names": ["one", "x" * 201]}, "INVALID_REQUEST", {"field": "party_names", "found": "201"}),
        ({"party_names": ["one", "a\0b"]}, "INVALID_REQUEST", {"field": "party_names"}),
        ({"width_bits": 7}, "INVALID_REQUEST", {"field": "width_bits", "found": "7"}),
        ({"width_bits": 16_392}, "INVALID_REQUEST", {"field": "width_bits", "found": "16392"}),
        ({"width_bits": 4_294_967_288}, "INVALID_REQUEST", {"field": "width_bits", "found": "4294967288"}),
        ({"metric": 77}, "METRIC_UNSUPPORTED", {"metric": "77", "supported": "dice, jaccard, hamming"}),
        ({"metric": -1}, "METRIC_UNSUPPORTED", {"metric": "-1"}),
        ({"result_type": 99}, "RESULT_TYPE_UNSUPPORTED", {"result_type": "99", "supported": "groups"}),
        ({"schema_json": "{"}, "SCHEMA_INVALID", {"faults": "1", "path": "$"}),
        ({"schema_json": "\0"}, "SCHEMA_INVALID", {"path": "$"}),
        ({"schema_json": "[" * 100_000}, "SCHEMA_INVALID", {"path": "$"}),
        ({"schema_json": "9" * 10_000}, "SCHEMA_INVALID", {"path": "$"}),
        ({"schema_json": "NaN"}, "SCHEMA_INVALID", {"path": "$"}),
        ({"schema_json": '"\\ud800"'}, "SCHEMA_INVALID", {"path": "$"}),
        ({"schema_json": '{"version": 4}'}, "SCHEMA_INVALID", {"path": "$.version"}),
        ({"schema_json": SCHEMA, "width_bits": 8}, "WIDTH_MISMATCH", {"expected_bits": "1024", "found_bits": "8"}),
    ],
)
async def test_a_faulty_project_is_refused(
    coordinator: wire.Coordinator, fields: dict[str, Any], reason: str, facts: dict[str, str]
) -> None:
    refusal = await wire.refusal(coordinator.projects.CreateProject(request(**fields), timeout=wire.TIMEOUT_SECONDS))
    code = grpc.StatusCode.FAILED_PRECONDITION if reason == "WIDTH_MISMATCH" else grpc.StatusCode.INVALID_ARGUMENT
    assert (refusal.code, refusal.reason) == (code, reason)
    assert facts.items() <= refusal.facts.items()


@hypothesis.settings(
    max_examples=40, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(texts=st.tuples(*[st.text(max_size=30)] * 5), numbers=st.tuples(*[st.integers(0, 2**32 - 1)] * 2))
async def test_nothing_that_can_be_written_is_unforeseen(
    coordinator: wire.Coordinator, texts: tuple[str, ...], numbers: tuple[int, int]
) -> None:
    """Whatever a field holds, the answer is one of those that the protos name, or the thing that was asked for."""
    project = await coordinator.create()
    own = {"project_id": project.project_id}
    one, other, *more = texts
    made = request(name=one, notes=other, schema_json=more[0], party_names=more, width_bits=numbers[0])
    run = run_service_pb2.CreateRunRequest(**own, threshold=0.5, name=one, notes=other, request_id=more[0])
    runs = run_service_pb2.ListRunsRequest(**own, page_size=numbers[0], page_token=one)
    upload = upload_service_pb2.GetUploadRequest(**own, party=numbers[1])
    for stub, asked in (
        (coordinator.projects.CreateProject, made),
        (coordinator.projects.GetProject, pb.GetProjectRequest(project_id=one)),
        (coordinator.runs.CreateRun, run),
        (coordinator.runs.GetRun, run_service_pb2.GetRunRequest(**own, run_id=one)),
        (coordinator.runs.ListRuns, runs),
        (coordinator.uploads.GetUpload, upload),
    ):
        try:
            await stub(asked, metadata=project.owner, timeout=wire.TIMEOUT_SECONDS)
        except grpc.aio.AioRpcError as error:
            assert wire.refusal_of(error).reason not in {"", "INTERNAL"}


async def test_a_refusal_is_short_however_long_its_cause(coordinator: wire.Coordinator) -> None:
    """It travels in headers, of which a client takes 8 KiB."""
    faulty = {f"ü{n}" * 500: n for n in range(50)}
    for document in (faulty, {"version": 3, "clkConfig": faulty, "features": [faulty] * 5}, {"x" * 1_000_000: 1}):
        made = request(schema_json=json.dumps(document, ensure_ascii=False))
        refusal = await wire.refusal(coordinator.projects.CreateProject(made, timeout=wire.TIMEOUT_SECONDS))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "SCHEMA_INVALID")
        assert refusal.facts.keys() == {"faults", "path", "problem", "remedy"}
        assert len(refusal.details) < 4096


async def test_a_schema_has_a_limit(coordinator: wire.Coordinator) -> None:
    made = request(schema_json=SCHEMA + " " * (1 << 20))
    refusal = await wire.refusal(coordinator.projects.CreateProject(made, timeout=wire.TIMEOUT_SECONDS))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")
    found = str(len(SCHEMA.encode()) + (1 << 20))
    assert refusal.facts == {"limit": "schema_bytes", "allowed": str(1 << 20), "found": found}


async def test_texts_come_back_as_they_were(coordinator: wire.Coordinator) -> None:
    notes = (WEIRD * 1000)[:10_000]
    fields = {"name": WEIRD, "notes": notes, "schema_json": SCHEMA, "party_names": [WEIRD, ""]}
    made = await coordinator.projects.CreateProject(request(**fields), timeout=wire.TIMEOUT_SECONDS)
    shown = await wire.Project(coordinator, made.project.project_id, wire.bearer(made.owner_right), ()).described()
    assert shown == made.project
    assert (shown.name, shown.notes, shown.schema_json) == (WEIRD, notes, SCHEMA)
    assert [party.name for party in shown.parties] == [WEIRD, ""]
    assert shown.width_bits == 1024
    assert len(shown.schema_fingerprint) == 32
    assert (shown.metric, shown.result_type) == (pb.METRIC_DICE, pb.RESULT_TYPE_GROUPS)


async def test_thirty_two_parties_are_many_enough(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create(32)
    assert [party.party for party in (await project.described()).parties] == list(range(32))


# ---- rights -------------------------------------------------------------------

Call = Callable[[wire.Coordinator, str, wire.Metadata], Awaitable[Any]]


def _unary(service: str, method: str, kind: Any, **fields: Any) -> Call:
    def call(coordinator: wire.Coordinator, project_id: str, right: wire.Metadata) -> Awaitable[Any]:
        stub = getattr(getattr(coordinator, service), method)
        answer: Awaitable[Any] = stub(kind(project_id=project_id, **fields), metadata=right, timeout=30)
        return answer

    return call


def _stream(service: str, method: str, kind: Any, **fields: Any) -> Call:
    def call(coordinator: wire.Coordinator, project_id: str, right: wire.Metadata) -> Awaitable[Any]:
        stub = getattr(getattr(coordinator, service), method)
        return wire.collected(stub(kind(project_id=project_id, **fields), metadata=right, timeout=30))

    return call


def _uploading(coordinator: wire.Coordinator, project_id: str, right: wire.Metadata) -> Awaitable[Any]:
    (rows,) = wire.people(1)
    return coordinator.sending(right, wire.upload(project_id, rows))


OWNERS: dict[str, Call] = {
    "CreateRun": _unary("runs", "CreateRun", run_service_pb2.CreateRunRequest, threshold=0.8),
    "CancelRun": _unary("runs", "CancelRun", run_service_pb2.CancelRunRequest, run_id="r"),
    "ReadGroups": _stream("results", "ReadGroups", result_service_pb2.ReadGroupsRequest, run_id="r"),
    "DeleteProject": _unary("projects", "DeleteProject", pb.DeleteProjectRequest),
}
MEMBERS: dict[str, Call] = {
    "GetProject": _unary("projects", "GetProject", pb.GetProjectRequest),
    "GetUpload": _unary("uploads", "GetUpload", upload_service_pb2.GetUploadRequest),
    "GetRun": _unary("runs", "GetRun", run_service_pb2.GetRunRequest, run_id="r"),
    "ListRuns": _unary("runs", "ListRuns", run_service_pb2.ListRunsRequest),
    "WatchRun": _stream("runs", "WatchRun", run_service_pb2.WatchRunRequest, run_id="r"),
}
PARTIES: dict[str, Call] = {"UploadEncodings": _uploading}
EVERYTHING = {**OWNERS, **MEMBERS, **PARTIES}


@pytest.mark.parametrize("method", EVERYTHING)
async def test_whoever_may_not_gets_one_answer(coordinator: wire.Coordinator, method: str) -> None:
    """An unknown project, an unknown right, another project's right, and one that does not reach so far look alike."""
    call = EVERYTHING[method]
    project, other = await coordinator.create(), await coordinator.create()
    too_little = {**dict.fromkeys(OWNERS, project.parties[0]), **dict.fromkeys(PARTIES, project.owner)}
    asked = [
        (f"p{'a' * 26}", project.owner),
        ("", project.owner),
        ("\0", project.owner),
        (wire_weird := "ünknown'; --", project.parties[1]),
        (wire_weird, wire.bearer("hl_" + "A" * 43)),
        (project.project_id, wire.bearer("hl_" + "A" * 43)),
        (project.project_id, wire.bearer("")),
        (project.project_id, other.owner),
        (project.project_id, other.parties[0]),
        (project.project_id, too_little.get(method, other.owner)),
    ]
    async with project.unharmed(), other.unharmed():
        refusals = [await wire.refusal(call(coordinator, project_id, right)) for project_id, right in asked]
        assert {refusal.reason for refusal in refusals} == {"ACCESS_REFUSED"}
        assert {refusal.code for refusal in refusals} == {grpc.StatusCode.PERMISSION_DENIED}
        assert len(set(map(repr, refusals))) == 1, "byte for byte"
        assert refusals[0].facts == {}
        for nothing in (wire.NOBODY, (("authorization", "Basic eA=="),)):
            missing = await wire.refusal(call(coordinator, project.project_id, nothing))
            assert (missing.code, missing.reason) == (grpc.StatusCode.UNAUTHENTICATED, "RIGHT_MISSING")


async def test_a_party_asks_only_for_its_own_upload(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    own = upload_service_pb2.GetUploadRequest(project_id=project.project_id, party=1)
    answer = await coordinator.uploads.GetUpload(own, metadata=project.parties[1], timeout=30)
    assert answer.upload.state == upload_service_pb2.UPLOAD_STATE_AWAITED
    assert answer.upload.party == 1
    refusal = await wire.refusal(coordinator.uploads.GetUpload(own, metadata=project.parties[0], timeout=30))
    assert refusal.reason == "ACCESS_REFUSED"


@pytest.mark.parametrize("party", [2, 2**31 - 1, 2**31, 2**32 - 1])
async def test_there_is_no_such_party(coordinator: wire.Coordinator, party: int) -> None:
    project = await coordinator.create()
    asked = upload_service_pb2.GetUploadRequest(project_id=project.project_id, party=party)
    refusal = await wire.refusal(coordinator.uploads.GetUpload(asked, metadata=project.owner, timeout=30))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert refusal.facts == {"field": "party", "found": str(party)}


@pytest.mark.parametrize("spoken", ["0", "2", "-1", "1.0", "", "one", "9" * 5000])
async def test_an_unknown_protocol_is_refused(coordinator: wire.Coordinator, spoken: str) -> None:
    project = await coordinator.create()
    metadata = (*project.owner, ("hushlink-protocol", spoken))
    asked = pb.GetProjectRequest(project_id=project.project_id)
    refusal = await wire.refusal(coordinator.projects.GetProject(asked, metadata=metadata, timeout=30))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PROTOCOL_MISMATCH")
    assert refusal.facts == {"protocol": spoken[:20], "oldest": "1", "newest": "1"}
    fitting = (*project.owner, ("hushlink-protocol", "1"))
    answer = await coordinator.projects.GetProject(asked, metadata=fitting, timeout=30)
    assert answer.project == await project.described()


async def test_a_deadline_is_kept(coordinator: wire.Coordinator) -> None:
    """A stream that has nothing to tell for a long time ends when its caller said, and so does an upload."""
    project = await coordinator.create()
    run_id = await project.run(0.8)

    async def endless() -> Any:
        yield wire.header(project.project_id, 64)
        await asyncio.Event().wait()

    async with project.unharmed():
        asked = run_service_pb2.WatchRunRequest(project_id=project.project_id, run_id=run_id)
        watching = coordinator.runs.WatchRun(asked, metadata=project.owner, timeout=0.2)
        uploading = coordinator.sending(project.parties[0], endless(), seconds=0.2)
        for call in (wire.collected(watching), uploading):
            assert (await wire.refusal(call)).code is grpc.StatusCode.DEADLINE_EXCEEDED


# ---- lists --------------------------------------------------------------------


async def _listed(coordinator: wire.Coordinator, right: wire.Metadata, **fields: Any) -> pb.ListProjectsResponse:
    answer: pb.ListProjectsResponse = await coordinator.projects.ListProjects(
        pb.ListProjectsRequest(**fields), metadata=right, timeout=30
    )
    return answer


async def test_a_list_shows_only_ones_own(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    await coordinator.create()
    for right in (project.owner, *project.parties):
        answer = await _listed(coordinator, right)
        assert [shown.project_id for shown in answer.projects] == [project.project_id]
        assert not answer.next_page_token
    for right, reason in ((wire.NOBODY, "RIGHT_MISSING"), (wire.bearer("guessed"), "ACCESS_REFUSED")):
        assert (await wire.refusal(_listed(coordinator, right))).reason == reason


@pytest.mark.parametrize(
    "token", ["x", "AAAA", "ä", "\0", "MTIzOmFi*", "LTFlOTk6cA==", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OnA=", "eA" * 10_000]
)
async def test_a_page_token_of_another_hand_is_refused(coordinator: wire.Coordinator, token: str) -> None:
    project = await coordinator.create()
    listed = run_service_pb2.ListRunsRequest(project_id=project.project_id, page_token=token)
    for call in (
        _listed(coordinator, project.owner, page_token=token),
        coordinator.runs.ListRuns(listed, metadata=project.owner, timeout=30),
    ):
        refusal = await wire.refusal(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CURSOR_INVALID")


async def test_a_page_has_a_limit(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    refusal = await wire.refusal(_listed(coordinator, project.owner, page_size=1001))
    assert refusal.reason == "INVALID_REQUEST"
    assert refusal.facts == {"field": "page_size", "allowed": "1000", "found": "1001"}


# ---- deletion -------------------------------------------------------------------


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    await asyncio.to_thread(meshes.eventually, holds)


def objects_of(mesh: meshes.StartedMesh, project: wire.Project) -> list[pathlib.Path]:
    """What the object store keeps of a project."""
    place = mesh.data / "objects" / "hushlink" / "projects" / project.project_id
    return [file for file in place.rglob("*") if file.is_file()]


async def rows_of(mesh: meshes.StartedMesh, project: wire.Project) -> dict[str, int]:
    """How many rows of each table name a project or what is its own."""
    database = await asyncpg.connect(mesh.database_url())
    try:
        tables = await database.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
        )
        counts = {}
        for (table,) in tables:
            found = await database.fetchval(
                f"SELECT count(*) FROM {table} t WHERE to_jsonb(t)::text LIKE '%' || $1 || '%'", project.project_id
            )
            if found:
                counts[table] = found
        return counts
    finally:
        await database.close()


async def test_deletion_leaves_nothing_but_the_audit(coordinator: wire.Coordinator, mesh: meshes.StartedMesh) -> None:
    project, other = await coordinator.create(), await coordinator.create()
    datasets = wire.people(2)
    for each in (project, other):
        await each.upload_all(datasets)
        await each.ended(await each.run(0.8))
    watched = await project.run(0.9)
    await project.ended(watched)
    await eventually(lambda: len(objects_of(mesh, project)) == 4)  # two chunks, two results
    async with other.unharmed(datasets):
        assert await project.delete() == 4
        assert objects_of(mesh, project) == []
        assert set(await rows_of(mesh, project)) == {"audit_entries"}
        for call in EVERYTHING.values():
            for right in (project.owner, *project.parties):
                assert (await wire.refusal(call(coordinator, project.project_id, right))).reason == "ACCESS_REFUSED"


async def test_deletion_reaches_what_is_being_uploaded(coordinator: wire.Coordinator, mesh: meshes.StartedMesh) -> None:
    """A stream that was open when its project went leaves nothing behind, however long it goes on."""
    project = await coordinator.create()
    rows = encodings.encodings(80_000, 64, 1)
    frames: asyncio.Queue[wire.Frame | None] = asyncio.Queue()

    async def fed() -> Any:
        while (frame := await frames.get()) is not None:
            yield frame

    stream = asyncio.ensure_future(project.sending(0, fed()))
    first, *others = wire.upload(project.project_id, rows, (8192,))
    half = others[: len(others) // 2]
    for frame in (first, *half):
        frames.put_nowait(frame)
    await eventually(lambda: objects_of(mesh, project))
    await project.delete()
    for frame in others[len(half) :]:
        frames.put_nowait(frame)
    frames.put_nowait(None)
    refusal = await wire.refusal(stream)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "UPLOAD_SUPERSEDED")
    await eventually(lambda: not objects_of(mesh, project))
    assert set(await rows_of(mesh, project)) == {"audit_entries"}


async def test_deletion_ends_a_run_that_is_on(coordinator: wire.Coordinator, mesh: meshes.StartedMesh) -> None:
    """Several at once, so that whoever finishes a deletion, the caller hears of its end."""

    async def one(seed: int) -> None:
        project = await coordinator.create()
        left, right = encodings.overlapping(30_000, 30_000, 64, seed)
        await project.upload_all([left, right])
        run_id = await project.run(0.7)
        async for run in project.watching(run_id):
            if run.state >= run_service_pb2.RUN_STATE_COMPARING:
                break
        await project.delete()
        assert objects_of(mesh, project) == []
        assert set(await rows_of(mesh, project)) == {"audit_entries"}

    await asyncio.gather(*(one(seed) for seed in range(3)))


async def test_what_was_deleted_is_recorded(coordinator: wire.Coordinator, mesh: meshes.StartedMesh) -> None:
    project = await coordinator.create()
    await project.upload_all(wire.people(2))
    assert await project.delete() == 2
    database = await asyncpg.connect(mesh.database_url())
    try:
        entries = await database.fetch(
            "SELECT actor, action, facts FROM audit_entries WHERE project_id = $1 ORDER BY entry_id", project.project_id
        )
    finally:
        await database.close()
    told = [(entry["actor"], entry["action"]) for entry in entries]
    assert told == [
        ("operator", "create project"),
        ("party 0", "seal"),
        ("party 1", "seal"),
        ("owner", "delete project"),
        ("coordinator", "project deleted"),
    ]
    assert json.loads(entries[-1]["facts"]) == {"deleted_objects": 2}
