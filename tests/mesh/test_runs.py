"""Runs over the wire: what is refused, what waits, what is told while they go on."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import grpc
import pytest

from hushlink.coordinator.v1 import run_service_pb2 as pb
from tests.support import encodings, wire

_Code = grpc.StatusCode


@pytest.mark.parametrize(
    ("fields", "reason", "facts"),
    [
        ({"threshold": 0.0}, "THRESHOLD_OUT_OF_RANGE", {"threshold": "0.0"}),
        ({"threshold": -0.0}, "THRESHOLD_OUT_OF_RANGE", {"threshold": "-0.0"}),
        ({"threshold": -0.8}, "THRESHOLD_OUT_OF_RANGE", {"threshold": "-0.8"}),
        ({"threshold": 1.0000000000000002}, "THRESHOLD_OUT_OF_RANGE", {"threshold": "1.0000000000000002"}),
        ({"threshold": 80.0}, "THRESHOLD_OUT_OF_RANGE", {"threshold": "80.0"}),
        ({"threshold": float("nan")}, "THRESHOLD_OUT_OF_RANGE", {"threshold": "nan"}),
        ({"threshold": float("inf")}, "THRESHOLD_OUT_OF_RANGE", {"threshold": "inf"}),
        ({"threshold": float("-inf")}, "THRESHOLD_OUT_OF_RANGE", {"threshold": "-inf"}),
        ({"name": "x" * 201}, "INVALID_REQUEST", {"field": "name", "allowed": "200", "found": "201"}),
        ({"name": "\0"}, "INVALID_REQUEST", {"field": "name"}),
        ({"notes": "x" * 10_001}, "INVALID_REQUEST", {"field": "notes"}),
        ({"request_id": "x" * 101}, "INVALID_REQUEST", {"field": "request_id"}),
        ({"request_id": "a\0"}, "INVALID_REQUEST", {"field": "request_id"}),
    ],
)
async def test_a_faulty_run_is_refused(
    coordinator: wire.Coordinator, fields: dict[str, Any], reason: str, facts: dict[str, str]
) -> None:
    project = await coordinator.create()
    async with project.unharmed():
        refusal = await wire.refusal(project.run(**{"threshold": 0.8, **fields}))
        assert (refusal.code, refusal.reason) == (_Code.INVALID_ARGUMENT, reason)
        assert facts.items() <= refusal.facts.items()


@pytest.mark.parametrize("run_id", ["", "r" + "a" * 26, "\0", "ü" * 1000, "'; --"])
async def test_an_unknown_run_is_not_found(coordinator: wire.Coordinator, run_id: str) -> None:
    """Nor is one of another project."""
    project, other = await coordinator.create(), await coordinator.create()
    run_id = run_id or await other.run(0.8)
    async with project.unharmed():
        for call in (
            project.run_of(run_id),
            project.ended(run_id),
            project.cancel(run_id),
            project.read(run_id),
        ):
            refusal = await wire.refusal(call)
            assert (refusal.code, refusal.reason) == (_Code.NOT_FOUND, "RUN_NOT_FOUND")
            assert refusal.facts == {"run_id": run_id[:100].replace("\0", "")}


async def test_a_run_waits_for_its_data_and_goes_on_by_itself(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create(3)
    datasets = wire.people(3)
    run_id = await project.run(0.8, name="early", notes="b\u00fccher")
    waiting = await project.run_of(run_id)
    assert waiting.state == pb.RUN_STATE_QUEUED
    assert (waiting.progress.stage, waiting.progress.stage_count) == (0, 5)
    assert not waiting.stages
    watched = asyncio.ensure_future(wire.collected(project.watching(run_id)))
    refusal = await wire.refusal(project.read(run_id))
    assert (refusal.code, refusal.reason) == (_Code.FAILED_PRECONDITION, "RESULT_NOT_READY")
    assert refusal.facts == {"run_id": run_id, "state": "queued"}
    for party, rows in enumerate(datasets):
        assert (await project.run_of(run_id)).state == pb.RUN_STATE_QUEUED
        await project.upload(party, rows)
    first, *_, last = await watched
    assert first == waiting
    assert last.state == pb.RUN_STATE_SUCCEEDED
    assert (last.name, last.notes) == ("early", "b\u00fccher")
    assert await project.groups(run_id) == wire.oracle(datasets, 0.8)


def _numbers(run: pb.Run) -> tuple[int, ...]:
    told = run.progress
    return (
        told.stage,
        told.comparisons_done,
        told.comparisons_total,
        told.tiles_done,
        told.tiles_total,
        told.candidate_pairs,
        told.groups,
    )


async def test_progress_never_goes_back(coordinator: wire.Coordinator) -> None:
    """Several runs at once, so that changes come thick and fast."""
    datasets = encodings.overlapping(20_000, 20_000, 64, seed=2)

    async def one() -> list[pb.Run]:
        project = await coordinator.create()
        run_id = await project.run(0.8)
        told = asyncio.ensure_future(wire.collected(project.watching(run_id)))
        await project.upload_all(datasets)
        return await told

    for told in await asyncio.gather(one(), one(), one()):
        for before, after in itertools.pairwise(told):
            assert before != after, "nothing is told twice"
            assert all(a <= b for a, b in zip(_numbers(before), _numbers(after), strict=True))
            assert before.state <= after.state
            if before.progress.stage == after.progress.stage:
                assert before.progress.stage_fraction <= after.progress.stage_fraction
        for run in told:
            assert 0.0 <= run.progress.stage_fraction <= 1.0
            assert run.progress.comparisons_done <= run.progress.comparisons_total
            assert run.progress.tiles_done <= run.progress.tiles_total
            assert run.progress.stage == len(run.stages)
            if pb.RUN_STATE_PLANNING <= run.state <= pb.RUN_STATE_PUBLISHING:
                assert run.stages[-1].state == run.state
        last = told[-1]
        assert last.state == pb.RUN_STATE_SUCCEEDED
        assert last.progress.comparisons_done == last.progress.comparisons_total == 20_000**2
        assert last.progress.tiles_done == last.progress.tiles_total > 0
        assert last.progress.stage_fraction == 1.0
        assert [stage.state for stage in last.stages] == list(range(pb.RUN_STATE_PLANNING, pb.RUN_STATE_SUCCEEDED))
        times = [stage.ToDatetime() for each in last.stages for stage in (each.start_time, each.end_time)]
        assert times == sorted(times)
        assert last.end_time.ToDatetime() >= times[-1]
        assert not last.HasField("error")


async def test_several_thresholds_on_the_same_uploads(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    datasets = wire.people(2)
    await project.upload_all(datasets)
    thresholds = (1.0, 0.95, 0.9, 0.6, 1e-300)
    runs = await asyncio.gather(*(project.run(threshold) for threshold in thresholds))
    found = await asyncio.gather(*(project.groups(run_id) for run_id in runs))
    assert found == [wire.oracle(datasets, threshold) for threshold in thresholds]
    assert len({len(groups) for groups in found}) > 2


@pytest.mark.parametrize(("metric", "name"), [(1, "dice"), (2, "jaccard"), (3, "hamming")])
async def test_every_metric(coordinator: wire.Coordinator, metric: int, name: str) -> None:
    project = await coordinator.create(metric=metric)
    datasets = wire.people(2)
    await project.upload_all(datasets)
    run_id = await project.run(0.8)
    assert await project.groups(run_id) == wire.oracle(datasets, 0.8, name)
    assert (await project.run_of(run_id)).metric == metric


async def test_the_same_request_gives_the_same_run(coordinator: wire.Coordinator) -> None:
    project, other = await coordinator.create(), await coordinator.create()
    asked = [project.run(0.8, request_id="once"), project.run(0.8, request_id="once")]
    first, again = await asyncio.gather(*asked)
    assert first == again == await project.run(0.5, request_id="once")
    assert (await project.run_of(first)).threshold == 0.8
    assert await project.run(0.8, request_id="twice") != first
    assert await other.run(0.8, request_id="once") != first
    assert await project.run(0.8) != await project.run(0.8)


async def _pages(project: wire.Project, page_size: int) -> list[list[str]]:
    pages, token = [], ""
    while True:
        asked = pb.ListRunsRequest(project_id=project.project_id, page_size=page_size, page_token=token)
        answer = await project.at.runs.ListRuns(asked, metadata=project.parties[0], timeout=wire.TIMEOUT_SECONDS)
        pages.append([run.run_id for run in answer.runs])
        token = answer.next_page_token
        if not token:
            return pages


async def test_runs_are_listed_newest_first(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    assert await _pages(project, 3) == [[]]
    newest_first = [await project.run(0.8) for _ in range(7)][::-1]
    for page_size in (1, 3, 6, 7, 8, 0):
        pages = await _pages(project, page_size)
        assert [run for page in pages for run in page] == newest_first
        assert all(len(page) == page_size for page in pages[:-1])
        assert 0 < len(pages[-1]) <= (page_size or 7)


async def test_a_page_of_long_notes_fits_a_message(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    runs = [await project.run(0.8, notes="\U0001f5dd" * 10_000, request_id=f"{n}") for n in range(120)]
    pages = await _pages(project, 1000)
    assert [run for page in pages for run in page] == runs[::-1]
    assert len(pages) > 1


async def test_a_waiting_run_is_cancelled_at_once(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    run_id = await project.run(0.8)
    watched = asyncio.ensure_future(project.ended(run_id))
    answer = await project.cancel(run_id)
    assert answer.run.state == pb.RUN_STATE_CANCELLED
    assert answer.run.HasField("end_time")
    assert await watched == answer.run
    refusal = await wire.refusal(project.read(run_id))
    assert (refusal.code, refusal.reason) == (_Code.FAILED_PRECONDITION, "RUN_FAILED")
    assert refusal.facts == {"run_id": run_id, "state": "cancelled"}
    async with project.unharmed():
        refusal = await wire.refusal(project.cancel(run_id))
        assert (refusal.code, refusal.reason) == (_Code.FAILED_PRECONDITION, "RUN_ENDED")
        assert refusal.facts == {"run_id": run_id, "state": "cancelled"}
    assert (await project.run_of(run_id)) == answer.run, "a cancelled run stays so when the data come"


async def test_a_run_that_succeeded_can_not_be_cancelled(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    datasets = wire.people(2)
    await project.upload_all(datasets)
    run_id = await project.run(0.8)
    last = await project.ended(run_id)
    async with project.unharmed(datasets):
        refusal = await wire.refusal(project.cancel(run_id))
        assert refusal.reason == "RUN_ENDED"
        assert refusal.facts == {"run_id": run_id, "state": "succeeded"}
    assert await project.run_of(run_id) == last
    assert await project.groups(run_id) == wire.oracle(datasets, 0.8)


async def test_a_party_follows_a_run(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    await project.upload_all(wire.people(2))
    run_id = await project.run(0.8)
    for party in project.parties:
        asked = pb.WatchRunRequest(project_id=project.project_id, run_id=run_id)
        *_, last = await wire.collected(coordinator.runs.WatchRun(asked, metadata=party, timeout=30))
        assert last.run.state == pb.RUN_STATE_SUCCEEDED
        assert last.run == await project.run_of(run_id)
