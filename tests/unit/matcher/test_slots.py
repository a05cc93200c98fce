"""Slots: never more at a time than there are, and shared fairly."""

from __future__ import annotations

import asyncio
import random

import pytest

from hushlink_matcher import slots


class Desk:
    """Runs turns one step at a time and writes down who had one."""

    def __init__(self, count: int) -> None:
        self.slots = slots.Slots(count)
        self.served: list[str] = []
        self.at_work: list[tuple[str, asyncio.Event]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def ask(self, holder: str, name: str, *, ahead: bool = False) -> asyncio.Task[None]:
        task = asyncio.create_task(self._turn(holder, name, ahead=ahead))
        self.tasks.append(task)
        return task

    async def _turn(self, holder: str, name: str, *, ahead: bool) -> None:
        async with self.slots.turn(holder, ahead=ahead):
            done = asyncio.Event()
            self.served.append(name)
            self.at_work.append((name, done))
            await done.wait()

    def finish(self, name: str) -> None:
        place = [each for each, _ in self.at_work].index(name)
        self.at_work.pop(place)[1].set()


async def _settled() -> None:
    """Every task has gone as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_gives_no_more_than_there_are() -> None:
    desk = Desk(2)
    for name in "abc":
        desk.ask("one", name)
    await _settled()
    assert desk.served == ["a", "b"]
    desk.finish("b")
    await _settled()
    assert desk.served == ["a", "b", "c"]
    for name in "ac":
        desk.finish(name)
    await asyncio.gather(*desk.tasks)


async def test_the_holder_with_the_fewest_comes_first() -> None:
    desk = Desk(2)
    for name in ("a1", "a2", "a3", "a4"):
        desk.ask("a", name)
    await _settled()
    desk.ask("b", "b1")
    desk.ask("b", "b2")
    await _settled()
    for name in ("a1", "a2", "b1", "a3"):
        desk.finish(name)
        await _settled()
    assert desk.served == ["a1", "a2", "b1", "a3", "b2", "a4"]
    for name in ("b2", "a4"):
        desk.finish(name)
    await asyncio.gather(*desk.tasks)


async def test_equals_take_turns() -> None:
    desk = Desk(1)
    for holder in "abc":
        for number in range(3):
            desk.ask(holder, f"{holder}{number}")
    for _ in range(9):
        await _settled()
        desk.finish(desk.served[-1])
    await asyncio.gather(*desk.tasks)
    assert desk.served == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


async def test_who_goes_on_comes_before_who_begins_of_the_same_holder() -> None:
    desk = Desk(1)
    desk.ask("a", "first")
    await _settled()
    desk.ask("a", "begins")
    desk.ask("a", "goes on", ahead=True)
    await _settled()
    for name in ("first", "goes on", "begins"):
        desk.finish(name)
        await _settled()
    assert desk.served == ["first", "goes on", "begins"]


@pytest.mark.parametrize("seed", range(20))
async def test_no_slot_is_lost_whoever_gives_up(seed: int) -> None:
    generator = random.Random(seed)
    desk = Desk(3)
    for number in range(60):
        desk.ask(generator.choice("abc"), str(number), ahead=generator.random() < 0.3)
        for _ in range(generator.randrange(3)):
            await asyncio.sleep(0)
        if generator.random() < 0.4:
            generator.choice(desk.tasks).cancel()
        if desk.at_work and generator.random() < 0.5:
            desk.finish(generator.choice(desk.at_work)[0])
        if generator.random() < 0.2:  # given up in the very moment of being served
            for task in generator.sample(desk.tasks, min(5, len(desk.tasks))):
                task.cancel()
    for task in desk.tasks:
        task.cancel()
    await asyncio.gather(*desk.tasks, return_exceptions=True)
    fresh = [asyncio.create_task(desk._turn("d", f"fresh {number}", ahead=False)) for number in range(4)]
    await _settled()
    assert desk.served[-3:] == ["fresh 0", "fresh 1", "fresh 2"], "all three slots are free again"
    for task in fresh:
        task.cancel()
    await asyncio.gather(*fresh, return_exceptions=True)
