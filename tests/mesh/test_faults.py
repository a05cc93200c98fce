"""Anything may be killed, hang or be cut off at any moment: the run ends with the same result, and nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import pathlib
from collections.abc import AsyncIterator

import grpc
import numpy
import pytest
import pytest_asyncio

from hushlink.coordinator.v1 import run_service_pb2 as pb
from hushlink.coordinator.v1 import upload_service_pb2
from hushlink_client.dev import ports
from tests.support import breakable_mesh, breaking_wire, encodings, waiting, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

WIDE = 2048
"""Bytes of a row: the widest, so that chunks have few rows and there are many tiles."""
CHUNK_ROWS = 1024
CHUNKS = (3, 2)
TILES = 6
THRESHOLD = 0.75


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stores() -> AsyncIterator[breakable_mesh.Stores]:
    async with breakable_mesh.stores() as kept:
        yield kept


@pytest_asyncio.fixture(loop_scope="module")
async def mesh(stores: breakable_mesh.Stores) -> AsyncIterator[breakable_mesh.BreakableMesh]:
    async with breakable_mesh.breakable(stores) as broken:
        yield broken


@functools.cache
def datasets() -> tuple[wire.Rows, wire.Rows]:
    left, right = (CHUNK_ROWS * chunks for chunks in CHUNKS)
    return encodings.overlapping(left, right - 100, WIDE, seed=1)


@functools.cache
def expected() -> wire.Groups:
    groups = wire.oracle(datasets(), THRESHOLD)
    assert len(groups) > 900
    return groups


@contextlib.asynccontextmanager
async def uploaded(coordinator: breakable_mesh.Coordinator) -> AsyncIterator[wire.Project]:
    """A project whose parties have sealed their datasets."""
    async with wire.connected(coordinator.address) as reached:
        project = await reached.create()
        await project.upload_all(datasets())
        yield project


@contextlib.asynccontextmanager
async def at(coordinator: breakable_mesh.Coordinator, project: wire.Project) -> AsyncIterator[wire.Project]:
    """The same project, reached by another coordinator."""
    async with wire.connected(coordinator.address) as reached:
        yield project.reached(reached)


async def mid_comparing(project: wire.Project, run_id: str) -> pb.Run:
    """Wait until some tiles are compared; fail if all are."""
    async with contextlib.aclosing(project.watching(run_id)) as changes:
        async for run in changes:
            if run.progress.tiles_done:
                assert run.progress.tiles_done < run.progress.tiles_total == TILES
                return run
    raise AssertionError("no tile was compared")


async def tidied(mesh: breakable_mesh.BreakableMesh, project: wire.Project) -> None:
    """Wait until nothing but chunks and results is left of a project; delete it, and look that nothing is."""
    place = mesh.stores.objects / project.project_id

    def pairs() -> list[pathlib.Path]:
        return [file for file in place.rglob("*") if file.is_file() and file.parent.name == "pairs"]

    await waiting.eventually("the pairs are deleted", lambda: not pairs())
    await project.delete()
    assert not [file for file in place.rglob("*") if file.is_file()]


async def test_a_matcher_dies(mesh: breakable_mesh.BreakableMesh) -> None:
    doomed = await mesh.matcher()
    await mesh.matcher()
    coordinator = await mesh.coordinator()
    async with uploaded(coordinator) as project:
        run_id = await project.run(THRESHOLD)
        await mid_comparing(project, run_id)
        doomed.kill()
        assert await project.groups(run_id) == expected()
        await tidied(mesh, project)


async def test_a_matcher_comes_late(mesh: breakable_mesh.BreakableMesh) -> None:
    port = ports.any_free()
    coordinator = await mesh.coordinator(matchers=f"127.0.0.1:{port}")
    async with uploaded(coordinator) as project:
        run_id = await project.run(THRESHOLD)
        await coordinator.says("no matcher is connected: runs wait")
        waiting_run = await project.run_of(run_id)
        assert (waiting_run.state, waiting_run.progress.tiles_done) == (pb.RUN_STATE_COMPARING, 0)
        await mesh.matcher(port)
        assert await project.groups(run_id) == expected()
        await tidied(mesh, project)


async def test_a_coordinator_dies_while_comparing(mesh: breakable_mesh.BreakableMesh) -> None:
    """Another goes on, and compares no tile again that was recorded."""
    await mesh.matcher()
    doomed = await mesh.coordinator()
    async with uploaded(doomed) as project:
        run_id = await project.run(THRESHOLD)
        await mid_comparing(project, run_id)
        doomed.process.kill()
    ((recorded,),) = await mesh.stores.query(
        "SELECT count(*) FROM tiles WHERE run_id = $1 AND run_pairs IS NOT NULL", run_id
    )
    assert 0 < recorded < TILES
    heir = await mesh.coordinator()
    async with at(heir, project) as project:
        assert await project.groups(run_id) == expected()
        assert (await heir.says("compared"))["tiles"] == TILES - recorded
        last = await project.run_of(run_id)
        assert last.progress.comparisons_done == last.progress.comparisons_total
        await tidied(mesh, project)


async def test_a_coordinator_that_stops_in_good_order_lets_go_at_once(mesh: breakable_mesh.BreakableMesh) -> None:
    """Its lease alone would keep others away for an hour."""
    await mesh.matcher()
    leaving, staying = await mesh.coordinator(lease_seconds=3600), await mesh.coordinator(runs_at_once=0)
    async with uploaded(leaving) as project:
        run_id = await project.run(THRESHOLD)
        await mid_comparing(project, run_id)
        assert await leaving.process.terminated() == 0
    heir = await mesh.coordinator()
    async with at(staying, project) as project:
        assert await project.groups(run_id) == expected()
        assert heir.said("run succeeded")
        await tidied(mesh, project)


async def test_a_coordinator_dies_while_merging(mesh: breakable_mesh.BreakableMesh) -> None:
    """Another goes on, and makes no pass again that was recorded."""
    await mesh.matcher(slow=False)
    doomed = await mesh.coordinator(merge_fan_in=2)
    rows = encodings.encodings(6 * CHUNK_ROWS, WIDE, seed=1)
    order = numpy.random.default_rng(1).permutation(len(rows))  # so that every tile has pairs
    async with wire.connected(doomed.address) as reached:
        project = await reached.create()
        await project.upload_all([rows, rows[order]])
        run_id = await project.run(1.0)
        async with contextlib.aclosing(project.watching(run_id)) as changes:
            async for run in changes:
                if run.state == pb.RUN_STATE_MERGING and run.progress.stage_fraction:
                    break
        doomed.process.kill()
    ((recorded,),) = await mesh.stores.query("SELECT count(*) FROM merged_runs WHERE run_id = $1", run_id)
    assert recorded > 0
    heir = await mesh.coordinator(merge_fan_in=2)
    async with at(heir, project) as project:
        assert await project.groups(run_id) == [((0, row), (1, place)) for row, place in enumerate(order.argsort())]
        assert not heir.said("compared")
        ((passes,),) = await mesh.stores.query("SELECT count(*) FROM merged_runs WHERE run_id = $1", run_id)
        assert heir.said("merged")[0]["passes"] == passes - recorded > 0
        await tidied(mesh, project)


async def test_a_coordinator_dies_while_publishing(mesh: breakable_mesh.BreakableMesh) -> None:
    """The groups are in the object store, and no row says so."""
    await mesh.matcher(slow=False)
    doomed = await mesh.coordinator()
    async with uploaded(doomed) as project, mesh.stores.locked("results"):
        run_id = await project.run(THRESHOLD)
        place = mesh.stores.objects / project.project_id / "runs" / run_id / "groups"
        await waiting.eventually("the groups are written", place.exists)
        assert (await project.run_of(run_id)).state == pb.RUN_STATE_PUBLISHING
        doomed.process.kill()
    heir = await mesh.coordinator()
    async with at(heir, project) as project:
        assert await project.groups(run_id) == expected()
        assert not heir.said("compared")
        await tidied(mesh, project)


async def test_a_coordinator_hangs_and_comes_back(mesh: breakable_mesh.BreakableMesh) -> None:
    """What it still believes is its own is refused; there is one result."""
    await mesh.matcher()
    hung = await mesh.coordinator()
    async with uploaded(hung) as project:
        run_id = await project.run(THRESHOLD)
        await mid_comparing(project, run_id)
        hung.process.pause()
        heir = await mesh.coordinator()
        async with at(heir, project) as reached:
            assert await reached.groups(run_id) == expected()
            frames = await reached.read(run_id)
            hung.process.resume()
            await hung.says("lease lost")
            assert await reached.read(run_id) == frames == await project.read(run_id)
        ended = await mesh.stores.query(
            "SELECT action FROM audit_entries WHERE subject = $1 AND action LIKE 'run %'", run_id
        )
        assert [action for (action,) in ended] == ["run succeeded"]
        await tidied(mesh, project)


async def test_a_coordinator_that_hangs_leaves_nothing_of_a_deleted_project(mesh: breakable_mesh.BreakableMesh) -> None:
    await mesh.matcher()
    hung = await mesh.coordinator()
    async with uploaded(hung) as project:
        run_id = await project.run(THRESHOLD)
        await mid_comparing(project, run_id)
        hung.process.pause()
        heir = await mesh.coordinator(runs_at_once=0)
        async with at(heir, project) as reached:
            await reached.delete()
        hung.process.resume()
        await hung.says("lease lost")
    place = mesh.stores.objects / project.project_id
    await waiting.eventually("nothing is left", lambda: not [file for file in place.rglob("*") if file.is_file()])


@pytest.mark.parametrize("store", ["object-store", "postgres"])
async def test_a_store_is_down_for_a_while(mesh: breakable_mesh.BreakableMesh, store: str) -> None:
    """The run rests, callers are told to try again, and all goes on when it is back."""
    await mesh.matcher()
    coordinator = await mesh.coordinator()
    restart, reason = {
        "object-store": (mesh.stores.start_object_store, "BLOBS_UNAVAILABLE"),
        "postgres": (mesh.stores.start_postgres, "STORE_UNAVAILABLE"),
    }[store]
    async with uploaded(coordinator) as project:
        run_id = await project.run(THRESHOLD)
        await mid_comparing(project, run_id)
        await mesh.stores.stop(store, kill=store == "object-store")
        other = await project.at.create() if store == "object-store" else project
        rows = encodings.encodings(2 * CHUNK_ROWS, WIDE, 1)
        refusal = await wire.refusal(other.sending(0, wire.upload(other.project_id, rows, (100,))))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, reason)
        await coordinator.says("run rests: something it needs is out of reach")
        await restart()
        await waiting_for_store(project)
        if store == "object-store":
            assert (await other.upload(0, rows, 100)).committed_rows == len(rows)
            await other.delete()
        assert await project.groups(run_id) == expected()
        await tidied(mesh, project)


async def waiting_for_store(project: wire.Project) -> None:
    """Wait until the coordinator has found Postgres again."""
    async with asyncio.timeout(wire.TIMEOUT_SECONDS):
        while True:
            try:
                await project.described()
            except grpc.aio.AioRpcError as error:
                assert wire.refusal_of(error).reason == "STORE_UNAVAILABLE"
            else:
                return


async def test_a_deletion_that_was_cut_is_finished(mesh: breakable_mesh.BreakableMesh) -> None:
    """From its beginning on nobody reaches the project; what was kept goes when the object store is back."""
    coordinator = await mesh.coordinator(unary_timeout_seconds=2)
    async with uploaded(coordinator) as project:
        place = mesh.stores.objects / project.project_id
        await mesh.stores.stop("object-store", kill=True)
        refusal = await wire.refusal(project.delete())
        assert refusal.reason in ("BLOBS_UNAVAILABLE", "LIMIT_EXCEEDED"), "whichever is sooner"
        assert (await wire.refusal(project.described())).reason == "ACCESS_REFUSED"
        assert [file for file in place.rglob("*") if file.is_file()]
        await mesh.stores.start_object_store()
        await waiting.eventually("all is gone", lambda: not [file for file in place.rglob("*") if file.is_file()])


async def test_silence_has_limits(mesh: breakable_mesh.BreakableMesh) -> None:
    """That of a client in the middle of its stream, and the coordinator's own when its database hangs."""
    coordinator = await mesh.coordinator(idle_timeout_seconds=0.5, unary_timeout_seconds=0.5)
    async with wire.connected(coordinator.address) as reached:
        project = await reached.create()
        (rows,) = wire.people(1)
        async with wire.Stream(project) as stream:
            stream.send(*wire.upload(project.project_id, rows)[:-1])
            refusal = await wire.refusal(stream.call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")
        assert refusal.facts == {"limit": "idle_timeout_seconds", "allowed": "0.5"}
        async with mesh.stores.locked("projects"):
            refusal = await wire.refusal(project.described())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")
        assert refusal.facts == {"limit": "unary_timeout_seconds", "allowed": "0.5"}
        assert (await project.upload(0, rows)).committed_rows == len(rows)
        await project.delete()


async def test_the_wire_breaks_while_uploading(mesh: breakable_mesh.BreakableMesh) -> None:
    await mesh.matcher()
    coordinator = await mesh.coordinator()
    rows, others = datasets()
    async with (
        breaking_wire.breaking(coordinator.address) as wired,
        wire.connected(wired.address) as reached,
    ):
        project = await reached.create()
        async with wire.Stream(project) as stream:
            stream.send(*wire.upload(project.project_id, rows, (100,))[:-1])
            await stream.committed(CHUNK_ROWS)
            wired.cut()
            refusal = await wire.refusal(stream.call)
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "")
    # A new channel: a call right after the cut could still be put on the connection that is just dying.
    async with at(coordinator, project) as project:
        kept = await project.upload_of(0)
        assert kept.state == upload_service_pb2.UPLOAD_STATE_OPEN
        assert kept.committed_rows >= CHUNK_ROWS
        receipt = await project.upload(0, rows, 100, first_row=kept.committed_rows)
        assert receipt.upload_id == kept.upload_id
        assert receipt.digest.hash == hashlib.sha256(rows.tobytes()).digest()
        await project.upload(1, others)
        assert await project.groups(await project.run(THRESHOLD)) == expected()
        await tidied(mesh, project)


async def test_a_coordinator_stops_while_it_takes_an_upload(mesh: breakable_mesh.BreakableMesh) -> None:
    """The upload goes on at another."""
    leaving, staying = await mesh.coordinator(runs_at_once=0), await mesh.coordinator(runs_at_once=0)
    rows, _ = datasets()
    async with wire.connected(leaving.address) as reached:
        project = await reached.create()
        async with wire.Stream(project) as stream:
            stream.send(*wire.upload(project.project_id, rows, (100,))[:-1])
            await stream.committed(2 * CHUNK_ROWS)
            assert await leaving.process.terminated() == 0
            assert (await wire.refusal(stream.call)).code is grpc.StatusCode.UNAVAILABLE
    async with at(staying, project) as project:
        kept = await project.upload_of(0)
        assert kept.committed_rows >= 2 * CHUNK_ROWS
        receipt = await project.upload(0, rows, first_row=kept.committed_rows)
        assert receipt.digest.hash == hashlib.sha256(rows.tobytes()).digest()
        await project.delete()


async def test_a_run_whose_matchers_hang_can_be_cancelled(mesh: breakable_mesh.BreakableMesh) -> None:
    hung = await mesh.matcher()
    coordinator = await mesh.coordinator()
    async with uploaded(coordinator) as project:
        run_id = await project.run(THRESHOLD)
        await mid_comparing(project, run_id)
        hung.pause()
        await project.cancel(run_id)
        last = await project.ended(run_id)
        assert last.state == pb.RUN_STATE_CANCELLED
        assert last.HasField("end_time")
        assert all(stage.HasField("end_time") for stage in last.stages)
        hung.resume()
        assert await project.groups(await project.run(THRESHOLD)) == expected()
        assert (await project.run_of(run_id)) == last
        await tidied(mesh, project)


async def test_a_run_whose_coordinator_died_can_be_cancelled(mesh: breakable_mesh.BreakableMesh) -> None:
    await mesh.matcher()
    doomed = await mesh.coordinator()
    async with uploaded(doomed) as project:
        run_id = await project.run(THRESHOLD)
        await mid_comparing(project, run_id)
        doomed.process.kill()
    heir = await mesh.coordinator(runs_at_once=0)
    async with at(heir, project) as project:
        answer = await project.cancel(run_id)
        assert answer.run.state == pb.RUN_STATE_CANCELLED, "its lease has run out meanwhile"
        assert all(stage.HasField("end_time") for stage in answer.run.stages)
        await tidied(mesh, project)


async def test_a_run_whose_data_were_lost_fails(mesh: breakable_mesh.BreakableMesh) -> None:
    """It does not rest for ever, and says why."""
    await mesh.matcher()
    coordinator = await mesh.coordinator(run_attempts=1)
    async with uploaded(coordinator) as project:
        lost = await mesh.stores.lose(project.project_id)
        run_id = await project.run(THRESHOLD)
        last = await project.ended(run_id)
        assert (last.state, last.error.reason) == (pb.RUN_STATE_FAILED, "INTERNAL")
        assert lost in last.error.message
        refusal = await wire.refusal(project.read(run_id))
        assert refusal.reason == "RUN_FAILED"
        assert refusal.facts["state"] == "failed"
        await tidied(mesh, project)
