"""Matchers written by hand that lie, fail, hang and dawdle beside an honest one: the result is right all the same."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import numpy
import pytest

from hushlink.matcher.v1 import matcher_service_pb2 as pb2
from hushlink.mesh.v1 import digest_pb2
from hushlink_domain import errors, tiles
from tests.support import dispatching, encodings, processes, scripted_matcher, waiting

WIDTH = 64
PAIRS_PER_RUN = 20

Answers = list[pb2.MatchResponse]
Change = Callable[[Answers], Sequence[pb2.MatchResponse]]


@pytest.fixture(scope="module")
def honest() -> Iterator[processes.Process]:
    with processes.serving("hushlink_matcher", slots=1) as process:
        yield process


def _work(rows: int = 600, *, pairs_per_run: int = PAIRS_PER_RUN) -> tuple[dispatching.Work, list[encodings.Pair]]:
    """Some tiles with one run each that is not full, so that scripted matchers and real ones agree on every byte."""
    left, right = encodings.overlapping(rows, rows, WIDTH, 11)
    one, other = encodings.Dataset(left, 0, 100), encodings.Dataset(right, 1, 100)
    comparing = encodings.dice(WIDTH, 0.8, pairs_per_run)
    work = dispatching.Work(encodings.rectangles(one, other), comparing, dispatching.Chunks(one, other))
    return work, encodings.expected(left, right, comparing)


def _columns(answer: pb2.MatchResponse) -> list[Any]:
    return [
        numpy.frombuffer(column, kind).copy()
        for column, kind in (
            (answer.pairs.scores, "<f8"),
            (answer.pairs.left_rows, "<u4"),
            (answer.pairs.right_rows, "<u4"),
        )
    ]


def _first_run(change: Callable[[Any, Any, Any], Sequence[Any]]) -> Change:
    """The first run's columns changed, its checksum right."""

    def changed(answers: Answers) -> Answers:
        columns = change(*_columns(answers[0]))
        return [scripted_matcher.frame(answers[0].pairs.assignment, 0, *columns), *answers[1:]]

    return changed


def _swapped(column: Any) -> Any:
    return numpy.concatenate([column[1:2], column[:1], column[2:]])


def _with(column: Any, value: float, place: int = 0) -> Any:
    column[place] = value
    return column


def _done(**changes: int) -> Change:
    def changed(answers: Answers) -> Answers:
        done = pb2.TileDone()
        done.CopyFrom(answers[-1].done)
        for name, change in changes.items():
            setattr(done, name, max(getattr(done, name) + change, 0))
        return [*answers[:-1], pb2.MatchResponse(done=done)]

    return changed


def _frame(**changes: Any) -> Change:
    def changed(answers: Answers) -> Answers:
        for name, value in changes.items():
            setattr(answers[0].pairs, name, value)
        return answers

    return changed


def _renamed(answers: Answers) -> Answers:
    answers[0].pairs.assignment += 1_000_000
    return answers


def _in_two_runs(answers: Answers) -> Answers:
    """A run that is not full, and another."""
    number, columns = answers[0].pairs.assignment, _columns(answers[0])
    return [
        scripted_matcher.frame(number, 0, *(column[:1] for column in columns)),
        scripted_matcher.frame(number, 1, *(column[1:] for column in columns)),
        *_done(run_count=1)(answers[-1:]),
    ]


def _with_one_pair_too_many(answers: Answers) -> Answers:
    number = answers[0].pairs.assignment
    scores = numpy.ones(PAIRS_PER_RUN + 1)
    rows = numpy.arange(PAIRS_PER_RUN + 1)
    return [
        scripted_matcher.frame(number, 0, scores[:2], rows[:2], rows[:2], last=False),
        scripted_matcher.frame(number, 0, scores[2:], rows[2:], rows[2:]),
        *_done(pair_count=PAIRS_PER_RUN + 1 - answers[-1].done.pair_count)(answers[1:]),
    ]


LIES: dict[str, Change] = {
    "a wrong checksum": _frame(crc32c=1),
    "a score that lost a byte": _frame(scores=b"1234567"),
    "no pairs": _first_run(lambda s, r, t: (s[:0], r[:0], t[:0])),
    "columns of different lengths": _first_run(lambda s, r, t: (s, r[1:], t)),
    "columns that make up for each other": _first_run(lambda s, r, t: (s, r[1:], numpy.append(t, 1))),
    "a left row beyond the tile": _first_run(lambda s, r, t: (s, _with(r, 100), t)),
    "a right row beyond the tile": _first_run(lambda s, r, t: (s, r, _with(t, 2**32 - 1))),
    "pairs out of order": _first_run(lambda s, r, t: (_swapped(s), _swapped(r), _swapped(t))),
    "ties out of order": _first_run(lambda s, r, t: (numpy.ones(2), [5, 5], [7, 6])),
    "a pair twice": _first_run(lambda s, r, t: (s.repeat(2), r.repeat(2), t.repeat(2))),
    "a score below the threshold": _first_run(lambda s, r, t: (_with(s, math.nextafter(0.8, 0), -1), r, t)),
    "a score above one": _first_run(lambda s, r, t: (_with(s, 1.5), r, t)),
    "a score that is no number": _first_run(lambda s, r, t: ([math.nan], [1], [1])),
    "a score that is no number at the end": _first_run(lambda s, r, t: (_with(s, math.nan, -1), r, t)),
    "another run's number": _frame(run=1),
    "a run that is not full before another": _in_two_runs,
    "a run that is too long": _with_one_pair_too_many,
    "the end before the last frame": lambda answers: [*_frame(last=False)(answers)],
    "one pair fewer than came": _done(pair_count=-1),
    "one run more than came": _done(run_count=1),
    "a comparison less than there are": _done(comparisons=-1),
    "pairs for an assignment that was never made": _renamed,
    "an end for assignment 0": lambda answers: [pb2.MatchResponse(done=pb2.TileDone())],
    "an empty frame": lambda answers: [pb2.MatchResponse()],
    "another introduction": lambda answers: [pb2.MatchResponse(hello=pb2.MatcherHello(matcher_id="x"))],
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
async def test_a_lie_costs_the_liar_its_place_and_nobody_else_anything(honest: processes.Process, lie: Change) -> None:
    work, wanted = _work()
    async with (
        scripted_matcher.scripted(scripted_matcher.changed(_told_where_there_are_pairs(lie))) as liar,
        dispatching.opened_pool(honest.address, liar.address, distrust_seconds=600.0) as pool,
    ):
        await waiting.eventually("both are connected", lambda: pool.matchers == 2)
        await work.finish(pool)
        await waiting.eventually("the liar is dropped", lambda: pool.matchers == 1)
        assert liar.streams == 1
    work.assert_answered(wanted)
    assert liar.tiles


def _told_where_there_are_pairs(lie: Change) -> Change:
    """Several pairs make every lie possible; the work is such that every tile has them."""

    def told(answers: Answers) -> Sequence[pb2.MatchResponse]:
        assert len(answers) == 2 and 2 <= len(answers[0].pairs.left_rows) // 4 < PAIRS_PER_RUN
        return lie(answers)

    return told


async def test_mixing_the_frames_of_two_runs_is_a_lie(honest: processes.Process) -> None:
    """All of them right, but one run's begin before another's end."""
    work, wanted = _work()
    first: list[Answers] = []

    async def mix(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        number, columns = answers[0].pairs.assignment, _columns(answers[0])
        begin = scripted_matcher.frame(number, 0, *(column[:1] for column in columns), last=False)
        end = scripted_matcher.frame(number, 0, *(column[1:] for column in columns))
        if not first:
            first.append([begin, end, answers[1]])
            return
        yield begin
        for answer in [*first[0], end, answers[1]]:
            yield answer

    async with (
        scripted_matcher.scripted(mix) as liar,
        dispatching.opened_pool(honest.address, liar.address, distrust_seconds=600.0) as pool,
    ):
        await waiting.eventually("both are connected", lambda: pool.matchers == 2)
        await work.finish(pool)
        await waiting.eventually("the liar is dropped", lambda: pool.matchers == 1)
    work.assert_answered(wanted)


async def test_pairs_beyond_credit_are_a_lie() -> None:
    """The liar sends one run more than there is credit for, while none of the others is stored."""
    work, wanted = _work(100)

    class Waiting(dispatching.Pairs):
        async def store(self, *columns: Any) -> None:
            await liar.ended.wait()
            await super().store(*columns)

    def greedy(answers: Answers) -> Answers:
        number, rows = answers[0].pairs.assignment, numpy.arange(PAIRS_PER_RUN)
        columns = [(numpy.ones(PAIRS_PER_RUN), numpy.full(PAIRS_PER_RUN, run), rows) for run in range(3)]
        return [scripted_matcher.frame(number, run, *each) for run, each in enumerate(columns)]

    work.sink = Waiting()
    script = scripted_matcher.in_turn(scripted_matcher.changed(greedy), scripted_matcher.honest)
    async with (
        scripted_matcher.scripted(script) as liar,
        dispatching.opened_pool(liar.address, pair_credit_bytes=1, distrust_seconds=0.1, silence_seconds=600.0) as pool,
    ):
        await work.finish(pool)
        assert liar.streams == 2
    work.assert_answered(wanted)


# ---- what a liar stored before it was found out ----


async def test_what_a_liar_stored_is_stored_anew() -> None:
    """It gave a plausible run, lost a pair, and was found out by its end."""
    work, wanted = _work(100, pairs_per_run=100)

    async def lie(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        yield _first_run(lambda s, r, t: (s[1:], r[1:], t[1:]))(answers)[0]
        await waiting.eventually("the lie is stored", lambda: work.sink.stores)
        yield answers[-1]

    script = scripted_matcher.in_turn(lie, scripted_matcher.honest)
    async with (
        scripted_matcher.scripted(script) as matcher,
        dispatching.opened_pool(matcher.address, distrust_seconds=0.1) as pool,
    ):
        await work.finish(pool)
        assert matcher.streams == 2
    work.assert_answered(wanted)
    assert work.sink.stores == 2


def _is(message: pb2.Tile, tile: tiles.Tile) -> bool:
    assert tile.right is not None
    names = [side.chunks[0].digest.hash for side in (tile.left, tile.right)]
    return [message.left[0].hash, message.right[0].hash] == names


async def test_a_lie_that_is_still_being_stored_does_not_outlive_the_truth() -> None:
    """The liar's run is on its way to the sink while it is found out and an honest answer comes."""
    work, wanted = _work(200, pairs_per_run=100)
    lie_may_land = asyncio.Event()

    class Slow(dispatching.Pairs):
        async def store(self, *columns: Any) -> None:
            self.stores += 1
            if self.stores == 1:
                await lie_may_land.wait()
            await super().store(*columns)

    async def lie(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        yield _first_run(lambda s, r, t: (s[1:], r[1:], t[1:]))(answers)[0]
        await waiting.eventually("the lie is on its way", lambda: work.sink.stores)
        yield answers[-1]

    async def honest(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        if not _is(tile, work.plan[0]):
            await lie_may_land.wait()
            await asyncio.sleep(0.2)  # the run is not over before the lie has landed
        for answer in answers:
            yield answer
        if _is(tile, work.plan[0]):
            await asyncio.sleep(0.2)  # the truth lands first, if it may
            lie_may_land.set()

    work.sink = Slow()
    async with (
        scripted_matcher.scripted(scripted_matcher.in_turn(lie, honest), slots=1) as matcher,
        dispatching.opened_pool(matcher.address, distrust_seconds=0.1, silence_seconds=600.0) as pool,
    ):
        await work.finish(pool)
    work.assert_answered(wanted)


async def test_two_matchers_that_disagree_fail_the_run() -> None:
    """The first gave a plausible run and died; what the second finds is different. Nobody can tell who is right."""
    work, _ = _work(100, pairs_per_run=100)

    async def lie(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        yield _first_run(lambda s, r, t: (s[1:], r[1:], t[1:]))(answers)[0]
        await waiting.eventually("the lie is stored", lambda: work.sink.stores)
        raise scripted_matcher.Hang

    script = scripted_matcher.in_turn(lie, scripted_matcher.honest)
    async with scripted_matcher.scripted(script) as matcher, dispatching.opened_pool(matcher.address) as pool:
        with pytest.raises(errors.InternalError, match="different pairs for tile 0"):
            await work.finish(pool)


async def test_what_a_matcher_stored_before_it_died_is_not_stored_again() -> None:
    work, wanted = _work(100, pairs_per_run=100)

    async def die(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        yield answers[0]
        await waiting.eventually("the run is stored", lambda: work.sink.stores)
        raise scripted_matcher.Hang

    script = scripted_matcher.in_turn(die, scripted_matcher.honest)
    async with scripted_matcher.scripted(script) as matcher, dispatching.opened_pool(matcher.address) as pool:
        await work.finish(pool)
    work.assert_answered(wanted)
    assert work.sink.stores == 1


# ---- tiles that fail ----


def _failing(*, retryable: bool) -> scripted_matcher.Script:
    async def fail(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        failed = pb2.TileFailed(
            assignment=tile.assignment, reason="LIMIT_EXCEEDED", message="scripted", retryable=retryable
        )
        yield pb2.MatchResponse(failed=failed)

    return fail


async def test_a_tile_that_cannot_be_compared_is_refused_at_once() -> None:
    work, _ = _work()
    async with (
        scripted_matcher.scripted(_failing(retryable=False)) as matcher,
        dispatching.opened_pool(matcher.address) as pool,
    ):
        with pytest.raises(errors.StateError, match="scripted") as refused:
            await work.finish(pool)
    assert refused.value.reason is errors.Reason.TILE_REFUSED


async def test_a_tile_that_fails_again_and_again_is_refused() -> None:
    work, _ = _work(100, pairs_per_run=100)
    async with (
        scripted_matcher.scripted(_failing(retryable=True)) as matcher,
        dispatching.opened_pool(matcher.address, attempts=3) as pool,
    ):
        with pytest.raises(errors.StateError) as refused:
            await work.finish(pool)
    assert refused.value.facts["attempts"] == "3"
    assert len(matcher.tiles) == 3


async def test_a_tile_that_fails_on_one_matcher_is_compared_by_another(honest: processes.Process) -> None:
    work, wanted = _work()
    async with (
        scripted_matcher.scripted(_failing(retryable=True), slots=4) as broken,
        dispatching.opened_pool(broken.address, honest.address, attempts=2) as pool,
    ):
        await waiting.eventually("both are connected", lambda: pool.matchers == 2)
        await work.finish(pool)
    work.assert_answered(wanted)
    assert broken.tiles


async def test_a_tile_that_kills_every_matcher_is_refused() -> None:
    async def die(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        for _ in answers:
            raise scripted_matcher.Hang
        yield answers[0]

    work, _ = _work(100, pairs_per_run=100)
    async with scripted_matcher.scripted(die) as matcher, dispatching.opened_pool(matcher.address, attempts=3) as pool:
        with pytest.raises(errors.StateError) as refused:
            await work.finish(pool)
    assert refused.value.reason is errors.Reason.TILE_REFUSED
    assert matcher.streams >= 3


# ---- tiles that are late ----


async def test_a_tile_that_stands_still_is_given_to_another(honest: processes.Process) -> None:
    """Before the others are done: nobody is idle and could help out."""
    work, wanted = _work(3000)
    async with (
        scripted_matcher.scripted(scripted_matcher.stuck, slots=1) as stuck,
        dispatching.opened_pool(honest.address, stuck.address, stall_seconds=0.3) as pool,
    ):
        await waiting.eventually("both are connected", lambda: pool.matchers == 2)
        await work.finish(pool)
        await waiting.eventually("the loser is told", lambda: len(stuck.cancelled) == len(stuck.tiles))
    work.assert_answered(wanted)
    order = [answer.index for answer in work.answers]
    standing = [tile.index for message in stuck.tiles for tile in work.plan if _is(message, tile)]
    assert standing and max(order.index(index) for index in standing[:2]) < len(order) - 50


async def test_a_slow_tile_is_doubled_and_a_waiting_one_moved_when_somebody_is_idle(honest: processes.Process) -> None:
    """Nothing here is late by the clock: both are found by comparing what is left with what an idle slot could do."""
    work, wanted = _work()

    async def crawl(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        if tile.assignment > 1:
            await asyncio.Event().wait()  # its turn never comes
        for comparisons in range(1, 10_000):
            yield pb2.MatchResponse(progress=pb2.TileProgress(assignment=tile.assignment, comparisons=comparisons))
            await asyncio.sleep(0.05)

    async with (
        scripted_matcher.scripted(crawl, slots=1) as slow,
        dispatching.opened_pool(honest.address, slow.address, stall_seconds=600.0, silence_seconds=600.0) as pool,
    ):
        await waiting.eventually("both are connected", lambda: pool.matchers == 2)
        await work.finish(pool)
        await waiting.eventually("the slow one is told", lambda: len(slow.cancelled) == len(slow.tiles))
    work.assert_answered(wanted)
    assert len(slow.tiles) == 2


async def test_who_was_silent_may_still_win() -> None:
    """The only matcher says nothing for longer than is trusted, then answers."""
    work, wanted = _work(100, pairs_per_run=100)
    release = asyncio.Event()

    async def late(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        await release.wait()
        for answer in answers:
            yield answer

    async with (
        scripted_matcher.scripted(late) as matcher,
        dispatching.opened_pool(matcher.address, silence_seconds=0.1) as pool,
    ):
        finishing = asyncio.create_task(work.finish(pool))
        served = await _served(pool)
        await waiting.eventually("it is taken for hung", lambda: served.silent)
        release.set()
        await finishing
    work.assert_answered(wanted)
    assert len(matcher.tiles) == 1 and not served.silent


async def test_who_was_silent_and_is_back_keeps_its_tile() -> None:
    """A matcher that joins after that finds nothing to do."""
    work, wanted = _work(100, pairs_per_run=100)
    speak, answer = asyncio.Event(), asyncio.Event()

    async def late(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        await speak.wait()
        yield pb2.MatchResponse(progress=pb2.TileProgress(assignment=tile.assignment, comparisons=5))
        await answer.wait()
        for each in answers:
            yield each

    port = processes.free_port()
    async with (
        scripted_matcher.scripted(late) as matcher,
        dispatching.opened_pool(matcher.address, f"127.0.0.1:{port}", silence_seconds=0.3) as pool,
    ):
        finishing = asyncio.create_task(work.finish(pool))
        served = await _served(pool)
        await waiting.eventually("it is taken for hung", lambda: served.silent)
        speak.set()
        await waiting.eventually("it is back", lambda: work.progress == [5])
        served.heard += 600.0  # and stays trusted, although it says nothing for a while
        async with scripted_matcher.scripted(port=port) as other:
            await waiting.eventually("the other has joined", lambda: pool.matchers == 2)
            answer.set()
            await finishing
    work.assert_answered(wanted)
    assert not other.tiles


async def test_a_matcher_that_had_nothing_to_do_is_not_taken_for_hung(caplog: pytest.LogCaptureFixture) -> None:
    work, wanted = _work(100, pairs_per_run=100)

    async def slowly(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        await asyncio.sleep(0.2)  # several looks at the clock
        for each in answers:
            yield each

    async with (
        scripted_matcher.scripted(slowly) as matcher,
        dispatching.opened_pool(matcher.address, silence_seconds=30.0) as pool,
    ):
        served = await _served(pool)
        served.heard -= 3600.0  # it was connected for long
        await work.finish(pool)
    work.assert_answered(wanted)
    assert "matcher is silent" not in [record.message for record in caplog.records]


async def _served(pool: Any) -> Any:
    await waiting.eventually("a matcher is connected", lambda: pool._matchers)
    return next(iter(pool._matchers.values()))


# ---- credit ----


async def test_what_came_of_a_run_that_nobody_wants_any_more_is_credited() -> None:
    work, _ = _work(100)
    sent: list[int] = []

    async def begin(tile: pb2.Tile, answers: Answers) -> AsyncIterator[pb2.MatchResponse]:
        frame = scripted_matcher.frame(tile.assignment, 0, *_columns(answers[0]), last=False)
        yield frame
        yield pb2.MatchResponse(progress=pb2.TileProgress(assignment=tile.assignment, comparisons=7))
        sent.append(16 * (len(frame.pairs.scores) // 8))
        await asyncio.Event().wait()

    async with (
        scripted_matcher.scripted(begin) as matcher,
        dispatching.opened_pool(matcher.address, pair_credit_bytes=1 << 20, silence_seconds=600.0) as pool,
    ):
        async with contextlib.aclosing(work.begun(pool)) as answers:
            waits = asyncio.create_task(anext(answers))
            await waiting.eventually("the run has begun to come", lambda: work.progress == [7])
            assert matcher.credit == 1 << 20
            waits.cancel()
            await asyncio.gather(waits, return_exceptions=True)
        await waiting.eventually("credit comes back", lambda: matcher.credit == (1 << 20) + sent[0])


# ---- introductions ----


@pytest.mark.parametrize(
    "introduction",
    [{"protocol": 2}, {"protocol": 0}, {"matcher_id": ""}, {"slots": 0}, {"chunk_credit_bytes": 0}],
)
async def test_nobody_works_with_a_matcher_it_does_not_understand(
    honest: processes.Process, introduction: dict[str, Any]
) -> None:
    work, wanted = _work()
    async with (
        scripted_matcher.scripted(introduction=introduction) as strange,
        dispatching.opened_pool(strange.address, honest.address) as pool,
    ):
        await work.finish(pool)
        await waiting.eventually("the strange one was dialled", lambda: strange.streams)
    work.assert_answered(wanted)
    assert not strange.tiles


@pytest.mark.parametrize("introduction", [{"metrics": ["jaccard"]}, {"max_width_bits": 256}])
async def test_a_matcher_gets_no_tile_beyond_its_word(honest: processes.Process, introduction: dict[str, Any]) -> None:
    work, wanted = _work()
    async with (
        scripted_matcher.scripted(introduction=introduction) as lesser,
        dispatching.opened_pool(lesser.address, honest.address) as pool,
    ):
        await waiting.eventually("both are connected", lambda: pool.matchers == 2)
        await work.finish(pool)
    work.assert_answered(wanted)
    assert not lesser.tiles


async def test_chunks_that_a_matcher_holds_are_not_sent() -> None:
    work, _ = _work(200)
    names = [digest_pb2.Digest(hash=digest.hash, size_bytes=digest.size_bytes) for digest in work.source.blobs]
    async with (
        scripted_matcher.scripted(introduction={"held": names}) as matcher,
        dispatching.opened_pool(matcher.address) as pool,
        contextlib.aclosing(work.begun(pool)) as answers,
    ):
        waits = asyncio.create_task(anext(answers))
        await waiting.eventually("tiles came", lambda: matcher.tiles)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
    assert not work.source.reads


def test_the_work_of_these_tests_has_several_pairs_in_every_tile() -> None:
    """Otherwise a liar would find no occasion."""
    work, wanted = _work()
    cells = {(left // 100, right // 100) for _, left, right in wanted}
    assert len(cells) == len(work.plan)
    assert isinstance(work.plan[0], tiles.Tile)
