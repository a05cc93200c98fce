"""``make demo``: the whole way from CSV files to a table, on invented people with known truth."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from hushlink_client import febrl
from tests.support import mesh as meshes


def test_the_demo_links_well_and_leaves_nothing(tmp_path: pathlib.Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "hushlink_client.demo"],
        capture_output=True,
        text=True,
        env=meshes.environment(TMPDIR=str(temporary)),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = dict(line.rsplit("  ", 1) for line in map(str.strip, done.stdout.splitlines()) if "  " in line)
    figures = {name.strip(): figure.strip() for name, figure in rows.items()}
    assert figures["records"] == "5,000 + 5,000"
    assert figures["comparisons"] == "25,000,000"
    for figure in ("precision", "recall"):
        assert float(figures[figure]) >= 0.99
    stages = ("encode", "upload", "planning", "comparing", "merging", "solving", "publishing")
    assert {f"{stage}, seconds" for stage in stages} <= figures.keys()
    assert {"comparisons per second", "candidate pairs", "groups", "F1"} <= figures.keys()
    assert list(temporary.iterdir()) == []


def _people(folder: pathlib.Path, name: str, numbers: list[int]) -> pathlib.Path:
    (folder / name).write_text("rec_id,x\n" + "".join(f"rec-{number}-org,a\n" for number in numbers))
    return folder / name


@pytest.mark.parametrize(
    ("groups", "precision", "recall"),
    [
        ([], 0.0, 0.0),
        ([[(0, 0), (1, 1)]], 1.0, 0.5),
        ([[(0, 0), (1, 1)], [(0, 1), (1, 0)]], 1.0, 1.0),
        ([[(0, 0), (1, 0)], [(0, 1), (1, 1)]], 0.0, 0.0),
        ([[(0, 0), (0, 1), (1, 1)]], 1 / 3, 0.5),
    ],
)
def test_quality(tmp_path: pathlib.Path, groups: list[list[tuple[int, int]]], precision: float, recall: float) -> None:
    files = [_people(tmp_path, "a", [7, 8, 9]), _people(tmp_path, "b", [8, 7, 10])]
    assert febrl.quality(groups, files) == pytest.approx((precision, recall))


def test_clean_files_have_no_blanks_and_every_person_twice(tmp_path: pathlib.Path) -> None:
    files = febrl.write_clean(tmp_path)
    first, second = map(febrl.people, files)
    assert len(first) == len(second) == 5000
    assert set(first) == set(second)
    assert len(set(first)) == 5000
    for file in files:
        assert ", " not in file.read_text()
