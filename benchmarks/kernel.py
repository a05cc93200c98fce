"""The kernel beside anonlink on the same data and core; prints one table in Markdown.

    .venv/bin/python benchmarks/kernel.py [--rounds 5] [--rows 20000] [--paths avx2 popcnt]

Each round runs both, one after the other, and gives one ratio; a row shows the least, the median and
the greatest of them. Speeds are per second of processor time of one thread, so that other work on the
machine disturbs them little; the row for two threads uses the wall clock, and its rival is ourselves.
"""

import argparse
import collections
import dataclasses
import statistics
import threading
import time
import warnings
from collections.abc import Callable

import numpy
from bitarray import bitarray

import hushlink_native

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # anonlink imports pkg_resources
    import anonlink.similarities  # type: ignore[import-untyped]
    import anonlink.solving  # type: ignore[import-untyped]

WIDTH = 128
RIVAL_ROWS = 4_000
"""Rows a side for anonlink, whose speed does not depend on them from there on."""

SLOW_PATHS = ("portable", "popcnt")

Rows = numpy.ndarray


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """Speeds of the rounds of one case, in pairs compared or solved per second."""

    name: str
    unit: str
    ours: list[float]
    theirs: list[float]

    def row(self) -> str:
        """The case as a row of the table."""
        scale, unit = (1e6, "M") if self.unit == "solved" else (1e9, "G")
        ratios = [a / b for a, b in zip(self.ours, self.theirs, strict=True)]
        spread = f"{min(ratios):.1f} / {statistics.median(ratios):.1f} / {max(ratios):.1f}"
        ours, theirs = (statistics.median(speeds) / scale for speeds in (self.ours, self.theirs))
        return f"| {self.name} | {ours:.2f} {unit} | {theirs:.3f} | {spread} |"


def overlapping(rng: numpy.random.Generator, rows: int, fill: float) -> tuple[Rows, Rows]:
    """Two datasets of random rows at this fill; half of the right are near copies of the left."""
    left = rng.random((rows, 8 * WIDTH), dtype=numpy.float32) < fill
    right = rng.random((rows, 8 * WIDTH), dtype=numpy.float32) < fill
    noise = rng.random((rows // 2, 8 * WIDTH), dtype=numpy.float32) < 0.02
    right[: rows // 2] = left[: rows // 2] ^ noise
    return numpy.packbits(left, axis=1), numpy.packbits(right, axis=1)


def processor_seconds(work: Callable[[], object]) -> float:
    """Seconds of this thread's processor time."""
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


def drained(left: Rows, right: Rows, threshold: float, path: str, *, prune: bool = True) -> Callable[[], None]:
    """A join whose pairs go to one reused buffer."""
    buffer = hushlink_native.PairColumns.empty(1 << 16)

    def work() -> None:
        join = hushlink_native.Join(left, right, threshold, path=path, prune=prune)
        while not join.done:
            join.fill(buffer)

    return work


def rival(left: Rows, right: Rows, threshold: float) -> Callable[[], object]:
    """The same work by anonlink, on bit arrays made beforehand."""
    bits = tuple([bitarray(buffer=row.tobytes()) for row in rows] for rows in (left, right))
    return lambda: anonlink.similarities.dice_coefficient_accelerated(bits, threshold)


def compare(
    name: str,
    unit: str,
    rounds: int,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    sizes: tuple[float, float],
) -> Result:
    """Run both in turn."""
    speeds: dict[str, list[float]] = collections.defaultdict(list)
    for _ in range(rounds):
        speeds["ours"].append(sizes[0] / processor_seconds(ours))
        speeds["theirs"].append(sizes[1] / processor_seconds(theirs))
    return Result(name, unit, speeds["ours"], speeds["theirs"])


def joins(rng: numpy.random.Generator, rounds: int, rows: int, path: str) -> list[Result]:
    """Straight comparing and pruning at the thresholds people use."""
    cases = [
        ("straight, fill .44, t=.85", 0.44, 0.85, False),
        ("nothing to prune, fill .50, t=.55", 0.50, 0.55, True),
        *((f"pruned, fill .44, t={t}", 0.44, t, True) for t in (0.80, 0.85, 0.90, 0.95)),
        ("pruned, fill .25, t=.85", 0.25, 0.85, True),
    ]
    results = []
    for name, fill, threshold, prune in cases:
        left, right = overlapping(rng, rows, fill)
        small = min(rows, RIVAL_ROWS)
        ours = drained(left, right, threshold, path, prune=prune)
        theirs = rival(left[:small], right[:small], threshold)
        results.append(compare(f"{path}: {name}", "pairs", rounds, ours, theirs, (rows**2, small**2)))
    return results


def half_match(rng: numpy.random.Generator, rounds: int, rows: int, path: str) -> Result:
    """All results of random data at a threshold that half of all pairs reach."""
    left, right = overlapping(rng, rows, 0.5)
    small = min(rows, 1_500)
    ours = drained(left, right, 0.5, path)
    theirs = rival(left[:small], right[:small], 0.5)
    return compare(f"{path}: half of all pairs match, t=.5", "pairs", rounds, ours, theirs, (rows**2, small**2))


def solver(rng: numpy.random.Generator, rounds: int, pairs: int, parties: int) -> Result:
    """The greedy solver on people with a record in most datasets, and chance pairs between them."""
    people = pairs // (parties * parties)
    a, b = (rng.integers(0, parties, pairs).astype(numpy.uint32) for _ in "ab")
    a, b = numpy.minimum(a, b), numpy.maximum(a, b)
    x = rng.integers(0, people, pairs).astype(numpy.uint32)
    y = numpy.where(rng.random(pairs) < 0.7, x, rng.integers(0, people, pairs)).astype(numpy.uint32)
    keep = a != b
    a, b, x, y = (column[keep] for column in (a, b, x, y))
    scores = numpy.ones(len(a))

    def ours() -> None:
        greedy = hushlink_native.GreedySolver([people] * parties)
        for at in range(0, len(a), 65_536):
            part = slice(at, at + 65_536)
            greedy.feed(a[part], b[part], x[part], y[part])
        greedy.groups()

    return compare(
        f"greedy solver, {parties} parties",
        "pairs",
        rounds,
        ours,
        lambda: anonlink.solving.greedy_solve((scores, (a, b), (x, y))),
        (len(a), len(a)),
    )


def two_threads(rng: numpy.random.Generator, rounds: int, rows: int, path: str) -> Result:
    """Two joins in two threads beside one after the other; the ratio is the speed-up."""
    left, right = overlapping(rng, rows, 0.44)
    ours, theirs = [], []
    for _ in range(rounds):
        works = [drained(left, right, 0.85, path) for _ in range(2)]
        threads = [threading.Thread(target=work) for work in works]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        together = time.perf_counter()
        for work in works:
            work()
        ours.append(2 * rows**2 / (together - begin))
        theirs.append(2 * rows**2 / (time.perf_counter() - together))
    return Result(f"{path}: two threads beside one", "pairs", ours, theirs)


def main() -> None:
    """Run every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--paths", nargs="*", default=[hushlink_native.active_path()])
    options = parser.parse_args()
    rng = numpy.random.default_rng(1)
    print("| case | hushlink, pairs/s | anonlink | ratio min / median / max |")
    print("|---|---|---|---|")
    for path in options.paths:
        rows = options.rows if path not in SLOW_PATHS else options.rows // 3
        for result in joins(rng, options.rounds, rows, path):
            print(result.row(), flush=True)
        print(half_match(rng, options.rounds, rows // 2, path).row(), flush=True)
        print(two_threads(rng, options.rounds, rows, path).row(), flush=True)
    for parties in (2, 4):
        print(solver(rng, options.rounds, 1_000_000, parties).row(), flush=True)


if __name__ == "__main__":
    main()
