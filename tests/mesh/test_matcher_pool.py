"""Runs on real matchers, which come, go, hang and die."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pathlib
import socket
from collections.abc import Iterator
from typing import Any

import numpy
import pytest
import trustme

from hushlink_domain import digests, errors, tiles
from hushlink_mesh import config
from tests.support import dispatching, encodings, processes, waiting

WIDTH = 64

Wanted = list[encodings.Pair]


@pytest.fixture(scope="module")
def matcher() -> Iterator[processes.Process]:
    """One process for the tests that neither configure nor end theirs."""
    with processes.serving("hushlink_matcher", slots=1) as process:
        yield process


def _work(
    rows: int = 2000, *, seed: int = 1, chunk_rows: int = 200, pairs_per_run: int = 1 << 18
) -> tuple[dispatching.Work, Wanted]:
    """Some hundred small tiles, and their pairs."""
    left, right = encodings.overlapping(rows, rows + 100, WIDTH, seed)
    one, other = encodings.Dataset(left, 0, chunk_rows), encodings.Dataset(right, 1, chunk_rows)
    comparing = encodings.dice(WIDTH, 0.8, pairs_per_run)
    work = dispatching.Work(encodings.rectangles(one, other), comparing, dispatching.Chunks(one, other))
    return work, encodings.expected(left, right, comparing)


def _giants(count: int = 1) -> dispatching.Work:
    """Tiles of a million million comparisons each, which take minutes and find nothing."""
    ones = encodings.Dataset(numpy.full((1 << 20, 1), 0x0F, dtype=numpy.uint8), 0, 1 << 20)
    others = encodings.Dataset(numpy.full((1 << 20, 1), 0xF0, dtype=numpy.uint8), 1, 1 << 20)
    plan = [tiles.Tile(index, ones.sides(1)[0], others.sides(1)[0]) for index in range(count)]
    return dispatching.Work(plan, encodings.dice(1, 1.0), dispatching.Chunks(ones, others))


def _joined(caplog: pytest.LogCaptureFixture) -> int:
    """How often a matcher joined so far."""
    return [record.message for record in caplog.records].count("matcher joined")


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="hushlink_coordinator")


# ---- the plain case ----


@pytest.mark.parametrize("slots", [(1,), (1, 1), (2, 1)])
async def test_finds_what_the_kernel_finds(slots: tuple[int, ...]) -> None:
    work, wanted = _work()
    assert len(wanted) > 500
    async with contextlib.AsyncExitStack() as stack:
        started = [await stack.enter_async_context(processes.started_matcher(slots=each)) for each in slots]
        pool = await stack.enter_async_context(dispatching.opened_pool(*(each.address for each in started)))
        await waiting.eventually("all are connected", lambda: pool.matchers == len(slots))
        await work.finish(pool)
    work.assert_answered(wanted)
    assert len({answer.matcher_id for answer in work.answers}) == len(slots)
    assert len(work.source.reads) == len(set(work.source.reads)), "a chunk was read twice"


async def test_compares_a_dataset_with_itself(matcher: processes.Process) -> None:
    rows = numpy.concatenate(encodings.overlapping(700, 800, WIDTH, 2))
    dataset = encodings.Dataset(rows, 0, 100)
    comparing = encodings.dice(WIDTH, 0.75)
    work = dispatching.Work(encodings.triangle(dataset, 2), comparing, dispatching.Chunks(dataset))
    async with dispatching.opened_pool(matcher.address) as pool:
        await work.finish(pool)
    work.assert_answered(encodings.expected(rows, None, comparing))


async def test_an_empty_plan_is_done_at_once() -> None:
    async with dispatching.opened_pool() as pool:
        work = dispatching.Work([], encodings.dice(WIDTH, 0.8), dispatching.Chunks())
        await work.finish(pool)
    assert work.answers == []


async def _bytes_from(*matchers: dict[str, object]) -> tuple[object, dict[int, tuple[int, ...]]]:
    """What a run stores, and its tiles' runs, when compared by matchers with these settings."""
    work, _ = _work(1200, pairs_per_run=20, chunk_rows=400)
    async with contextlib.AsyncExitStack() as stack:
        started = [await stack.enter_async_context(processes.started_matcher(**settings)) for settings in matchers]
        pool = await stack.enter_async_context(dispatching.opened_pool(*(each.address for each in started)))
        await waiting.eventually("all are connected", lambda: pool.matchers == len(matchers))
        await work.finish(pool)
    return work.sink.runs, {answer.index: answer.run_pairs for answer in work.answers}


async def test_the_same_bytes_whoever_compares() -> None:
    one = await _bytes_from({})
    assert any(len(counts) > 2 for counts in one[1].values())
    assert one == await _bytes_from({"kernel": "portable"})
    assert one == await _bytes_from({}, {"kernel": "portable"}, {"slots": 2})


async def test_runs_at_the_same_time_do_not_mix(matcher: processes.Process) -> None:
    works = [_work(800, seed=seed, pairs_per_run=10 * seed) for seed in (3, 4, 5)]
    async with dispatching.opened_pool(matcher.address) as pool:
        await asyncio.gather(*(work.finish(pool) for work, _ in works))
    for work, wanted in works:
        work.assert_answered(wanted)


async def test_a_long_run_leaves_room_for_a_short_one() -> None:
    work, wanted = _work(600)
    giants = _giants(3)
    async with (
        processes.started_matcher(slots=1) as first,
        processes.started_matcher(slots=1) as second,
        dispatching.opened_pool(first.address, silence_seconds=60.0) as pool,
        contextlib.aclosing(giants.begun(pool)) as endless,
    ):
        waits = asyncio.create_task(anext(endless, None))
        await waiting.eventually("a giant is at work", lambda: giants.progress)
        async with dispatching.opened_pool(second.address) as other:
            await work.finish(other)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
    work.assert_answered(wanted)
    assert giants.progress == sorted(giants.progress)


# ---- credit, memory, limits ----


async def test_the_smallest_credit_is_widened_to_what_a_run_needs(matcher: processes.Process) -> None:
    work, wanted = _work(600, pairs_per_run=30)
    async with dispatching.opened_pool(matcher.address, pair_credit_bytes=1) as pool:
        await work.finish(pool)
    work.assert_answered(wanted)


@pytest.mark.parametrize("chunks", [2, 3, 4, 7])
async def test_small_caches_and_small_credit_for_chunks_suffice(chunks: int, caplog: pytest.LogCaptureFixture) -> None:
    chunk_bytes = 100 * WIDTH
    work, wanted = _work(600, chunk_rows=100)
    async with (
        processes.started_matcher(slots=2, chunk_cache_bytes=chunks * chunk_bytes, chunk_credit_bytes=1024) as matcher,
        dispatching.opened_pool(matcher.address) as pool,
    ):
        await work.finish(pool)
    work.assert_answered(wanted)
    assert _joined(caplog) == 1, "it was never asked for more than it has"


async def test_tiles_go_where_they_fit() -> None:
    work, wanted = _work(600, chunk_rows=200)
    async with (
        processes.started_matcher(chunk_cache_bytes=300 * WIDTH) as small,
        processes.started_matcher() as large,
        dispatching.opened_pool(small.address, large.address) as pool,
    ):
        await waiting.eventually("both are connected", lambda: pool.matchers == 2)
        await work.finish(pool)
    work.assert_answered(wanted)
    large_tiles = {tile.index for tile in work.plan if tile.left.rows + (tile.right or tile.left).rows > 300}
    assert len({answer.matcher_id for answer in work.answers if answer.index in large_tiles}) == 1


async def test_a_tile_that_fits_nowhere_is_refused() -> None:
    work, _ = _work(600, chunk_rows=200)
    async with (
        processes.started_matcher(chunk_cache_bytes=300 * WIDTH) as matcher,
        dispatching.opened_pool(matcher.address, unfit_seconds=0.2) as pool,
    ):
        with pytest.raises(errors.StateError, match="HUSHLINK_CHUNK_CACHE_BYTES") as refused:
            await work.finish(pool)
        assert refused.value.reason is errors.Reason.TILE_REFUSED
        assert refused.value.facts["bytes"] == str(400 * WIDTH)


async def test_a_tile_that_no_matcher_accepts_is_refused() -> None:
    work, _ = _work(200)
    async with (
        processes.started_matcher(max_pairs_per_run=1000) as matcher,
        dispatching.opened_pool(matcher.address) as pool,
    ):
        with pytest.raises(errors.StateError) as refused:
            await work.finish(pool)
        assert refused.value.reason is errors.Reason.TILE_REFUSED
        assert refused.value.facts["problem"] == "LIMIT_EXCEEDED"


class HeldPairs(dispatching.Pairs):
    """A sink that stores nothing before it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = asyncio.Event()
        self.held = 0

    async def store(self, *columns: Any) -> None:
        self.held += 1
        await self.opened.wait()
        await super().store(*columns)


async def test_a_slow_sink_slows_the_matcher_down() -> None:
    rows = encodings.encodings(1001, WIDTH, 8)
    dataset = encodings.Dataset(rows, 0, 1001)
    comparing = encodings.dice(WIDTH, 0.01, 10_000)  # every pair: 51 runs
    sink = HeldPairs()
    work = dispatching.Work(encodings.triangle(dataset), comparing, dispatching.Chunks(dataset), sink)
    async with (
        processes.started_matcher() as matcher,
        dispatching.opened_pool(matcher.address, pair_credit_bytes=400_000, silence_seconds=60.0) as pool,
    ):
        finishing = asyncio.create_task(work.finish(pool))
        # Progress goes on being told, as a sign of life, but stands still long before the end.
        await waiting.eventually("the tile has begun", lambda: work.progress)
        await waiting.eventually("the matcher waits for credit", lambda: sink.held)
        assert work.progress[-1] < 1001 * 500
        sink.opened.set()
        await finishing
    assert work.sink.stores == 51
    work.assert_answered(encodings.expected(rows, None, comparing))


# ---- matchers that die, hang, come and go ----


@pytest.mark.parametrize("fate", ["killed", "hangs", "stops"])
async def test_survives_a_matcher_that(fate: str) -> None:
    work, wanted = _work(4000)
    async with (
        processes.started_matcher(slots=2) as first,
        processes.started_matcher(slots=2) as second,
        dispatching.opened_pool(first.address, second.address) as pool,
    ):
        await waiting.eventually("both are connected", lambda: pool.matchers == 2)
        async with contextlib.aclosing(work.begun(pool)) as answers:
            async for answer in answers:
                work.answers.append(answer)
                if len(work.answers) == 10:
                    {"killed": first.kill, "hangs": first.pause, "stops": first.running.terminate}[fate]()
        work.assert_answered(wanted)
        if fate == "hangs":
            first.resume()
            again, wanted = _work(4000, seed=9)
            await waiting.eventually("both are connected", lambda: pool.matchers == 2)
            await again.finish(pool)
            again.assert_answered(wanted)
            assert len({answer.matcher_id for answer in again.answers}) == 2


class GatedChunks(dispatching.Chunks):
    """A source that gives out so many chunks, and the others when it is opened."""

    def __init__(self, blobs: dict[digests.Digest, bytes], free: int) -> None:
        super().__init__()
        self.blobs = blobs
        self.free = free
        self.opened = asyncio.Event()

    async def read(self, digest: digests.Digest) -> bytes:
        if len(self.reads) >= self.free:
            await self.opened.wait()
        return await super().read(digest)


async def test_waits_for_the_first_matcher_and_takes_in_those_that_come_later() -> None:
    addresses = [f"127.0.0.1:{processes.free_port()}" for _ in range(2)]
    work, wanted = _work()
    source = work.source = GatedChunks(work.source.blobs, 12)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(dispatching.opened_pool(*addresses))
        answers = await stack.enter_async_context(contextlib.aclosing(work.begun(pool)))
        first = asyncio.create_task(anext(answers))
        await stack.enter_async_context(processes.started_matcher(listen=addresses[0]))
        work.answers.append(await first)
        await stack.enter_async_context(processes.started_matcher(listen=addresses[1]))
        async for answer in answers:
            work.answers.append(answer)
            if len(work.answers) == 5:
                await waiting.eventually("the second has joined", lambda: pool.matchers == 2)
                source.opened.set()
    work.assert_answered(wanted)
    assert len({answer.matcher_id for answer in work.answers}) == 2


async def test_finds_matchers_behind_one_name_as_they_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name stands for other addresses as time goes by, as that of a headless service does."""
    port = processes.free_port()
    behind: list[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != "matchers.test":
            return real(host, *arguments, **options)
        if not behind:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [found for ip in behind for found in real(ip, *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    async with (
        processes.started_matcher(listen=f"127.0.0.2:{port}"),
        processes.started_matcher(listen=f"127.0.0.3:{port}") as second,
        dispatching.opened_pool(f"matchers.test:{port}") as pool,
    ):
        behind.append("127.0.0.2")
        await waiting.eventually("the first is found", lambda: pool.matchers == 1)
        behind.append("127.0.0.3")
        await waiting.eventually("the second is found", lambda: pool.matchers == 2)
        behind.remove("127.0.0.3")
        second.kill()
        await waiting.eventually("the second is left", lambda: pool.matchers == 1)
        work, wanted = _work(600)
        await work.finish(pool)
        work.assert_answered(wanted)


async def test_one_matcher_with_two_addresses_is_one_matcher(caplog: pytest.LogCaptureFixture) -> None:
    port = processes.free_port()
    async with (
        processes.started_matcher(listen=f"0.0.0.0:{port}"),
        dispatching.opened_pool(f"127.0.0.1:{port}", f"127.0.0.2:{port}") as pool,
    ):
        work, wanted = _work(600)
        await work.finish(pool)
        work.assert_answered(wanted)
        assert _joined(caplog) == 1


async def test_closing_takes_the_tiles_back(matcher: processes.Process) -> None:
    giants = _giants(3)
    async with dispatching.opened_pool(matcher.address) as pool:
        async with contextlib.aclosing(giants.begun(pool)) as answers:
            waits = asyncio.create_task(anext(answers))
            await waiting.eventually("a giant is at work", lambda: giants.progress)
            waits.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waits
        work, wanted = _work(400)
        await work.finish(pool)  # on the only slot
    work.assert_answered(wanted)


async def test_closing_waits_for_no_sink(matcher: processes.Process) -> None:
    work, _ = _work(400)
    work.sink = sink = HeldPairs()
    async with dispatching.opened_pool(matcher.address) as pool:
        async with contextlib.aclosing(work.begun(pool)) as answers:
            waits = asyncio.create_task(anext(answers))
            await waiting.eventually("the sink is asked", lambda: sink.held)
            waits.cancel()
            await asyncio.gather(waits, return_exceptions=True)
        assert not sink.runs
        again, wanted = _work(400)
        await again.finish(pool)
    again.assert_answered(wanted)


# ---- sources and sinks that fail ----


class Unreadable(dispatching.Chunks):
    async def read(self, digest: digests.Digest) -> bytes:
        raise errors.CapacityError(errors.Reason.BLOBS_UNAVAILABLE, "scripted")


class Damaged(dispatching.Chunks):
    async def read(self, digest: digests.Digest) -> bytes:
        return bytes(digest.size_bytes)


class Full(dispatching.Pairs):
    async def store(self, *columns: Any) -> None:
        raise errors.CapacityError(errors.Reason.BLOBS_UNAVAILABLE, "scripted")


@pytest.mark.parametrize(
    ("source", "sink", "reason"),
    [
        (Unreadable, dispatching.Pairs, errors.Reason.BLOBS_UNAVAILABLE),
        (Damaged, dispatching.Pairs, errors.Reason.DIGEST_MISMATCH),
        (dispatching.Chunks, Full, errors.Reason.BLOBS_UNAVAILABLE),
    ],
)
async def test_a_failing_store_fails_its_run_alone(
    matcher: processes.Process,
    source: type[dispatching.Chunks],
    sink: type[dispatching.Pairs],
    reason: errors.Reason,
) -> None:
    bad, _ = _work(400, seed=6)
    bad.source.__class__, bad.sink = source, sink()
    good, wanted = _work(800, seed=7)
    async with dispatching.opened_pool(matcher.address) as pool:
        finishing = asyncio.create_task(good.finish(pool))
        with pytest.raises(errors.DomainError) as failed:
            await bad.finish(pool)
        assert failed.value.reason is reason
        await finishing
    good.assert_answered(wanted)


async def test_a_failing_listener_fails_its_run(matcher: processes.Process) -> None:
    work, _ = _work(400)

    def fail(_: int) -> None:
        raise RuntimeError("scripted")

    async with dispatching.opened_pool(matcher.address) as pool:
        with pytest.raises(RuntimeError, match="scripted"):
            async for _ in pool.compare(work.plan, work.comparing, work.source, work.sink, fail):
                pass


async def test_a_failing_plan_fails_its_run(matcher: processes.Process) -> None:
    work, _ = _work(400)

    def plan() -> Iterator[tiles.Tile]:
        yield from work.plan[:2]
        raise RuntimeError("scripted")

    async with dispatching.opened_pool(matcher.address) as pool:
        with pytest.raises(RuntimeError, match="scripted"):
            async for _ in pool.compare(plan(), work.comparing, work.source, work.sink, work.progress.append):
                pass


# ---- TLS ----


async def test_checks_certificates_on_both_sides(tmp_path: pathlib.Path) -> None:
    authority = trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    for name, paper in (("matcher", authority.issue_cert("localhost")), ("coordinator", authority.issue_cert("c"))):
        (tmp_path / f"{name}.pem").write_bytes(b"".join(blob.bytes() for blob in paper.cert_chain_pems))
        paper.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
    own = config.ChannelConfig(ca=ca, certificate=tmp_path / "coordinator.pem", key=tmp_path / "coordinator.key")
    async with processes.started_matcher(
        tls_certificate=tmp_path / "matcher.pem", tls_key=tmp_path / "matcher.key", tls_client_ca=ca
    ) as matcher:
        port = matcher.address.rpartition(":")[2]
        # Dialled by address, checked by name.
        async with dispatching.opened_pool(f"localhost:{port}", channel=own) as pool:
            work, wanted = _work(400)
            await work.finish(pool)
            work.assert_answered(wanted)
