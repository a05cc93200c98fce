"""The greedy solver beside anonlink's, on people with a record in most datasets and chance pairs between them."""

from __future__ import annotations

import dataclasses

import numpy as np

import hushlink_native
from benchmarks.kernel import memory, rivals, rounds, table

PARTIES = (2, 4)
BATCH_PAIRS = 65_536
TRUE_SHARE = 0.7
"""Share of the pairs that join two records of one person."""

BAR = table.Bar(10)
BYTES_BAR = 40
"""Most bytes per record for two parties."""


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """Candidate pairs in canonical order, all with the same score."""

    parties: int
    records: int
    """Of each party."""
    datasets: tuple[np.ndarray, np.ndarray]
    rows: tuple[np.ndarray, np.ndarray]

    @classmethod
    def invented(cls, pairs: int, parties: int) -> Problem:
        """So many pairs of different parties, about parties * (parties - 1) for each person."""
        rng = np.random.default_rng(parties)
        people = max(2, pairs // (parties * (parties - 1)))
        one = rng.integers(0, parties, pairs)
        other = (one + rng.integers(1, parties, pairs)) % parties
        x = rng.integers(0, people, pairs)
        y = np.where(rng.random(pairs) < TRUE_SHARE, x, rng.integers(0, people, pairs))
        a, b, x, y = (
            column.astype(np.uint32) for column in (np.minimum(one, other), np.maximum(one, other), x, y)
        )
        return cls(parties, people, (a, b), (x, y))

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
        """What solving needs at its peak, the groups it gives included."""
        return memory.growth(self.solved) / (self.records * self.parties)


def solver(count: int, pairs: int, rival_pairs: int, parties: int) -> table.Result:
    """The solver at `pairs`, anonlink's at as many or fewer."""
    problem, smaller = Problem.invented(pairs, parties), Problem.invented(rival_pairs, parties)
    room = problem.bytes_per_record()
    candidates = (np.ones(len(smaller)), smaller.datasets, smaller.rows)
    solving = rivals.anonlink().solving
    contenders = [
        rounds.Contender(rounds.OURS, problem.solved, len(problem)),
        rounds.Contender("anonlink", lambda: solving.greedy_solve(candidates), len(smaller)),
    ]
    title = f"greedy solver, {parties} parties, {len(problem) / 1e6:.2g} M pairs, {room:.0f} bytes per record"
    if parties == 2:
        title += f" (bar {BYTES_BAR}: {'reached' if room <= BYTES_BAR else 'MISSED'})"
    speeds = rounds.interleaved(contenders, count)
    return table.Result(title, "C", speeds, {"anonlink": {table.ANY_PATH: BAR}}, scale=(1e6, "M/s"))
