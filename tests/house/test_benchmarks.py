"""The benchmarks that `make bench` and its kind run: they run, and print what they are for."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from benchmarks.kernel import table
from tests.support import repository


def _run(module: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=repository.ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_bench_prints_a_row_for_each_case_and_rival():
    cases = ("straight", "t85", "half", "threads", "solver")
    lines = _run("benchmarks.kernel", "--scale", "0.02", "--rounds", "3", "--cases", *cases)
    rows = [_cells(line) for line in lines if line.startswith("|")]
    assert rows[0] == _cells(table.HEAD[0])
    assert {len(row) for row in rows} == {7}
    beside = {(row[0].split(",")[0], row[3]) for row in rows[2:]}
    expected = {"straight", "pruning on", "half of all pairs match", "greedy solver"}
    assert beside >= {*((name, "anonlink") for name in expected), ("two threads on two cores", "one thread")}
    for row in rows[2:]:
        least, median, most = map(float, row[5].split("/"))
        assert 0 < least <= median <= most
    assert any("fill .4" in row[0] for row in rows)
    assert not [line for line in lines if "finds" in line and "where the kernel finds" in line]


def test_the_million_tells_time_speed_pairs_memory_and_ratio(tmp_path: pathlib.Path):
    lines = _run("benchmarks.kernel.million", "--rows", "2000", "--folder", str(tmp_path))
    told = {line.split("  ")[0]: line for line in lines}
    assert {"joined", "speed", "pairs", "peak memory", "anonlink", "ratio"} <= set(told)
    assert not list(tmp_path.iterdir())
