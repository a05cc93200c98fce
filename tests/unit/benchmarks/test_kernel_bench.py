"""The kernel's benchmark: ratios, bars, the rows it compares, and the pairs it writes."""

from __future__ import annotations

import importlib
import pathlib
import types

import numpy as np
import pytest

import hushlink_native
from benchmarks.kernel import encodings, groups, million, people, rivals, rounds, table


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _result(
    path: str, ours: list[float], theirs: list[float], bars: table.Bars, *, lower: bool = False, by_best: bool = False
) -> list[str]:
    speeds = rounds.Speeds({rounds.OURS: ours, "anonlink": theirs}, {})
    (line,) = table.Result("case", path, speeds, {"anonlink": bars}, lower=lower, by_best=by_best).rows()
    return _cells(line)


def test_every_round_gives_one_ratio():
    clock = iter([0.0, 1.0, 1.0, 3.0, 3.0, 4.0, 4.0, 8.0])
    turns: list[str] = []
    ours = rounds.Contender(rounds.OURS, lambda: turns.append("ours"), 100)
    theirs = rounds.Contender("rival", lambda: turns.append("theirs"), 50)
    speeds = rounds.interleaved([ours, theirs], 2, lambda: next(clock))
    assert turns == ["ours", "theirs"] * 2
    assert speeds.of == {rounds.OURS: [100.0, 100.0], "rival": [25.0, 12.5]}
    assert str(speeds.ratios("rival")) == "4.00 / 6.00 / 8.00"


def test_a_bar_is_judged_by_the_median_ratio_and_our_speed():
    bars = {"avx512": table.Bar(6, 1e9)}
    assert _result("avx512", [1e9] * 3, [1e8, 1.6e8, 2e8], bars)[-1] == ">= 6 and 1.0 G/s: reached"
    assert _result("avx512", [1e9] * 3, [1e8, 1.7e8, 2e8], bars)[-1] == ">= 6 and 1.0 G/s: MISSED"
    assert _result("avx512", [0.9e9] * 3, [1e8] * 3, bars)[-1] == ">= 6 and 1.0 G/s: MISSED"


def test_a_bar_of_avx512_stands_in_brackets_on_other_machines():
    bars = {"avx512": table.Bar(16), "avx2": table.Bar(4)}
    assert _result("avx2", [5.0], [1.0], bars)[-1] == ">= 4: reached (>= 16 with AVX-512)"
    assert _result("avx2", [5.0], [1.0], bars, lower=True)[-1] == ">= 4: reached"
    assert _result("neon", [5.0], [1.0], bars)[-1] == "(>= 16 with AVX-512)"


def test_two_threads_are_judged_by_their_best_round():
    bars = {table.ANY_PATH: table.Bar(1.85)}
    assert _result("avx2", [1.5, 1.9], [1.0, 1.0], bars, by_best=True)[-1] == ">= 1.85: reached"
    assert _result("avx2", [1.5, 1.9], [1.0, 1.0], bars)[-1] == ">= 1.85: MISSED"


def test_a_rival_without_a_bar_may_not_be_ahead():
    speeds = rounds.Speeds({rounds.OURS: [3.0], "faiss": [4.0]}, {})
    assert [_cells(row)[-1] for row in table.Result("case", "avx2", speeds, {}).rows()] == [">= 1: MISSED"]


def test_a_rival_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch):
    found = importlib.import_module

    def without(name: str) -> types.ModuleType:
        if name in {"faiss", "numkong"}:
            raise ImportError(f"no {name} here")
        return found(name)

    monkeypatch.setattr(importlib, "import_module", without)
    opponents, absent = rivals.present()
    assert [rival.name for rival in opponents] == ["anonlink"]
    assert sorted(line.split()[0] for line in absent) == ["NumKong", "faiss"]


def test_the_second_file_shares_half_of_its_people_with_the_first():
    first, second = people.first_file(3, 2000), people.second_file(3, 2000)
    assert {len(cells) for cells in (*first.values(), *second.values())} == {2000}
    assert second == people.second_file(3, 2000)
    known = set(zip(first["surname"], first["birth_date"], strict=True))
    again = sum(key in known for key in zip(second["surname"], second["birth_date"], strict=True))
    assert 0.35 * 2000 < again < people.OVERLAP * 2000  # the others were mistyped
    assert first["surname"] != second["surname"]


def test_few_names_are_frequent():
    _, counts = np.unique(people.first_file(0, 5000)["surname"], return_counts=True)
    assert counts.max() > 50
    assert (counts == 1).sum() > 1000


@pytest.mark.parametrize("fill", encodings.BITS_PER_FEATURE)
def test_encodings_reach_the_fill_of_their_name(fill: str, tmp_path: pathlib.Path):
    left, right = encodings.realistic(fill, 300, 200, tmp_path)
    assert (left.shape, right.shape) == ((300, 128), (200, 128))
    assert encodings.fill_of(left, right) == pytest.approx(float(fill), abs=0.02)


def test_encodings_are_kept(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    made = encodings.realistic(".43", 100, 50, tmp_path)
    monkeypatch.setattr(encodings, "encoder", None)
    for kept, new in zip(encodings.realistic(".43", 100, 50, tmp_path), made, strict=True):
        np.testing.assert_array_equal(kept, new)


def test_a_problem_for_the_solver_holds_no_pair_twice_among_true_ones():
    problem = groups.Problem.invented(20_000, 3)
    assert len(problem) == pytest.approx(20_000, rel=0.05)
    assert (problem.datasets[0] < problem.datasets[1]).all()
    true = problem.rows[0] == problem.rows[1]
    assert true.mean() == pytest.approx(1 - groups.CHANCE_SHARE, abs=0.02)
    keys = np.stack([*problem.datasets, problem.rows[0]])[:, true]
    assert len(np.unique(keys, axis=1).T) >= 0.999 * true.sum()
    assert 12 <= problem.bytes_per_record() < 1000


def test_the_million_writes_every_pair_in_sorted_runs(tmp_path: pathlib.Path):
    task = million.Task(tmp_path, 1500, 0.85, ".43", cores=2)
    for name in ("left", "right"):
        (tmp_path / name).write_bytes(bytes(task.rows * million.ROW_BYTES))
    for share in range(task.cores):
        million.make_share(task, share)
    outcome = million.joined(task)
    scores, left, right = hushlink_native.candidate_pairs(task.mapped("left"), task.mapped("right"), 0.85)
    assert outcome.pairs == len(scores) > 500
    assert sorted(_pairs_on_disk(tmp_path)) == sorted(zip(left.tolist(), right.tolist(), scores.tolist(), strict=True))


def _pairs_on_disk(folder: pathlib.Path) -> list[tuple[int, int, float]]:
    found: list[tuple[int, int, float]] = []
    for path in folder.glob("pairs-*"):
        content = path.read_bytes()
        counts = np.fromfile(path.with_name(path.name.replace("pairs", "runs")), np.uint64).tolist()
        at = 0
        for count in counts:
            scores = np.frombuffer(content, np.float64, count, at)
            rows = np.frombuffer(content, np.uint32, 2 * count, at + 8 * count)
            assert (np.diff(scores) <= 0).all()
            found += zip(rows[:count].tolist(), rows[count:].tolist(), scores.tolist(), strict=True)
            at += 16 * count
        assert at == len(content)
    return found
