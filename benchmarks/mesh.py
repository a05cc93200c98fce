"""The mesh beside its own kernel: what coordinating costs, how fast uploads are, and what the coordinator holds.

For each size two sets of invented encodings are uploaded to a mesh of its own (embedded Postgres and S3, a coordinator
and as many matchers as there are cores). Then, in turn, the kernel alone compares them on the same cores, and the mesh
does it from sealed uploads to published groups. The difference of the medians is the mesh's overhead.

usage: python -m benchmarks.mesh [--sizes 100000,200000] [--repeats 5] [--threshold 0.85]
"""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
import pathlib
import statistics
import sys
import time

import numpy as np
from numpy import typing as npt

import hushlink_native as native
from hushlink_client import connection, projects, results, runs, uploads
from hushlink_client.dev import mesh
from hushlink_domain import states

WIDTH_BITS = 1024
FILL = 0.44
OVERLAP = 0.5
FLIPPED = 0.05
SLICE_ROWS = 10_000
CAPACITY = 1 << 18

Rows = npt.NDArray[np.uint8]


def invented(size: int, seed: int = 1) -> tuple[Rows, Rows]:
    """Two sets of random rows; half of the second are rows of the first with a few bits changed."""
    random = np.random.default_rng(seed)

    def bits(rows: int, chance: float) -> Rows:
        parts = [
            np.packbits(random.random((min(SLICE_ROWS, rows - first), WIDTH_BITS), dtype=np.float32) < chance, axis=1)
            for first in range(0, rows, SLICE_ROWS)
        ]
        return np.concatenate(parts)

    left, right = bits(size, FILL), bits(size, FILL)
    shared = int(size * OVERLAP)
    right[:shared] = left[:shared] ^ bits(shared, FLIPPED)
    return left, right


def kernel_alone(left: Rows, right: Rows, threshold: float, cores: int) -> tuple[float, int]:
    """Seconds and pairs of the kernel on all cores, one thread each, one share of the left rows each."""

    def share(part: Rows) -> int:
        join = native.Join(part, right, threshold)
        pairs = 0
        while len((found := join.next(CAPACITY)).scores):
            pairs += len(found.scores)
        return pairs

    bounds = [len(left) * core // cores for core in range(cores + 1)]
    parts = [left[start:stop] for start, stop in itertools.pairwise(bounds)]
    with concurrent.futures.ThreadPoolExecutor(cores) as threads:
        started = time.perf_counter()
        pairs = sum(threads.map(share, parts))
        return time.perf_counter() - started, pairs


@dataclasses.dataclass
class Figures:
    """What was measured at one size."""

    size: int
    kernel_seconds: list[float] = dataclasses.field(default_factory=list)
    mesh_seconds: list[float] = dataclasses.field(default_factory=list)
    upload_megabytes_per_second: list[float] = dataclasses.field(default_factory=list)
    coordinator_megabytes: float = 0.0
    pairs: int = 0

    def report(self) -> str:
        """The table's lines for this size."""
        alone, whole = statistics.median(self.kernel_seconds), statistics.median(self.mesh_seconds)
        comparisons = self.size**2
        return "\n".join(
            [
                f"{self.size:,} x {self.size:,}: {self.pairs:,} candidate pairs, {len(self.mesh_seconds)} repeats",
                f"  kernel alone        {spread(self.kernel_seconds)} s   {comparisons / alone / 1e9:6.3f} G pairs/s",
                f"  whole mesh          {spread(self.mesh_seconds)} s   {comparisons / whole / 1e9:6.3f} G pairs/s",
                f"  overhead            {whole - alone:+8.3f} s (difference of medians)",
                f"  upload              {spread(self.upload_megabytes_per_second)} MB/s",
                f"  coordinator's peak  {self.coordinator_megabytes:8.1f} MB",
            ]
        )


def spread(values: list[float]) -> str:
    """Median, minimum and maximum."""
    return f"{statistics.median(values):8.3f} ({min(values):.3f} .. {max(values):.3f})"


def peak_megabytes(pid: int) -> float:
    """The most memory a process ever held."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1000
    raise LookupError(pid)


async def measure(size: int, repeats: int, threshold: float, cores: int) -> Figures:
    """All figures at one size, on a mesh of its own."""
    left, right = invented(size)
    figures = Figures(size)
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(mesh.running(mesh.Plan(matchers=cores, encoder=False)))
        coordinator = await stack.enter_async_context(connection.connected(running.coordinator))
        created = None
        for _ in range(repeats):
            created = await projects.create(coordinator, party_names=["left", "right"])
            figures.upload_megabytes_per_second += await uploaded(coordinator, created, (left, right))
        assert created is not None
        owner = coordinator.acting(created.owner_right)
        for _ in range(repeats):
            seconds, figures.pairs = await asyncio.to_thread(kernel_alone, left, right, threshold, cores)
            figures.kernel_seconds.append(seconds)
            figures.mesh_seconds.append(await linked(owner, created.project.project_id, threshold, figures.pairs))
        figures.coordinator_megabytes = peak_megabytes(running.processes()["coordinator"])
    return figures


async def uploaded(
    coordinator: connection.Connection, created: projects.Created, datasets: tuple[Rows, Rows]
) -> list[float]:
    """Upload both datasets, one after the other; megabytes per second of each."""
    rates = []
    for party, (rows, right) in enumerate(zip(datasets, created.party_rights, strict=True)):
        encodings = uploads.Encodings.of_rows(rows.data, bytes(32))
        started = time.perf_counter()
        await uploads.send(coordinator.acting(right), created.project.project_id, party, encodings)
        rates.append(rows.nbytes / 1e6 / (time.perf_counter() - started))
    return rates


async def linked(owner: connection.Connection, project_id: str, threshold: float, pairs: int) -> float:
    """Seconds from sealed uploads to published groups."""
    started = time.perf_counter()
    run = await runs.create(owner, project_id, threshold)
    async for now in runs.watch(owner, project_id, run.run_id):
        run = now
    seconds = time.perf_counter() - started
    found = await results.summary(owner, project_id, run.run_id)
    if run.state is not states.RunState.SUCCEEDED or found.candidate_pairs != pairs:
        raise RuntimeError(f"the mesh found {found.candidate_pairs} pairs, the kernel {pairs}")
    return seconds


def main() -> None:
    """Measure every size and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="100000,200000")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threshold", type=float, default=0.85)
    arguments = parser.parse_args()
    cores = os.cpu_count() or 1
    sys.stdout.write(f"mesh: {cores} cores, {native.active_path()} kernel, t = {arguments.threshold}\n")
    for size in map(int, arguments.sizes.split(",")):
        figures = asyncio.run(measure(size, arguments.repeats, arguments.threshold, cores))
        sys.stdout.write(figures.report() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
