"""Rounds: everybody's work in turn, again and again, so that what else the machine does hits all alike."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

OURS = "hushlink"


@dataclasses.dataclass(frozen=True, slots=True)
class Contender:
    """Somebody's work and how many pairs it compares or solves."""

    name: str
    work: Callable[[], object]
    pairs: int


@dataclasses.dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the rounds."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def best(self) -> float:
        """The greatest."""
        return max(self.values)

    def __str__(self) -> str:
        return " / ".join(f"{value:.2f}" for value in (min(self.values), self.median, self.best))


@dataclasses.dataclass(frozen=True, slots=True)
class Speeds:
    """Pairs per second of every contender, round by round."""

    of: Mapping[str, Sequence[float]]
    found: Mapping[str, object]
    """What everybody's work gave in the last round."""

    @property
    def rivals(self) -> list[str]:
        """Everybody but ourselves."""
        return [name for name in self.of if name != OURS]

    def median(self, name: str) -> float:
        """A contender's median."""
        return statistics.median(self.of[name])

    def ratios(self, rival: str) -> Spread:
        """How many times as fast as the rival we were in each round."""
        return Spread([ours / theirs for ours, theirs in zip(self.of[OURS], self.of[rival], strict=True)])


def interleaved(contenders: Sequence[Contender], rounds: int, clock: Callable[[], float] = time.thread_time) -> Speeds:
    """Let all work in turn, so many times; by this thread's processor time, as each of them has one thread."""
    speeds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    found: dict[str, object] = {}
    for _ in range(rounds):
        for contender in contenders:
            begin = clock()
            result = contender.work()
            speeds[contender.name].append(contender.pairs / (clock() - begin))
            found[contender.name] = result
    return Speeds(speeds, found)
