"""Cases of the join: realistic and random rows, thresholds, paths."""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import hushlink_native
from benchmarks.kernel import encodings, rivals, rounds, table
from benchmarks.kernel.sizes import Sizes

BUFFER_PAIRS = 1 << 16
SLOW_PATHS = ("portable", "popcnt")
"""Paths for which the full number of left rows takes too long."""

TWO_THREADS_ROUNDS = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """A question to the join: which rows, which threshold."""

    name: str
    fill: str
    threshold: float
    prune: bool = True
    bars: table.Bars = dataclasses.field(default_factory=dict)
    lower_paths: bool = False
    """Is it asked of paths below the best too?"""

    def title(self, fill: float) -> str:
        """The case in words, with the fill that was reached."""
        how = "pruning on" if self.prune else "straight"
        rows = "random" if self.fill == encodings.RANDOM else "realistic"
        return f"{how}, {rows}, fill {fill:.2f}, t={self.threshold:.2f}".replace("0.", ".")


def _bars(avx512: float, speed: float = 0.0, **lower: float) -> table.Bars:
    return {"avx512": table.Bar(avx512, speed), **{path: table.Bar(ratio) for path, ratio in lower.items()}}


CASES = (
    Case("straight", ".43", 0.85, prune=False, bars=_bars(6, 1e9, avx2=1.6, popcnt=1.2), lower_paths=True),
    Case("random", encodings.RANDOM, 0.55, bars=_bars(6, 1e9)),
    Case("t80", ".43", 0.80, bars=_bars(12)),
    Case("t85", ".43", 0.85, bars=_bars(16, avx2=4, popcnt=1.2), lower_paths=True),
    Case("t90", ".43", 0.90, bars=_bars(22)),
    Case("t95", ".43", 0.95, bars=_bars(30)),
    Case("fill25", ".25", 0.85, bars=_bars(20)),
    Case("fill50", ".50", 0.85),
    Case("fill68", ".68", 0.85),
)
PEER = "anonlink"
"""The rival that the bars are set against."""

HALF, THREADS = "half", "threads"
"""Names of the cases that are not in CASES."""

Rows = encodings.Rows


class Bench:
    """Runs cases; the rows of a fill are made once."""

    def __init__(self, sizes: Sizes, count: int, opponents: Sequence[rivals.Rival]) -> None:
        self._sizes = sizes
        self._rounds = count
        self._rivals = opponents
        self._peer = [rival for rival in opponents if rival.name == PEER]
        self.remarks: list[str] = []
        """What the table alone does not tell."""
        self._rows = functools.cache(lambda fill: encodings.pair(fill, sizes.left, sizes.right))

    def run(self, case: Case, path: str, *, alone: bool) -> table.Result:
        """One case beside every rival, or beside anonlink alone."""
        left, right = self._rows(case.fill)
        few = left[: self._sizes.peer_left]
        mine = few if path in SLOW_PATHS else left
        contenders = [rounds.Contender(rounds.OURS, drained(mine, right, case, path), len(mine) * len(right))]
        for rival in self._peer if alone else self._rivals:
            theirs = few if rival in self._peer else left[: self._sizes.rival_left]
            work = rival.prepare(theirs, right, case.threshold)
            contenders.append(rounds.Contender(rival.name, work, len(theirs) * len(right)))
        speeds = rounds.interleaved(contenders, self._rounds)
        if PEER in speeds.found:
            self._compare(case, drained(few, right, case, path)(), speeds.found[PEER])
        title = case.title(encodings.fill_of(mine, right))
        lower = path != hushlink_native.kernel_paths()[-1]
        return table.Result(title, path, speeds, {PEER: case.bars} if case.bars else {}, lower=lower)

    def _compare(self, case: Case, ours: int, theirs: object) -> None:
        if ours != theirs:
            self.remarks.append(f"{case.name}: anonlink finds {theirs} pairs where the kernel finds {ours}")

    def half(self, path: str) -> table.Result:
        """All results of random rows at a threshold that half of all pairs reach, into one buffer, unsorted."""
        case = Case(HALF, encodings.RANDOM, 0.5, bars={"avx512": table.Bar(30)})
        left, right = encodings.random(self._sizes.half, self._sizes.half)
        contenders = [rounds.Contender(rounds.OURS, drained(left, right, case, path), len(left) * len(right))]
        few = self._sizes.peer_half
        for rival in self._peer:
            work = rival.prepare(left[:few], right[:few], case.threshold)
            contenders.append(rounds.Contender(rival.name, work, len(left[:few]) * len(right[:few])))
        title = "half of all pairs match, random, t=.50"
        return table.Result(title, path, rounds.interleaved(contenders, self._rounds), {PEER: case.bars})

    def threads(self, path: str) -> table.Result:
        """Two joins in two threads beside the same two one after the other, by the clock on the wall."""
        case = next(case for case in CASES if case.name == "t85")
        left, right = self._rows(case.fill)
        left = left[: self._sizes.left // (20 if path in SLOW_PATHS else 2)]
        works = [drained(left, right, case, path) for _ in "ab"]
        pairs = 2 * len(left) * len(right)
        contenders = [
            rounds.Contender(rounds.OURS, lambda: _together(works), pairs),
            rounds.Contender("one thread", lambda: [work() for work in works], pairs),
        ]
        speeds = rounds.interleaved(contenders, TWO_THREADS_ROUNDS, time.perf_counter)
        bars = {"one thread": {table.ANY_PATH: table.Bar(1.85)}}
        return table.Result("two threads on two cores, best round", path, speeds, bars, by_best=True)


def drained(left: Rows, right: Rows, case: Case, path: str) -> rivals.Work:
    """A join whose pairs go to one reused buffer, in the kernel's own order."""
    buffer = hushlink_native.PairColumns.empty(BUFFER_PAIRS)

    def work() -> int:
        join = hushlink_native.Join(left, right, case.threshold, path=path, prune=case.prune)
        pairs = 0
        while not join.done:
            pairs += join.fill(buffer)
        return pairs

    return work


def _together(works: Sequence[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def lower_paths(best: str) -> Iterator[str]:
    """The paths below the best that have a bar, the faster first."""
    available = hushlink_native.kernel_paths()
    below = available[: available.index(best)]
    yield from (path for path in ("avx2", "popcnt") if path in below)
