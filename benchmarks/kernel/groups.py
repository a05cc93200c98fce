"""The greedy solver beside anonlink's, on people with a record in most datasets and chance pairs between them.

anonlink gets fewer pairs where it would take too long: its speed only falls as they grow.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
from numpy import typing as npt

import hushlink_native
from benchmarks.kernel import memory, rivals, rounds, table

PARTIES = (2, 4)
BATCH_PAIRS = 65_536
PRESENT = 0.6
"""Chance that a person's records of two parties are a candidate pair."""
CHANCE_SHARE = 0.3
"""Share of the pairs that join two people."""

BAR = table.Bar(10)
BYTES_BAR = 40
"""Most bytes per record for two parties."""


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """Candidate pairs, best score first, as the kernel hands them on."""

    parties: int
    records: int
    """Of each party."""
    datasets: tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]
    rows: tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]

    @classmethod
    def invented(cls, pairs: int, parties: int) -> Problem:
        """About so many pairs; true ones score higher, though not all."""
        rng = np.random.default_rng(parties)
        sides = list(itertools.combinations(range(parties), 2))
        people = max(2, int(pairs * (1 - CHANCE_SHARE) / (PRESENT * len(sides))))
        chance = int(pairs * CHANCE_SHARE / len(sides))
        true = [np.flatnonzero(rng.random(people) < PRESENT) for _ in sides]
        counts = [len(rows) + chance for rows in true]
        x, y = (
            np.concatenate([part for rows in true for part in (rows, rng.integers(0, people, chance))]) for _ in "xy"
        )
        means = np.concatenate([part for n in counts for part in (np.full(n - chance, 0.92), np.full(chance, 0.86))])
        order = np.argsort(-rng.normal(means, 0.03))
        a, b = (np.repeat([side[end] for side in sides], counts).astype(np.uint16)[order] for end in (0, 1))
        return cls(parties, people, (a, b), (x[order].astype(np.uint32), y[order].astype(np.uint32)))

    def __len__(self) -> int:
        return len(self.rows[0])

    def solved(self) -> tuple[hushlink_native.GreedySolver, hushlink_native.GroupColumns]:
        """The kernel's groups, fed in batches, and the solver that still holds them."""
        solver = hushlink_native.GreedySolver([self.records] * self.parties)
        (a, b), (x, y) = self.datasets, self.rows
        for first in range(0, len(self), BATCH_PAIRS):
            part = slice(first, first + BATCH_PAIRS)
            solver.feed(a[part], b[part], x[part], y[part])
        return solver, solver.groups()

    def bytes_per_record(self) -> float:
        """What solving needs at its peak, the groups it gives included.

        As the system counts it; where memory that was free before is used again, no less than what the solver tells.
        """
        told = 0

        def work() -> object:
            nonlocal told
            solver, found = solved = self.solved()
            told = solver.memory + sum(column.nbytes for column in (found.offsets, found.datasets, found.rows))
            return solved

        return max(memory.growth(work), told) / (self.records * self.parties)


def solver(count: int, pairs: int, rival_pairs: int, parties: int) -> table.Result:
    """The solver at `pairs`, anonlink's at as many or fewer."""
    problem, smaller = Problem.invented(pairs, parties), Problem.invented(rival_pairs, parties)
    room = problem.bytes_per_record()
    wide = tuple(side.astype(np.uint32) for side in smaller.datasets)  # as anonlink's own candidates are
    candidates = (np.ones(len(smaller)), wide, smaller.rows)
    solving = rivals.anonlink().solving
    contenders = [
        rounds.Contender(rounds.OURS, problem.solved, len(problem)),
        rounds.Contender("anonlink", lambda: solving.greedy_solve(candidates), len(smaller)),
    ]
    title = f"greedy solver, {parties} parties, {len(problem) / 1e6:.1f} M pairs, {room:.0f} bytes per record"
    if parties == 2:
        title += f" (bar {BYTES_BAR}: {'reached' if room <= BYTES_BAR else 'MISSED'})"
    speeds = rounds.interleaved(contenders, count)
    return table.Result(title, "C", speeds, {"anonlink": {table.ANY_PATH: BAR}}, scale=(1e6, "M/s"))
