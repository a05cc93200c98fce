"""A real matcher and a coordinator written by hand: what the protocol promises, and what breaking it leads to."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy
import pytest

from hushlink.matcher.v1 import matcher_service_pb2 as pb2
from hushlink.mesh.v1 import digest_pb2, server_service_pb2, server_service_pb2_grpc
from hushlink_domain import errors, metrics, tiles
from hushlink_mesh import channel
from tests.support import encodings, matcher_talk, processes, waiting

WIDTH = 64
GIANT_ROWS = 1 << 20
"""A tile of as many rows of a byte with each other takes minutes."""


@pytest.fixture(scope="module")
def matcher() -> Iterator[processes.Process]:
    """One process for all tests that neither configure nor end theirs: whatever is said to it, it serves the next."""
    with processes.serving("hushlink_matcher", slots=1) as process:
        yield process
        assert process.running.poll() is None


@pytest.fixture
async def talk(matcher: processes.Process) -> AsyncIterator[matcher_talk.Talk]:
    async with matcher_talk.introduced(matcher.address) as talk:
        yield talk


async def _assert_works(talk: matcher_talk.Talk, assignment: int = 1000) -> None:
    """A small tile is compared rightly."""
    left, right = encodings.overlapping(200, 200, WIDTH, assignment)
    names = [await talk.say_chunk(side.tobytes()) for side in (left, right)]
    await talk.say_tile(assignment, [names[0]], [names[1]])
    runs, _ = await talk.until_done(assignment)
    assert list(itertools.chain(*runs)) == encodings.expected(left, right, encodings.dice(WIDTH, 0.8))


GIANT = matcher_talk.named(b"\x0f" * GIANT_ROWS)
OTHER_GIANT = matcher_talk.named(b"\xf0" * GIANT_ROWS)


async def _say_giant(talk: matcher_talk.Talk, assignment: int) -> None:
    """A tile that takes minutes and finds nothing; returns when it is at work."""
    for fill in (b"\x0f", b"\xf0"):
        await talk.say_chunk(fill * GIANT_ROWS)
    await talk.say_tile(assignment, [GIANT], [OTHER_GIANT] * 8, width_bits=8)
    while (await talk.next("progress")).comparisons == 0:
        pass


# ---- what it does ----


async def test_introduces_itself(talk: matcher_talk.Talk) -> None:
    hello = talk.hello
    assert hello.matcher_id and hello.version and hello.protocol == 1
    assert hello.slots == 1
    assert hello.kernel_path == hello.kernel_paths[0] and hello.kernel_paths[-1] == "portable"
    assert set(hello.metrics) == {"dice", "jaccard", "hamming"}
    assert hello.max_width_bits == 16_384
    assert hello.chunk_cache_bytes > 0 and hello.chunk_credit_bytes > 0
    assert not hello.held


async def test_tells_its_versions_and_limits(matcher: processes.Process) -> None:
    async with channel.connect(matcher.address) as wire:
        stub = server_service_pb2_grpc.ServerServiceStub(wire)
        info = await stub.GetServerInfo(server_service_pb2.GetServerInfoRequest(), timeout=10)
    assert (info.service, info.protocol) == ("matcher", 1)


@pytest.mark.parametrize("metric", ["dice", "jaccard", "hamming"])
async def test_compares_several_chunks_with_several(talk: matcher_talk.Talk, metric: str) -> None:
    left, right = encodings.overlapping(700, 900, WIDTH, 3)
    lefts = [await talk.say_chunk(part.tobytes()) for part in (left[:300], left[300:301], left[301:])]
    rights = [await talk.say_chunk(part.tobytes()) for part in (right[:1], right[1:])]
    await talk.say_tile(1, lefts, rights, metric=metric)
    runs, done = await talk.until_done(1)
    comparing = tiles.Comparing(WIDTH, metrics.Metric(metric), 0.8, 1 << 18)
    assert len(runs) == done.run_count == 1
    assert runs[0] == encodings.expected(left, right, comparing) and len(runs[0]) == done.pair_count > 100
    assert done.comparisons == 700 * 900
    assert done.busy_nanos > 0


async def test_compares_rows_with_each_other_across_chunks(talk: matcher_talk.Talk) -> None:
    rows = encodings.overlapping(600, 600, WIDTH, 4)
    both = numpy.concatenate(rows)
    names = [await talk.say_chunk(part.tobytes()) for part in (both[:500], both[500:501], both[501:])]
    await talk.say_tile(1, names, threshold=0.7)
    runs, done = await talk.until_done(1)
    assert list(itertools.chain(*runs)) == encodings.expected(both, None, encodings.dice(WIDTH, 0.7))
    assert done.comparisons == 1200 * 1199 // 2


async def test_finds_nothing_where_nothing_is(talk: matcher_talk.Talk) -> None:
    one = await talk.say_chunk(b"\x0f" * WIDTH)
    other = await talk.say_chunk(b"\xf0" * WIDTH)
    await talk.say_tile(1, [one], [other])
    await talk.say_tile(2, [one])
    for assignment, comparisons in ((1, 1), (2, 0)):
        runs, done = await talk.until_done(assignment)
        assert (runs, done.pair_count, done.run_count, done.comparisons) == ([], 0, 0, comparisons)


@pytest.mark.parametrize("pairs_per_run", [1, 7, 1000])
async def test_cuts_runs_of_the_size_asked_for(talk: matcher_talk.Talk, pairs_per_run: int) -> None:
    left, right = encodings.overlapping(160, 160, WIDTH, 5)
    wanted = encodings.expected(left, right, encodings.dice(WIDTH, 0.6))
    names = [await talk.say_chunk(side.tobytes()) for side in (left, right)]
    await talk.say_tile(1, [names[0]], [names[1]], threshold=0.6, pairs_per_run=pairs_per_run)
    runs, done = await talk.until_done(1)
    assert [len(run) for run in runs[:-1]] == [pairs_per_run] * (done.run_count - 1)
    assert done.run_count == math.ceil(len(wanted) / pairs_per_run)
    order = [[(-score, left_row, right_row) for score, left_row, right_row in run] for run in runs]
    assert all(run == sorted(run) for run in order)
    assert sorted(itertools.chain(*order)) == [(-score, one, other) for score, one, other in wanted]


async def test_makes_the_same_runs_of_the_same_tile(talk: matcher_talk.Talk) -> None:
    left, right = encodings.overlapping(500, 500, WIDTH, 6)
    names = [await talk.say_chunk(side.tobytes()) for side in (left, right)]
    answers = []
    for assignment in (1, 2):
        await talk.say_tile(assignment, [names[0]], [names[1]], threshold=0.6, pairs_per_run=50)
        answers.append((await talk.until_done(assignment))[0])
    assert len(answers[0]) > 2 and answers[0] == answers[1]


# ---- credit and memory ----


@pytest.mark.parametrize("grain", [16, 1000])
async def test_sends_pairs_as_far_as_credit_reaches(matcher: processes.Process, grain: int) -> None:
    left, right = encodings.overlapping(300, 300, WIDTH, 7)
    wanted = encodings.expected(left, right, encodings.dice(WIDTH, 0.8))
    async with matcher_talk.introduced(matcher.address, credit=grain) as talk:
        names = [await talk.say_chunk(side.tobytes()) for side in (left, right)]
        await talk.say_tile(1, [names[0]], [names[1]])
        left_credit = grain
        found: list[encodings.Pair] = []
        last = False
        while not last:
            frame = await talk.next("pairs")
            last = frame.last
            size = len(frame.scores) + len(frame.left_rows) + len(frame.right_rows)
            left_credit -= size
            assert left_credit >= 0
            found += matcher_talk.pairs_in(frame)
            await talk.say(credit=pb2.Credit(bytes=size))
            left_credit += size
        assert found == wanted
        await talk.next("done")


async def _standing_still(matcher: processes.Process) -> None:
    """Returns when the matcher works on nothing any more."""
    seconds = [-1.0]
    while matcher.cpu_seconds() - seconds[-1] > 0.02:
        seconds.append(matcher.cpu_seconds())
        await asyncio.sleep(0.3)


async def test_does_not_mix_the_runs_of_two_tiles() -> None:
    """Both slots have more to send than fits on the way."""
    async with (
        processes.started_matcher(slots=2) as matcher,
        matcher_talk.introduced(matcher.address) as talk,
    ):
        rows = encodings.encodings(1600, WIDTH, 9)
        name = await talk.say_chunk(rows.tobytes())
        before = matcher.peak_memory_bytes()
        for assignment in (1, 2):
            await talk.say_tile(assignment, [name], threshold=0.01, pairs_per_run=128_000)
        await waiting.eventually("pairs are found", lambda: matcher.peak_memory_bytes() - before > 4 << 20)
        await _standing_still(matcher)
        order: list[tuple[int, int]] = []
        complete = True
        while len(order) < 2 * 10 or not complete:  # runs of both, in eight frames each
            frame = await talk.next("pairs")
            if complete:
                order.append((frame.assignment, frame.run))
            assert order[-1] == (frame.assignment, frame.run), "a run ends before another begins"
            complete = frame.last
        assert order != sorted(order), "the tiles took turns"


async def test_a_coordinator_that_takes_nothing_costs_no_memory() -> None:
    rows = encodings.encodings(8000, WIDTH, 8)
    async with (
        processes.started_matcher() as matcher,
        matcher_talk.introduced(matcher.address, credit=1 << 20) as talk,
    ):
        before = matcher.peak_memory_bytes()
        name = await talk.say_chunk(rows.tobytes())
        await talk.say_tile(1, [name], threshold=0.01)  # 32 million pairs: half a gigabyte
        stalled = [-1, -2]
        while stalled[-1] != stalled[-2]:  # it tells the same progress again as a sign of life
            stalled.append((await talk.next("progress")).comparisons)
        assert matcher.peak_memory_bytes() - before < 64 << 20
        assert stalled[-1] < 8000 * 7999 // 2


async def test_a_coordinator_that_does_not_listen_costs_no_memory() -> None:
    """It gives credit without end, but reads nothing."""
    rows = encodings.encodings(8000, WIDTH, 8)
    async with (
        processes.started_matcher() as matcher,
        matcher_talk.introduced(matcher.address, credit=1 << 60) as talk,
    ):
        before = matcher.peak_memory_bytes()
        name = await talk.say_chunk(rows.tobytes())
        await talk.say_tile(1, [name], threshold=0.01)  # 32 million pairs: half a gigabyte
        await waiting.eventually("pairs are found", lambda: matcher.peak_memory_bytes() - before > 8 << 20)
        await _standing_still(matcher)
        assert matcher.peak_memory_bytes() - before < 64 << 20


async def test_takes_chunks_as_far_as_its_credit_reaches(matcher: processes.Process) -> None:
    async with matcher_talk.introduced(matcher.address) as talk:
        credit = talk.hello.chunk_credit_bytes
        sent = 0
        for seed in range(3 * credit // (2 << 20)):
            data = encodings.encodings((2 << 20) // WIDTH, WIDTH, seed, fill=0.5).tobytes()
            while credit < len(data):
                credit += (await talk.next("credit")).bytes
            await talk.say_chunk(data)
            credit -= len(data)
            sent += len(data)
        assert sent > talk.hello.chunk_credit_bytes
        await _assert_works(talk)


async def test_drops_the_chunk_used_least_recently_and_says_so() -> None:
    async with (
        processes.started_matcher(chunk_cache_bytes=3 * 100 * WIDTH) as matcher,
        matcher_talk.introduced(matcher.address) as talk,
    ):
        data = [encodings.encodings(100, WIDTH, seed).tobytes() for seed in range(4)]
        names = [await talk.say_chunk(each) for each in data[:3]]
        await talk.say_tile(1, [names[0]])
        await talk.until_done(1)
        names.append(await talk.say_chunk(data[3]))
        while not (notice := await talk.next("chunks")).dropped:
            pass
        assert list(notice.dropped) == [names[1]] and list(notice.received) == [names[3]]
        await talk.say_tile(2, [names[1]])
        failed = await talk.next("failed")
        assert (failed.assignment, failed.reason, failed.retryable) == (2, "TILE_REFUSED", True)
        await talk.say_tile(3, [names[0]], [names[2], names[3]])
        await talk.until_done(3)


async def test_a_chunk_sent_again_is_a_chunk_used() -> None:
    async with (
        processes.started_matcher(chunk_cache_bytes=3 * 100 * WIDTH) as matcher,
        matcher_talk.introduced(matcher.address) as talk,
    ):
        data = [encodings.encodings(100, WIDTH, seed).tobytes() for seed in range(4)]
        names = [await talk.say_chunk(data[place]) for place in (0, 1, 2, 0, 3)]
        while not (notice := await talk.next("chunks")).dropped:
            pass
        assert list(notice.dropped) == [names[1]]


@pytest.mark.parametrize("end", ["done", "cancelled"])
async def test_a_chunk_may_go_as_soon_as_its_tile_has_ended(end: str) -> None:
    async with (
        processes.started_matcher(chunk_cache_bytes={"done": 1, "cancelled": 2}[end] * GIANT_ROWS) as matcher,
        matcher_talk.introduced(matcher.address) as talk,
    ):
        if end == "cancelled":
            await _say_giant(talk, 1)
            await talk.say(cancel=pb2.CancelTile(assignment=1))
        else:
            await talk.say_tile(1, [await talk.say_chunk(b"\x0f" * GIANT_ROWS)], width_bits=16_384)
            await talk.next("done")
        await talk.say_chunk(bytes(GIANT_ROWS))
        await talk.say_chunk(bytes(GIANT_ROWS - 1))
        while matcher_talk.named(bytes(GIANT_ROWS - 1)) not in (await talk.next("chunks")).received:
            pass


async def test_never_drops_a_chunk_that_a_tile_needs() -> None:
    async with (
        processes.started_matcher(chunk_cache_bytes=3 * GIANT_ROWS - 8) as matcher,
        matcher_talk.introduced(matcher.address) as talk,
    ):
        await _say_giant(talk, 1)
        await talk.say_chunk(bytes(GIANT_ROWS - 8))
        await talk.say_chunk(bytes(GIANT_ROWS - 9))
        while not (notice := await talk.next("chunks")).dropped:
            pass
        assert list(notice.dropped) == [matcher_talk.named(bytes(GIANT_ROWS - 8))]
        await talk.say_chunk(bytes(GIANT_ROWS - 7))
        refused = await talk.end()
        assert refused is not None and refused.reason is errors.Reason.LIMIT_EXCEEDED
        assert refused.facts["limit"] == "chunk_cache_bytes"


# ---- tiles that end early ----


async def test_stops_a_cancelled_tile_and_says_nothing_more_of_it(talk: matcher_talk.Talk) -> None:
    await _say_giant(talk, 1)
    await talk.say(cancel=pb2.CancelTile(assignment=1))
    await talk.say(cancel=pb2.CancelTile(assignment=77))  # never made: of no consequence
    await _assert_works(talk, 2)  # there is one slot
    await talk.say_tile(3, [matcher_talk.named(b"")])
    while (response := await talk.heard()).WhichOneof("message") != "failed":
        assert response.WhichOneof("message") in ("credit", "chunks")
    assert response.failed.assignment == 3


@pytest.mark.parametrize("farewell", ["hang_up", "done_talking"])
async def test_the_end_of_a_stream_frees_its_slot(matcher: processes.Process, farewell: str) -> None:
    async with matcher_talk.introduced(matcher.address) as first:
        await _say_giant(first, 1)
        async with matcher_talk.introduced(matcher.address) as second:
            assert second.hello.matcher_id == first.hello.matcher_id
            if farewell == "hang_up":
                first.hang_up()
            else:
                await first.done_talking()
                assert await first.end() is None
            await _assert_works(second)


async def test_coordinators_share_slots() -> None:
    async with (
        processes.started_matcher(slots=2) as matcher,
        matcher_talk.introduced(matcher.address) as first,
        matcher_talk.introduced(matcher.address) as second,
    ):
        await _say_giant(first, 1)
        await _assert_works(second)
        await _assert_works(first)


async def test_a_stream_reaches_only_chunks_of_its_own(matcher: processes.Process) -> None:
    async with (
        matcher_talk.introduced(matcher.address) as first,
        matcher_talk.introduced(matcher.address) as second,
    ):
        name = await first.say_chunk(bytes(WIDTH))
        await first.say_tile(1, [name])
        await first.until_done(1)
        await second.say_tile(1, [name])
        failed = await second.next("failed")
        assert (failed.reason, failed.retryable) == ("TILE_REFUSED", True)


async def test_only_so_many_coordinators_are_served() -> None:
    async with (
        processes.started_matcher(max_coordinators=1) as matcher,
        matcher_talk.introduced(matcher.address) as first,
    ):
        async with matcher_talk.talking(matcher.address) as second:
            refused = await second.end()
            assert refused is not None and refused.reason is errors.Reason.LIMIT_EXCEEDED
            assert refused.facts["limit"] == "max_coordinators"
        await _assert_works(first)


async def test_stops_promptly_in_the_middle_of_a_tile() -> None:
    async with processes.started_matcher() as matcher, matcher_talk.introduced(matcher.address) as talk:
        await _say_giant(talk, 1)
        assert await matcher.terminated() == 0
        assert await talk.end() is None


# ---- tiles that cannot be compared ----

_CHUNK = bytes(10 * WIDTH)


@pytest.mark.parametrize(
    ("changes", "reason", "retryable"),
    [
        ({"width_bits": 0}, "INVALID_REQUEST", False),
        ({"width_bits": 12}, "INVALID_REQUEST", False),
        ({"width_bits": 16_392}, "INVALID_REQUEST", False),
        ({"width_bits": 2**32 - 8}, "INVALID_REQUEST", False),
        ({"width_bits": 504}, "CHUNK_RAGGED", False),
        ({"metric": ""}, "METRIC_UNSUPPORTED", False),
        ({"metric": "cosine"}, "METRIC_UNSUPPORTED", False),
        ({"threshold": 0.0}, "THRESHOLD_OUT_OF_RANGE", False),
        ({"threshold": -0.5}, "THRESHOLD_OUT_OF_RANGE", False),
        ({"threshold": math.nan}, "THRESHOLD_OUT_OF_RANGE", False),
        ({"threshold": math.nextafter(1.0, 2.0)}, "THRESHOLD_OUT_OF_RANGE", False),
        ({"threshold": math.inf}, "THRESHOLD_OUT_OF_RANGE", False),
        ({"pairs_per_run": 0}, "LIMIT_EXCEEDED", False),
        ({"pairs_per_run": 2**32 - 1}, "LIMIT_EXCEEDED", False),
        ({"left": []}, "INVALID_REQUEST", False),
        ({"left": [matcher_talk.named(_CHUNK)] * 4097}, "LIMIT_EXCEEDED", False),
        ({"left": [digest_pb2.Digest(hash=bytes(32), size_bytes=WIDTH << 32)]}, "LIMIT_EXCEEDED", False),
        ({"left": [matcher_talk.named(b"x" * WIDTH)]}, "TILE_REFUSED", True),
        ({"right": [digest_pb2.Digest(hash=b"short", size_bytes=WIDTH)]}, "TILE_REFUSED", True),
        ({"right": [digest_pb2.Digest(hash=matcher_talk.named(_CHUNK).hash, size_bytes=WIDTH)]}, "TILE_REFUSED", True),
    ],
)
async def test_refuses_a_tile_and_goes_on(
    talk: matcher_talk.Talk, changes: dict[str, Any], reason: str, retryable: bool
) -> None:
    sides: dict[str, Any] = {"left": [await talk.say_chunk(_CHUNK)], "right": []}
    await talk.say_tile(5, **{**sides, **changes})
    failed = await talk.next("failed")
    assert (failed.assignment, failed.reason, failed.retryable) == (5, reason, retryable)
    assert failed.message
    await _assert_works(talk)


async def test_refuses_more_tiles_than_it_will_hold(talk: matcher_talk.Talk) -> None:
    await _say_giant(talk, 1)
    for assignment in range(2, 9):
        await talk.say_tile(assignment, [GIANT], width_bits=8)
    failed = await talk.next("failed")
    assert (failed.reason, failed.retryable) == ("LIMIT_EXCEEDED", True)


# ---- streams that break the protocol ----

_NAME = matcher_talk.named(_CHUNK)


def _frame(data: bytes = _CHUNK, offset: int = 0, digest: digest_pb2.Digest = _NAME) -> dict[str, pb2.ChunkFrame]:
    return {"chunk": pb2.ChunkFrame(digest=digest, offset=offset, data=data)}


def _digest(hash_bytes: int, size_bytes: int) -> digest_pb2.Digest:
    return digest_pb2.Digest(hash=bytes(hash_bytes), size_bytes=size_bytes)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([{}], "STREAM_ORDER"),
        ([{"hello": pb2.CoordinatorHello(protocol=1)}], "STREAM_ORDER"),
        ([_frame(offset=1)], "STREAM_ORDER"),
        ([_frame(_CHUNK[:5]), _frame(_CHUNK[6:], 6)], "STREAM_ORDER"),
        ([_frame(_CHUNK[:5]), _frame(_CHUNK[:5])], "STREAM_ORDER"),
        ([_frame(_CHUNK[:5]), _frame(b"x", digest=matcher_talk.named(b"x"))], "STREAM_ORDER"),
        ([_frame(_CHUNK[:5]), _frame(_CHUNK[5:], 5, _digest(32, len(_CHUNK)))], "STREAM_ORDER"),
        ([_frame(_CHUNK + b"x")], "DIGEST_MISMATCH"),
        ([_frame(b"x" + _CHUNK[1:])], "DIGEST_MISMATCH"),
        ([_frame(b"")], "LIMIT_EXCEEDED"),
        ([_frame(bytes((1 << 20) + 1), digest=_digest(32, 1 << 21))], "LIMIT_EXCEEDED"),
        ([_frame(b"x", digest=_digest(31, 1))], "INVALID_REQUEST"),
        ([_frame(b"x", digest=_digest(0, 0))], "INVALID_REQUEST"),
        ([_frame(b"x", digest=_digest(32, 2**64 - 1))], "INVALID_REQUEST"),
        ([_frame(b"x", digest=_digest(32, 1 << 40))], "INVALID_REQUEST"),
    ],
)
async def test_ends_a_stream_that_breaks_the_protocol(
    matcher: processes.Process, frames: list[dict[str, object]], reason: str
) -> None:
    async with matcher_talk.introduced(matcher.address) as talk:
        for frame in frames:
            await talk.say(**frame)
        refused = await talk.end()
        assert refused is not None and refused.reason.value == reason
    async with matcher_talk.introduced(matcher.address) as talk:
        await _assert_works(talk)


async def test_ends_a_stream_that_sends_beyond_its_credit() -> None:
    async with (
        processes.started_matcher(chunk_credit_bytes=1024) as matcher,
        matcher_talk.introduced(matcher.address) as talk,
    ):
        assert talk.hello.chunk_credit_bytes == 1024
        await talk.say_chunk(bytes(1025))
        refused = await talk.end()
        assert refused is not None and refused.facts["limit"] == "chunk_credit_bytes"


async def test_ends_a_stream_that_uses_a_number_twice(talk: matcher_talk.Talk) -> None:
    await _say_giant(talk, 1)
    await talk.say_tile(1, [GIANT], width_bits=8)
    refused = await talk.end()
    assert refused is not None and refused.reason is errors.Reason.STREAM_ORDER


@pytest.mark.parametrize(
    "first",
    [
        {},
        {"tile": pb2.Tile(assignment=1)},
        {"credit": pb2.Credit(bytes=1)},
        {"cancel": pb2.CancelTile(assignment=1)},
        _frame(),
    ],
)
async def test_begins_with_an_introduction(matcher: processes.Process, first: dict[str, object]) -> None:
    async with matcher_talk.talking(matcher.address) as talk:
        await talk.say(**first)
        refused = await talk.end()
        assert refused is not None and refused.reason is errors.Reason.STREAM_ORDER


@pytest.mark.parametrize("protocol", [0, 2, 2**32 - 1])
async def test_refuses_a_protocol_it_does_not_speak(matcher: processes.Process, protocol: int) -> None:
    async with matcher_talk.talking(matcher.address) as talk:
        await talk.say(hello=pb2.CoordinatorHello(protocol=protocol))
        refused = await talk.end()
        assert refused is not None and refused.reason is errors.Reason.PROTOCOL_MISMATCH
        assert refused.facts["protocol"] == str(protocol)


async def test_a_silent_caller_is_not_waited_for() -> None:
    async with (
        processes.started_matcher(idle_timeout_seconds=0.2) as matcher,
        matcher_talk.talking(matcher.address) as talk,
    ):
        refused = await talk.end()
        assert refused is not None and refused.reason is errors.Reason.LIMIT_EXCEEDED
