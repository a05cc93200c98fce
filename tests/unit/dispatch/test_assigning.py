"""Which tile a matcher gets: locality, fairness among runs, limits, and help for those who are slow."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from hushlink_coordinator.dispatch import assigning, comparison, held_chunks
from hushlink_domain import chunks, digests, metrics, tiles

COMPARING = tiles.Comparing(64, metrics.Metric.DICE, 0.8, 100)
ROWS = 1000


def _side(dataset: int, chunk: int) -> tiles.Side:
    digest = digests.Digest(bytes([dataset, chunk]) * 16, 64 * ROWS)
    return tiles.Side(dataset, (chunks.ChunkRef(digest, chunk * ROWS, ROWS),))


def _grid(left: int, right: int) -> list[tiles.Tile]:
    return [
        tiles.Tile(one * right + other, _side(0, one), _side(1, other)) for one in range(left) for other in range(right)
    ]


@dataclasses.dataclass(eq=False)
class Matcher:
    """A matcher that remembers."""

    matcher_id: str = "m"
    slots: int = 1
    capacity_bytes: int = 1 << 30
    capable: bool = True
    copies: list[comparison.Copy] = dataclasses.field(default_factory=list)
    dropped: list[comparison.Copy] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.held = held_chunks.HeldChunks(self.capacity_bytes)
        self.sent_bytes = 0

    def drop(self, copy: comparison.Copy) -> None:
        self.copies.remove(copy)
        self.dropped.append(copy)

    def can_ever_take(self, needs: held_chunks.Needs, comparing: tiles.Comparing) -> bool:
        return self.capable

    def has_room_for(self, needs: held_chunks.Needs) -> bool:
        return held_chunks.size_of(needs) <= self.capacity_bytes

    def missing_bytes(self, needs: held_chunks.Needs) -> int:
        return self.held.missing_bytes(needs)

    def take(self, choice: tuple[comparison.Comparison, comparison.OpenTile]) -> comparison.Copy:
        work, open_tile = choice
        for digest in self.held.to_send(open_tile.needs):
            self.sent_bytes += digest.size_bytes
            self.held.sent(digest)
        copy = work.give(open_tile, self, len(self.copies) + 1)
        self.copies.append(copy)
        return copy


def _opened(plan: list[tiles.Tile]) -> comparison.Comparison:
    nothing: Any = None
    return comparison.Comparison(plan, COMPARING, nothing, nothing, lambda _: None, lambda: None, attempts=3)


def _next(matcher: Matcher, *works: comparison.Comparison, others: tuple[Matcher, ...] = ()) -> Any:
    return assigning.next_tile(matcher, others, works, asyncio.get_running_loop().time())


async def test_one_matcher_goes_row_by_row() -> None:
    matcher, work = Matcher(), _opened(_grid(3, 4))
    taken = [matcher.take(_next(matcher, work)).tile.index for _ in range(12)]
    assert taken == list(range(12))
    assert _next(matcher, work) is None
    assert matcher.sent_bytes == 7 * 64 * ROWS


@pytest.mark.parametrize("count", [2, 3, 5])
async def test_many_matchers_send_less_than_everything_to_everybody(count: int) -> None:
    matchers, work = [Matcher() for _ in range(count)], _opened(_grid(10, 10))
    for turn in range(100):
        matcher = matchers[turn % count]
        matcher.take(_next(matcher, work))
    assert all(matcher.sent_bytes <= 20 * 64 * ROWS for matcher in matchers)
    assert sum(matcher.sent_bytes for matcher in matchers) < 0.9 * count * 20 * 64 * ROWS


async def test_looks_only_so_far() -> None:
    work = _opened(_grid(1, 200))
    assert len(list(work.waiting())) == comparison.WINDOW


async def test_the_run_with_the_fewest_tiles_at_work_comes_first() -> None:
    matcher, works = Matcher(), [_opened(_grid(2, 2)), _opened(_grid(2, 2))]
    turns = [works.index(matcher.take(_next(matcher, *works)).comparison) for _ in range(6)]
    assert turns == [0, 1, 0, 1, 0, 1]


async def test_skips_what_is_beyond_a_matcher() -> None:
    work = _opened(_grid(1, 2))
    assert _next(Matcher(capable=False), work) is None
    assert _next(Matcher(capacity_bytes=64 * ROWS), work) is None


async def test_a_matcher_gets_no_second_copy_of_its_own_tile() -> None:
    matcher, work = Matcher(), _opened(_grid(1, 1))
    copy = matcher.take(_next(matcher, work))
    work.wait_again(copy.open_tile)
    assert _next(matcher, work) is None
    assert _next(Matcher("other"), work) == (work, copy.open_tile)


async def test_a_tile_that_failed_is_kept_for_others_as_long_as_there_are_some() -> None:
    matcher, other, work = Matcher(), Matcher("other"), _opened(_grid(1, 1))
    open_tile = next(work.waiting())
    open_tile.avoided["m"] = 0.0  # long ago
    assert _next(matcher, work, others=(matcher, other)) is None
    assert _next(matcher, work, others=(matcher, Matcher("other", capable=False))) is not None
    assert _next(matcher, work, others=(matcher,)) is not None
    open_tile.avoided["m"] = asyncio.get_running_loop().time() + 100.0
    assert _next(matcher, work, others=(matcher,)) is None
    assert _next(other, work, others=(matcher, other)) is not None


class Pressed:
    """A matcher with one slot and two tiles, a hundred seconds after it began with the first."""

    def __init__(self) -> None:
        self.matcher, self.work = Matcher("pressed"), _opened(_grid(1, 2))
        self.running, self.queued = (self.matcher.take(_next(self.matcher, self.work)) for _ in range(2))
        self.now = self.running.since + 100.0

    def help_from(self, idle: Matcher, speed: float | None) -> Any:
        return assigning.slowest_elsewhere(idle, speed, [self.matcher], self.now)


async def test_an_idle_matcher_takes_over_what_another_has_not_begun() -> None:
    pressed = Pressed()
    assert pressed.help_from(Matcher("idle"), None) == (pressed.queued, False)


async def test_a_tile_is_doubled_only_where_that_pays() -> None:
    pressed = Pressed()
    pressed.work.move(pressed.queued)
    total = pressed.running.tile.comparisons
    pressed.running.comparisons = total // 10  # in 100 seconds, so 900 more to go
    idle = Matcher("idle")
    assert pressed.help_from(idle, total / 500) == (pressed.running, True)
    assert pressed.help_from(idle, total / 700) is None
    assert pressed.help_from(idle, None) is None
    pressed.running.comparisons = 0  # nothing for 100 seconds
    assert pressed.help_from(idle, total / 50) == (pressed.running, True)
    assert pressed.help_from(idle, total / 90) is None


async def test_a_tile_is_doubled_once() -> None:
    pressed = Pressed()
    pressed.work.move(pressed.queued)
    Matcher("second").take((pressed.work, pressed.running.open_tile))
    assert pressed.help_from(Matcher("idle"), 1e12) is None


async def test_no_help_beyond_ones_means() -> None:
    pressed = Pressed()
    assert pressed.help_from(Matcher("idle", capable=False), 1e12) is None
    pressed.running.open_tile.avoided["idle"] = pressed.queued.open_tile.avoided["idle"] = 0.0
    assert pressed.help_from(Matcher("idle"), 1e12) is None
