"""A million rows beside a million on all cores, pairs to disk; prints time, speed and peak memory.

usage: python -m benchmarks.kernel.million [--rows 1000000] [--threshold 0.85] [--fill .43] [--folder FOLDER]

Rows are written slice by slice to files, by processes of their own, and mapped into the one that is measured. There,
one thread for each core takes shares of the left rows and appends sorted runs of pairs to a file of its own. anonlink
is measured on some of the rows before and after, and its time for all of them on as many cores is what that makes.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import itertools
import multiprocessing
import pathlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import BinaryIO, Literal

import numpy as np

import hushlink_native
from benchmarks.kernel import encodings, joins, machine, memory, people, rivals, rounds

SHARES_PER_CORE = 16
RUN_PAIRS = 1 << 18
"""Most pairs of one sorted run."""
PEER_ROWS = 20_000
TENTHS = 10
ROW_BYTES = encodings.WIDTH_BITS // 8
_PAIR_BYTES = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """What is compared, and where files go."""

    folder: pathlib.Path
    rows: int
    threshold: float
    fill: str
    cores: int

    def mapped(self, name: str, mode: Literal["r", "r+"] = "r") -> encodings.Rows:
        """A set's rows, mapped and not read; "r+" to write them."""
        return np.asarray(np.memmap(self.folder / name, np.uint8, mode, shape=(self.rows, ROW_BYTES)))


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What the join took and found."""

    seconds: float
    processor_seconds: float
    pairs: int
    bytes_written: int
    peak_bytes: int


def main() -> None:
    """Make the rows, compare them, tell."""
    asked = options()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hushlink-million-", dir=asked.folder) as name:
        task = Task(pathlib.Path(name), asked.rows, asked.threshold, asked.fill, machine.cores())
        say(f"{task.rows:,} x {task.rows:,} rows, t={task.threshold}; {machine.described()}")
        begin = time.perf_counter()
        make_rows(task)
        say(f"rows made        {time.perf_counter() - begin:10.1f} s, not counted")
        before = peer_speed(task)
        with processes(1) as alone:
            outcome = alone.submit(joined, task).result()
        tell(task, outcome, rounds.Spread([before, peer_speed(task)]))


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernel.million")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of each side")
    parser.add_argument("--threshold", type=float, default=0.85)
    fills = (*encodings.BITS_PER_FEATURE, encodings.RANDOM)
    parser.add_argument("--fill", choices=fills, default=".43", help="of encoded people, or random rows")
    parser.add_argument("--folder", type=pathlib.Path, default=encodings.FOLDER, help="for files that are then removed")
    return parser.parse_args()


def tell(task: Task, outcome: Outcome, peer: rounds.Spread) -> None:
    """Print what was measured."""
    comparisons = task.rows**2
    ours = comparisons / outcome.seconds
    theirs = peer.median * task.cores
    path = hushlink_native.active_path()
    say(f"joined           {outcome.seconds:10.1f} s on {task.cores} cores, {path}")
    say(f"processor time   {outcome.processor_seconds:10.1f} s")
    say(f"speed            {ours / 1e9:10.2f} G pairs/s, {ours / 1e9 / task.cores:.2f} per core")
    say(f"pairs            {outcome.pairs:10,} to disk, {outcome.bytes_written / 1e6:,.1f} MB")
    say(f"peak memory      {outcome.peak_bytes / 1e6:10.0f} MB, mapped rows and Python included (bar 1,000 MB)")
    say(f"anonlink         {comparisons / theirs:10.0f} s extrapolated, at {peer.median / 1e9:.3f} G pairs/s per core")
    busy = comparisons / peer.median / outcome.processor_seconds
    say(f"ratio            {ours / theirs:10.1f} x by the clock, {busy:.1f} x by processor time")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def processes(count: int) -> concurrent.futures.ProcessPoolExecutor:
    """Processes that inherit no memory."""
    return concurrent.futures.ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


# ---- rows ---------------------------------------------------------------------


def make_rows(task: Task) -> None:
    """Write both sets, on all cores."""
    for name in ("left", "right"):
        with (task.folder / name).open("wb") as file:
            file.truncate(task.rows * ROW_BYTES)
    with processes(task.cores) as pool:
        list(pool.map(make_share, itertools.repeat(task), range(task.cores)))


def make_share(task: Task, share: int) -> None:
    """Write every so many-th slice of both sets."""
    sets = [(task.mapped(name, "r+"), name) for name in ("left", "right")]
    if task.fill == encodings.RANDOM:
        for _, first, rows in mine(task, share):
            for (target, _), made in zip(sets, encodings.random(rows, rows, seed=first), strict=True):
                target[first : first + rows] = made
        return
    with encodings.encoder(task.fill) as engine:
        for number, first, rows in mine(task, share):
            for target, name in sets:
                file = people.first_file if name == "left" else people.second_file
                target[first : first + rows] = engine.encode_columns(list(file(number, rows).values()))


def mine(task: Task, share: int) -> Iterator[tuple[int, int, int]]:
    """The slices of one process."""
    return (part for part in encodings.slices(task.rows) if part[0] % task.cores == share)


# ---- the join -----------------------------------------------------------------


def joined(task: Task) -> Outcome:
    """Compare everything; in a process of its own, whose memory is measured."""
    left, right = task.mapped("left"), task.mapped("right")
    begin, busy = time.perf_counter(), time.process_time()
    counts = hushlink_native.popcounts(left), hushlink_native.popcounts(right)
    shares = Shares(task.rows, task.cores)
    with concurrent.futures.ThreadPoolExecutor(task.cores) as threads:
        workers = [threads.submit(compare, task, (left, right), counts, shares, core) for core in range(task.cores)]
        pairs = sum(worker.result() for worker in workers)
    seconds, busy = time.perf_counter() - begin, time.process_time() - busy
    written = sum(path.stat().st_size for path in task.folder.glob("pairs-*"))
    if written != pairs * _PAIR_BYTES:
        raise RuntimeError(f"{pairs} pairs make {pairs * _PAIR_BYTES} bytes, not {written}")
    return Outcome(seconds, busy, pairs, written, memory.peak_bytes())


class Shares:
    """Shares of the left rows that threads take one after the other; each tenth that is given out is told."""

    def __init__(self, rows: int, cores: int) -> None:
        count = cores * SHARES_PER_CORE
        bounds = [rows * share // count for share in range(count + 1)]
        self._waiting = collections.deque(itertools.pairwise(bounds))
        self._count = count
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[tuple[int, int]]:
        while (share := self._next()) is not None:
            yield share

    def _next(self) -> tuple[int, int] | None:
        with self._lock:
            given = self._count - len(self._waiting)
            if not self._waiting:
                return None
            if given * TENTHS // self._count > (given - 1) * TENTHS // self._count:
                sys.stderr.write(f"share {given} of {self._count}\n")
            return self._waiting.popleft()


def compare(
    task: Task,
    rows: tuple[encodings.Rows, encodings.Rows],
    popcounts: tuple[np.ndarray, np.ndarray],
    shares: Shares,
    core: int,
) -> int:
    """One thread: join share after share into sorted runs in one file, their lengths in another; returns the pairs."""
    buffer = hushlink_native.PairColumns.empty(RUN_PAIRS)
    total = 0
    with (task.folder / f"pairs-{core}").open("wb") as file, (task.folder / f"runs-{core}").open("wb") as lengths:
        for first, last in shares:
            join = hushlink_native.Join(
                rows[0][first:last],
                rows[1],
                task.threshold,
                left_popcounts=popcounts[0][first:last],
                right_popcounts=popcounts[1],
            )
            while not join.done:
                count = join.fill(buffer)
                write_run(file, buffer, count, first)
                lengths.write(np.uint64(count).tobytes())
                total += count
    return total


def write_run(file: BinaryIO, buffer: hushlink_native.PairColumns, count: int, first: int) -> None:
    """Append a sorted run: its scores, left rows and right rows."""
    run = hushlink_native.sort_pairs(
        buffer.scores[:count], buffer.left[:count] + np.uint32(first), buffer.right[:count]
    )
    for column in (run.scores, run.left, run.right):
        file.write(column.data)


def peer_speed(task: Task) -> float:
    """anonlink's comparisons per second of processor time on the first rows."""
    few = [task.mapped(name)[:PEER_ROWS] for name in ("left", "right")]
    opponent = next(rival for rival in rivals.present()[0] if rival.name == joins.PEER)
    work = opponent.prepare(few[0], few[1], task.threshold)
    contender = rounds.Contender(opponent.name, work, len(few[0]) * len(few[1]))
    return rounds.interleaved([contender], 1).median(opponent.name)


if __name__ == "__main__":
    main()
