"""Results over the wire: equal to the kernel's own, page by page, and from any page on."""

from __future__ import annotations

import base64

import grpc
import numpy
import pytest

from hushlink.coordinator.v1 import result_service_pb2 as pb
from tests.support import encodings, wire

_Code = grpc.StatusCode


def _rows(*texts: str) -> wire.Rows:
    """Rows of 16 bits, written out."""
    return numpy.packbits([[int(bit) for bit in text] for text in texts], axis=1)


@pytest.mark.parametrize(
    ("parties", "thresholds"), [(2, (0.9, 0.75)), (3, (0.9, 0.75)), (5, (0.9, 0.75)), (32, (0.9,))]
)
async def test_groups_are_the_oracles(
    coordinator: wire.Coordinator, parties: int, thresholds: tuple[float, ...]
) -> None:
    """Also where scores tie, which rows of few bits do all the time."""
    project = await coordinator.create(parties)
    datasets = wire.people(parties, width_bytes=4, rows=60 if parties < 32 else 40)
    await project.upload_all(datasets)
    for threshold in thresholds:
        groups = await project.groups(await project.run(threshold))
        assert groups == wire.oracle(datasets, threshold)
        assert any(len(group) > 2 for group in groups) == (parties > 2)


@pytest.mark.parametrize(
    ("left", "right", "groups"),
    [
        (["1" * 16], ["1" * 16], [((0, 0), (1, 0))]),
        (["1" * 16], ["1" + "0" * 15], []),
        (["0" * 16], ["0" * 16], []),
        (["1" * 8 + "0" * 8] * 3, ["1" * 8 + "0" * 8] * 2, [((0, 0), (1, 0)), ((0, 1), (1, 1))]),
    ],
)
async def test_small_datasets(
    coordinator: wire.Coordinator, left: list[str], right: list[str], groups: wire.Groups
) -> None:
    project = await coordinator.create()
    await project.upload_all([_rows(*left), _rows(*right)])
    run_id = await project.run(1.0)
    assert await project.groups(run_id) == groups
    header, *pages = await project.read(run_id)
    assert header.header == pb.GroupsHeader(
        group_count=len(groups),
        member_count=2 * len(groups),
        candidate_pairs=len(left) * len(right) if groups else 0,
        dataset_rows=[len(left), len(right)],
    )
    assert len(pages) == bool(groups), "no page without a group"


@pytest.fixture(scope="module")
def many() -> list[wire.Rows]:
    """Two datasets of several chunks, whose groups take several pages."""
    generator = numpy.random.default_rng(5)
    left = encodings.encodings(40_000, 128, seed=1)
    right = encodings.encodings(38_000, 128, seed=2)
    right[:36_000] = left[generator.permutation(len(left))[:36_000]]
    return [left, right]


async def test_many_chunks_many_pages(coordinator: wire.Coordinator, many: list[wire.Rows]) -> None:
    project = await coordinator.create()
    for party, rows in enumerate(many):
        await project.upload(party, rows, 8_000)
    run_id = await project.run(1.0)
    groups = await project.groups(run_id)
    assert groups == wire.oracle(many, 1.0)
    header, *frames = await project.read(run_id)
    pages = [frame.page for frame in frames]
    assert len(pages) > 2
    assert header.header.group_count == len(groups) >= 36_000
    assert header.header.member_count == 2 * len(groups)
    assert list(header.header.dataset_rows) == [len(rows) for rows in many]
    read = 0
    for page in pages:
        assert page.first_group == read
        read += len(page.member_counts)
    await _reads_in_parts(project, run_id, pages)
    await _refuses_other_cursors(project, run_id, pages)


async def _reads_in_parts(project: wire.Project, run_id: str, pages: list[pb.GroupPage]) -> None:
    for size in (1, 2, len(pages) + 1):
        found: list[pb.GroupPage] = []
        while True:
            cursor = found[-1].cursor if found else ""
            header, *part = await project.read(run_id, after_cursor=cursor, max_pages=size)
            assert header.HasField("header")
            found += [frame.page for frame in part]
            if len(part) < size:
                break
        assert found == pages
    assert [frame.page for frame in (await project.read(run_id, after_cursor=pages[0].cursor))[1:]] == pages[1:]


async def _refuses_other_cursors(project: wire.Project, run_id: str, pages: list[pb.GroupPage]) -> None:
    other = await project.run(0.999)
    await project.ended(other)
    own = base64.urlsafe_b64decode(pages[0].cursor)
    forged = [own[:-1] + text for text in (b"-1", b"99", b"x", b"", b"1" * 5000, b"\xff", b"1:2")]
    for cursor in ("x", "ä", "\0", "AAAA", *(base64.urlsafe_b64encode(each).decode() for each in forged)):
        refusal = await wire.refusal(project.read(run_id, after_cursor=cursor))
        assert (refusal.code, refusal.reason) == (_Code.INVALID_ARGUMENT, "CURSOR_INVALID"), cursor
    refusal = await wire.refusal(project.read(other, after_cursor=pages[0].cursor))
    assert refusal.reason == "CURSOR_INVALID"


async def test_a_reader_may_leave(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    datasets = wire.people(2)
    await project.upload_all(datasets)
    run_id = await project.run(0.8)
    await project.ended(run_id)
    asked = pb.ReadGroupsRequest(project_id=project.project_id, run_id=run_id)
    stream = coordinator.results.ReadGroups(asked, metadata=project.owner, timeout=wire.TIMEOUT_SECONDS)
    assert (await stream.read()).HasField("header")
    stream.cancel()
    async with project.unharmed(datasets):
        pass
