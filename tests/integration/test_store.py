"""The coordinator's door to Postgres: migrations, agreements, sessions, leases and fences, on several servers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from hushlink_coordinator.store import changes, connection, projects, runs, tiles, uploads
from hushlink_domain import chunks, digests, errors, grants, groups, metrics, states
from hushlink_domain import projects as domain_projects
from hushlink_domain import runs as domain_runs
from hushlink_domain import tiles as domain_tiles
from hushlink_domain import uploads as domain_uploads
from tests.support import postgres

_AGREED = domain_projects.Agreement(b"f" * 32, 1024, b"k" * 16)
_WIDTH_BYTES = _AGREED.width_bits // 8
_COMPARING = domain_tiles.Comparing(_WIDTH_BYTES, metrics.Metric.DICE, 0.9, 1000)
_LONG_SECONDS = 600.0


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=postgres.VERSIONS)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    async with postgres.serving(request.param) as url:
        yield url


@pytest_asyncio.fixture
async def url(server: str) -> AsyncIterator[str]:
    async with postgres.fresh_database(server) as database:
        yield database


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[connection.Database]:
    async with connection.connected(url, most_connections=8) as connected:
        yield connected


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _chunk(first_row: int, rows: int) -> chunks.ChunkRef:
    return chunks.ChunkRef(digests.Digest(_hash(f"{first_row}+{rows}"), rows * _WIDTH_BYTES), first_row, rows)


async def _project(database: connection.Database, name: str = "p1") -> domain_projects.Project:
    nothing = domain_projects.Agreement(b"", 0, b"")
    parties = tuple(domain_projects.Party(number, f"party {number}", False, 0) for number in range(2))
    project = domain_projects.Project(
        *(name, f"project {name}", "notes", "", nothing, metrics.Metric.DICE, domain_projects.ResultType.GROUPS),
        *(parties, None),  # type: ignore[arg-type]  # the store sets the create time
    )
    rights = [_hash(f"{name} party {number}") for number in range(2)]
    return await projects.ProjectStore(database).create(project, _hash(f"{name} owner"), rights)


async def _begun(
    database: connection.Database, party: int, first_row: int = 0, offered: domain_projects.Agreement = _AGREED
) -> domain_uploads.Upload:
    return await uploads.UploadStore(database).begin(
        *(f"upload {party} of {id(offered)}", "p1", party),
        offered=offered,
        encoder_version="0",
        rows_per_chunk=256,
        first_row=first_row,
    )


async def _sealed(database: connection.Database, party: int, rows: int = 300) -> domain_uploads.Upload:
    store, upload = uploads.UploadStore(database), await _begun(database, party)
    await store.advance(upload, _chunk(0, 256))
    return await store.seal(upload, _chunk(256, rows - 256), rows, digests.Digest(_hash("all"), rows * _WIDTH_BYTES))


async def _run(database: connection.Database, name: str = "r1", request: str | None = None) -> domain_runs.Run:
    return await runs.RunStore(database).create(name, "p1", "name", "notes", 0.9, request)


async def _claimed(
    database: connection.Database, holder: str = "a", seconds: float = _LONG_SECONDS
) -> domain_runs.Lease:
    lease = await runs.RunStore(database).claim(holder, seconds)
    assert lease is not None
    return lease


async def test_migrations_are_applied_once_however_many_replicas_start(url: str):
    async with contextlib.AsyncExitStack() as stack:
        started = (stack.enter_async_context(connection.connected(url, most_connections=2)) for _ in range(5))
        first, *_ = await asyncio.gather(*started)
        async with first.connection() as database:
            rows = await database.fetch("SELECT name FROM migrations ORDER BY name")
    assert [row["name"] for row in rows] == sorted(file.name for file in connection.MIGRATIONS.glob("*.sql"))


async def test_a_project_is_found_with_its_parties_and_rights(database: connection.Database):
    created, store = await _project(database), projects.ProjectStore(database)
    assert await store.find("p1") == created
    assert [party.name for party in created.parties] == ["party 0", "party 1"]
    assert await store.grant(_hash("p1 owner")) == grants.Grant(grants.Role.OWNER, "p1", None)
    assert await store.grant(_hash("p1 party 1")) == grants.Grant(grants.Role.PARTY, "p1", 1)
    assert await store.grant(_hash("somebody")) is None
    assert await store.find("p2") is None


async def test_projects_are_listed_newest_first_page_by_page(database: connection.Database):
    made = [await _project(database, f"p{number}") for number in range(5)]
    store, seen, place = projects.ProjectStore(database), [], None
    while page := await store.page(2, before=place):
        seen += page
        place = (page[-1].create_time, page[-1].project_id)
    assert seen == made[::-1]


async def test_a_deleted_project_is_gone_for_everybody_at_once(database: connection.Database):
    await _project(database)
    await _run(database)
    store = projects.ProjectStore(database)
    await store.begin_deletion("p1")
    assert await store.find("p1") is None
    assert await store.grant(_hash("p1 owner")) is None
    assert await store.deletions(_LONG_SECONDS) == []
    assert await store.deletions(0.0) == ["p1"]
    await store.finish_deletion("p1", deleted_objects=3)
    assert await store.deletions(0.0) == []
    async with database.connection() as plain:
        assert await plain.fetchval("SELECT count(*) FROM rights") == 0
        assert await plain.fetchval("SELECT count(*) FROM runs") == 0
        entries = await plain.fetch("SELECT action FROM audit_entries ORDER BY entry_id")
    assert [row["action"] for row in entries][-1] == "project deleted"


async def test_an_upload_is_sealed_once_with_its_chunks_in_order(database: connection.Database):
    await _project(database)
    sealed, store = await _sealed(database, 0), uploads.UploadStore(database)
    assert sealed.state is states.UploadState.SEALED
    assert await store.find("p1", 0) == sealed
    assert await store.datasets("p1") == {0: (_chunk(0, 256), _chunk(256, 44))}
    with pytest.raises(errors.StateError) as refused:
        await _begun(database, 0)
    assert refused.value.reason is errors.Reason.DATASET_SEALED


async def test_an_older_stream_can_not_write_any_more(database: connection.Database):
    await _project(database)
    store, first = uploads.UploadStore(database), await _begun(database, 0)
    await store.advance(first, _chunk(0, 256))
    second = await _begun(database, 0, first_row=256)
    for stale in (store.advance(first, _chunk(256, 256)), store.seal(first, None, 256, digests.Digest(b"d" * 32, 1))):
        with pytest.raises(errors.StateError) as refused:
            await stale
        assert refused.value.reason is errors.Reason.UPLOAD_SUPERSEDED
    await store.advance(second, _chunk(256, 256))
    for elsewhere in (255, 511, 513, 2**63):
        with pytest.raises(errors.CallerError) as misplaced:
            await _begun(database, 0, first_row=elsewhere)
        assert misplaced.value.reason is errors.Reason.CHUNK_OFFSET
        assert misplaced.value.facts["expected_row"] == "512"


async def test_an_upload_goes_on_where_a_chunk_began_and_forgets_what_is_behind(database: connection.Database):
    await _project(database)
    store, first = uploads.UploadStore(database), await _begun(database, 0)
    for first_row in (0, 256, 512):
        await store.advance(first, _chunk(first_row, 256))
    second = await _begun(database, 0, first_row=256)
    assert (second.upload_id, second.committed_rows) == (first.upload_id, 256)
    assert await store.chunks_of(first.upload_id) == [_chunk(0, 256)]
    with pytest.raises(errors.StateError):
        await store.advance(first, _chunk(768, 256))
    await store.advance(second, _chunk(256, 256))


async def test_the_first_sealed_dataset_fixes_what_the_others_must_agree_with(database: connection.Database):
    await _project(database)
    await _sealed(database, 0)
    for offered, reason in (
        (domain_projects.Agreement(b"g" * 32, 1024, b"k" * 16), errors.Reason.FINGERPRINT_MISMATCH),
        (domain_projects.Agreement(b"f" * 32, 2048, b"k" * 16), errors.Reason.WIDTH_MISMATCH),
        (domain_projects.Agreement(b"f" * 32, 1024, b"l" * 16), errors.Reason.KEY_CHECK_MISMATCH),
    ):
        with pytest.raises(errors.StateError) as refused:
            await _begun(database, 1, offered=offered)
        assert refused.value.reason is reason


async def test_a_request_creates_one_run_however_often_it_comes(database: connection.Database):
    await _project(database)
    first = await _run(database, "r1", request="same")
    assert (await _run(database, "r2", request="same")).run_id == first.run_id
    assert len(await runs.RunStore(database).page("p1", 10, None)) == 1


async def test_a_run_waits_for_every_dataset(database: connection.Database):
    await _project(database)
    await _run(database)
    await _sealed(database, 0)
    assert await runs.RunStore(database).claim("a", _LONG_SECONDS) is None
    await _sealed(database, 1)
    assert (await _claimed(database)).run_id == "r1"


async def _ready(database: connection.Database, names: tuple[str, ...] = ("r1",)) -> None:
    await _project(database)
    for party in range(2):
        await _sealed(database, party)
    for name in names:
        await _run(database, name)


async def test_many_workers_claim_each_run_once(database: connection.Database):
    names = tuple(f"r{number}" for number in range(6))
    await _ready(database, names)
    store = runs.RunStore(database)
    claimed = await asyncio.gather(*(store.claim(f"worker {number}", _LONG_SECONDS) for number in range(8)))
    held = [lease.run_id for lease in claimed if lease]
    # A worker that meets only locked rows goes away empty and comes again; nobody gets what another has.
    while lease := await store.claim("late", _LONG_SECONDS):
        held.append(lease.run_id)
    assert sorted(held) == sorted(names)


async def test_a_fence_shuts_out_whoever_lost_the_lease(database: connection.Database):
    await _ready(database)
    store, plan = runs.RunStore(database), tiles.TileStore(database)
    lost = await _claimed(database, "slow", seconds=0.0)
    kept = await _claimed(database, "quick")
    assert kept.fence > lost.fence
    side = domain_tiles.Side(0, (_chunk(0, 256),))
    published = groups.PublishedGroups("r1", digests.Digest(b"d" * 32, 1), 1, 2, 1, (300, 300), (0, 1), (0,))
    for write in (
        store.renew(lost, _LONG_SECONDS),
        store.enter(lost, states.RunState.PLANNING),
        store.end(lost, states.RunState.SUCCEEDED),
        store.publish(lost, published),
        plan.keep_plan(lost, [domain_tiles.Tile(0, side, None)], _COMPARING),
        plan.finish(lost, domain_tiles.TileAnswer(0, (3,), 9, "m", 1)),
    ):
        with pytest.raises(runs.LeaseLostError):
            await write
    assert await store.renew(kept, _LONG_SECONDS) is False
    assert await store.published("r1") is None


async def test_a_run_goes_through_its_stages_to_a_result(database: connection.Database):
    await _ready(database)
    store, plan, lease = runs.RunStore(database), tiles.TileStore(database), await _claimed(database)
    left, right = (domain_tiles.Side(party, (_chunk(0, 256), _chunk(256, 44))) for party in range(2))
    tile = domain_tiles.Tile(0, left, right)
    await store.enter(lease, states.RunState.PLANNING)
    for _ in range(2):
        await plan.keep_plan(lease, [tile], _COMPARING)
    await store.enter(lease, states.RunState.COMPARING)
    for _ in range(2):
        await plan.finish(lease, domain_tiles.TileAnswer(0, (5, 2), tile.comparisons, "m", 1))
    datasets = await uploads.UploadStore(database).datasets("p1")
    assert await plan.plan("r1", datasets) == [tiles.PlannedTile(tile, tile.identity(_COMPARING), (5, 2))]
    for fraction in (0.75, 0.5):
        await store.report(lease, states.RunState.COMPARING, fraction, comparisons_done=tile.comparisons)
    progress = (await store.find("p1", "r1")).progress
    assert (progress.stage_fraction, progress.tiles_done, progress.tiles_total) == (0.75, 1, 1)
    assert (progress.candidate_pairs, progress.comparisons_total) == (7, 90_000)
    published = groups.PublishedGroups("r1", digests.Digest(b"d" * 32, 1), 1, 2, 7, (300, 300), (0, 1), (0,))
    for _ in range(2):
        await store.publish(lease, published)
    await store.end(lease, states.RunState.SUCCEEDED)
    run = await store.find("p1", "r1")
    assert run.state is states.RunState.SUCCEEDED
    assert [stage.state for stage in run.stages] == [states.RunState.PLANNING, states.RunState.COMPARING]
    assert all(stage.end_time is not None for stage in run.stages)
    assert await store.published("r1") == published
    assert await store.claim("b", _LONG_SECONDS) is None


async def test_a_run_nobody_works_on_is_cancelled_here_and_now(database: connection.Database):
    await _ready(database)
    store = runs.RunStore(database)
    await store.request_cancel("p1", "r1")
    assert (await store.find("p1", "r1")).state is states.RunState.CANCELLED
    with pytest.raises(errors.StateError) as refused:
        await store.request_cancel("p1", "r1")
    assert refused.value.reason is errors.Reason.RUN_ENDED


async def test_a_worker_hears_that_its_run_is_to_be_cancelled(database: connection.Database):
    await _ready(database)
    store, lease = runs.RunStore(database), await _claimed(database)
    await store.request_cancel("p1", "r1")
    assert await store.renew(lease, _LONG_SECONDS) is True
    assert not (await store.find("p1", "r1")).state.ended


@contextlib.asynccontextmanager
async def _listening(url: str) -> AsyncIterator[changes.Changes]:
    heard = changes.Changes(url)
    task = asyncio.create_task(heard.listen(), name="changes")
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _terminate_others(url: str, query: str) -> int:
    """End the server's side of this database's connections whose last statement is like ``query``."""
    connection_ = await asyncpg.connect(url)
    try:
        return len(
            await connection_.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE $1",
                query,
            )
        )
    finally:
        await connection_.close()


async def test_changes_are_heard_again_after_the_connection_broke(database: connection.Database, url: str):
    async with _listening(url) as heard:
        with heard.watching("subject") as event:
            await asyncio.wait_for(event.wait(), 30)  # connected: everybody is woken
            event.clear()
            assert await _terminate_others(url, "LISTEN%") == 1
            await asyncio.wait_for(event.wait(), 30)  # connected again
            event.clear()
            async with database.transaction() as writing:
                await changes.announce(writing, "subject")
            await asyncio.wait_for(event.wait(), 30)


async def test_a_cut_connection_is_an_outage_and_the_next_call_works(url: str):
    async with connection.connected(url, most_connections=2) as database:
        with pytest.raises(errors.CapacityError) as outage:
            async with database.connection() as plain:
                await plain.fetchval("SELECT 'marked'")
                assert await _terminate_others(url, "SELECT 'marked'%") == 1
                await plain.fetchval("SELECT 1")
        assert outage.value.reason is errors.Reason.STORE_UNAVAILABLE
        async with database.connection() as plain:
            assert await plain.fetchval("SELECT 1") == 1
