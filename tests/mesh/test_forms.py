"""Encodings in every form, ours and Anonlink's, become the same dataset; rows that were left out keep their numbers."""

from __future__ import annotations

import base64
import csv
import json
import pathlib
import subprocess
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support import mesh as meshes
from tests.support import people

clk = pytest.importorskip("clkhash.clk", reason="the oracle clkhash 0.18.3 is not installed", exc_type=ImportError)
clkhash_schema = pytest.importorskip("clkhash.schema", exc_type=ImportError)

Hushlink = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hushlink(mesh: meshes.StartedMesh) -> Hushlink:
    """The command line, with the mesh's coordinator in its environment."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return meshes.hushlink(*map(str, arguments), HUSHLINK_COORDINATOR=mesh.coordinator)

    return run


def told(done: subprocess.CompletedProcess[str]) -> Any:
    """What a command with --json says."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def of_clkhash(records: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The file's encodings as clkhash itself writes them."""
    agreed = clkhash_schema.from_json_dict(json.loads((folder / "schema.json").read_text()))
    with records.open(newline="", encoding="utf-8") as stream:
        encodings = clk.generate_clk_from_csv(stream, people.SECRET, agreed, progress_bar=False, max_workers=1)
    path = folder / "of-clkhash.json"
    path.write_text(json.dumps({"clks": [base64.b64encode(each.tobytes()).decode() for each in encodings]}))
    return path


def raw(container: pathlib.Path) -> pathlib.Path:
    """A container's encodings alone."""
    path = container.with_suffix(".bin")
    path.write_bytes(b"".join(pq.read_table(container)["encoding"].to_pylist()))
    return path


def test_every_form_becomes_the_same_dataset(hushlink: Hushlink, tmp_path: pathlib.Path) -> None:
    records, agreed = people.files(tmp_path, 1, rows=150)[0], people.agreement(tmp_path)
    parties = ("container", "ours as JSON", "clkhash's JSON", "raw")
    project = told(
        hushlink(
            *("project", "create", "--rights-dir", tmp_path / "rights", "--schema", tmp_path / "schema.json", "--json"),
            *(part for name in parties for part in ("--party", name)),
        )
    )
    named = ("--project", project["project_id"])
    container, ours = tmp_path / "x.parquet", tmp_path / "ours.json"
    encoded = told(hushlink("encode", records, *agreed, *named, "--out", container, "--json"))
    assert told(hushlink("encode", records, *agreed, "--out", ours, "--form", "clkhash-json", "--json"))["rows"] == 150
    theirs = of_clkhash(records, tmp_path)
    assert json.loads(ours.read_text()) == json.loads(theirs.read_text()), "Anonlink's tools read ours as their own"
    uploads = [
        (container,),
        (ours, "--form", "clkhash-json", *agreed),
        (theirs, "--form", "clkhash-json", *agreed),
        (raw(container), "--form", "raw", "--width", 1024, "--count", 150, *agreed),
    ]

    def upload(party: int, *arguments: object) -> subprocess.CompletedProcess[str]:
        right = ("--right-file", project["party_right_files"][party])
        return hushlink("upload", *arguments, *named, *right, "--party", party, "--json")

    unnamed = upload(1, ours, "--form", "clkhash-json")
    assert (unnamed.returncode, "FINGERPRINT_MISMATCH" in unnamed.stderr) == (1, True)
    for party, arguments in enumerate(uploads):
        assert told(upload(party, *arguments))["sha256"] == encoded["sha256"]
    owner = (*named, "--right-file", project["owner_right_file"])
    run = told(hushlink("run", "create", *owner, "--threshold", 1, "--wait", "--json"))
    out = tmp_path / "groups.csv"
    assert hushlink("result", "groups", *owner, "--run", run["run_id"], "--out", out).returncode == 0
    assert people.read_groups(out) == [tuple((dataset, row) for dataset in range(4)) for row in range(150)]


def spoilt(records: pathlib.Path, rows: set[int]) -> pathlib.Path:
    """The file with records at fault, which no schema takes, in between."""
    with records.open(newline="", encoding="utf-8") as stream:
        header, *people_there = list(csv.reader(stream))
    path = records.with_name(f"spoilt-{records.name}")
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        number = 0
        for person in people_there:
            while number in rows:
                writer.writerow(["one cell"])
                number += 1
            writer.writerow(person)
            number += 1
    return path


def test_rows_keep_their_numbers_where_others_are_left_out(hushlink: Hushlink, tmp_path: pathlib.Path) -> None:
    files, agreed = people.files(tmp_path, 2, rows=60), people.agreement(tmp_path)
    rows = {0, 1, 17, 40}
    spoilt_file = spoilt(files[1], rows)
    free = [number for number in range(64) if number not in rows]
    expected = [
        tuple((dataset, free[row] if dataset else row) for dataset, row in group)
        for group in people.expected_groups(files, 0.7)
    ]
    assert expected
    out, report = tmp_path / "groups.csv", tmp_path / "report.csv"
    linking = ("link", files[0], spoilt_file, *agreed, "--threshold", 0.7, "--out", out)
    facts = told(hushlink(*linking, "--bad-rows", "skip", "--report", report, "--json"))
    assert (facts["rows_at_fault"], facts["dataset_rows"]) == (4, [60, 60])
    assert people.read_groups(out) == expected
    with report.open(newline="") as stream:
        assert [(line["file"], int(line["row"])) for line in csv.DictReader(stream)] == [
            (str(spoilt_file), row) for row in sorted(rows)
        ]
    facts = told(hushlink(*linking, "--bad-rows", "empty", "--json"))
    assert (facts["rows_at_fault"], facts["dataset_rows"]) == (4, [60, 64])
    assert people.read_groups(out) == expected, "an encoding without a bit is like no other"


def test_a_container_tells_which_rows_a_result_means(hushlink: Hushlink, tmp_path: pathlib.Path) -> None:
    files, agreed = people.files(tmp_path, 2, rows=40), people.agreement(tmp_path)
    files[1] = spoilt(files[1], {0, 5})
    project = told(
        hushlink("project", "create", "--rights-dir", tmp_path / "rights", "--party", "a", "--party", "b", "--json")
    )
    named = ("--project", project["project_id"])
    owner = (*named, "--right-file", project["owner_right_file"])
    containers = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    for party, (file, container) in enumerate(zip(files, containers, strict=True)):
        encoded = told(hushlink("encode", file, *agreed, "--bad-rows", "skip", "--out", container, "--json"))
        assert encoded["rows"] == 40
        right = ("--right-file", project["party_right_files"][party])
        told(hushlink("upload", container, *named, *right, "--party", party, "--json"))
    run = told(hushlink("run", "create", *owner, "--threshold", 0.7, "--wait", "--json"))
    reading = ("result", "groups", *owner, "--run", run["run_id"], "--format", "jsonl")
    plain, mapped = (
        [json.loads(line)["members"] for line in hushlink(*reading, *more).stdout.splitlines()]
        for more in ((), ("--container", 1, containers[1]))
    )
    free = [number for number in range(42) if number not in {0, 5}]
    assert plain
    assert mapped == [[[dataset, free[row] if dataset else row] for dataset, row in group] for group in plain]
