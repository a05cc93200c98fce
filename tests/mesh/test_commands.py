"""The subcommands of ``hushlink`` from outside, on a mesh, as a data owner and an analyst use them."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import stat
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from hushlink_client import forms
from tests.support import mesh as meshes
from tests.support import people

Hushlink = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hushlink(mesh: meshes.StartedMesh) -> Hushlink:
    """The command line, with the mesh's coordinator in its environment."""

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return meshes.hushlink(*map(str, arguments), **{"HUSHLINK_COORDINATOR": mesh.coordinator, **variables})

    return run


def told(done: subprocess.CompletedProcess[str]) -> Any:
    """What a command with --json says."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def project(hushlink: Hushlink, tmp_path: pathlib.Path) -> dict[str, Any]:
    """A project of two parties that agreed on a schema, its rights in files."""
    people.agreement(tmp_path)
    made = hushlink(
        *("project", "create", "--rights-dir", tmp_path / "rights", "--schema", tmp_path / "schema.json", "--json"),
        *("--party", "north", "--party", "south", "--name", "all of it"),
    )
    facts: dict[str, Any] = told(made)
    return facts


def test_from_records_to_groups(hushlink: Hushlink, project: dict[str, Any], tmp_path: pathlib.Path) -> None:
    files = people.files(tmp_path, 2, rows=300)
    named = ("--project", project["project_id"])
    owner = (*named, "--right-file", project["owner_right_file"])
    for party, file in enumerate(files):
        encodings = tmp_path / f"{party}.encodings"
        encoded = told(hushlink("encode", file, *people.agreement(tmp_path), *named, "--out", encodings, "--json"))
        assert encoded["rows"] == 300
        assert encoded["schema_fingerprint"] == project["schema_fingerprint"]
        right = ("--right-file", project["party_right_files"][party])
        receipt = told(hushlink("upload", encodings, *named, *right, "--party", party, "--json"))
        assert (receipt["rows"], receipt["sha256"]) == (300, encoded["sha256"])
    shown = told(hushlink("project", "show", *owner, "--json"))
    assert [(party["name"], party["sealed"], party["row_count"]) for party in shown["parties"]] == [
        ("north", True, 300),
        ("south", True, 300),
    ]
    run = told(hushlink("run", "create", *owner, "--threshold", 0.7, "--wait", "--json"))
    assert run["state"] == "succeeded"
    assert run["comparisons_done"] == run["comparisons_total"] == 300 * 300
    this = (*owner, "--run", run["run_id"])
    assert told(hushlink("run", "show", *this, "--json")) == run
    assert told(hushlink("run", "list", *owner, "--json")) == run
    expected = people.expected_groups(files, 0.7)
    out = tmp_path / "groups.csv"
    assert hushlink("result", "groups", *this, "--out", out).returncode == 0
    assert people.read_groups(out) == expected
    assert hushlink("result", "groups", *this).stdout == out.read_text()
    lines = hushlink("result", "groups", *this, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"group": number, "members": [list(member) for member in members]} for number, members in enumerate(expected)
    ]
    assert told(hushlink("result", "summary", *this, "--json"))["groups"] == len(expected)
    watched = hushlink("run", "watch", *this, "--json")
    assert json.loads(watched.stdout.splitlines()[-1]) == run
    refused = hushlink("run", "cancel", *this)
    assert (refused.returncode, "RUN_ENDED" in refused.stderr) == (1, True)
    assert told(hushlink("project", "list", "--right-file", project["owner_right_file"], "--json")) == shown
    assert told(hushlink("project", "delete", *owner, "--json"))["deleted_objects"] > 0
    gone = hushlink("project", "show", *owner)
    assert (gone.returncode, "ACCESS_REFUSED" in gone.stderr) == (1, True)


def test_people_read_it_too(hushlink: Hushlink, project: dict[str, Any]) -> None:
    owner = ("--project", project["project_id"], "--right-file", project["owner_right_file"])
    for arguments in (
        ("project", "show", *owner),
        ("project", "list", *owner[2:]),
        ("run", "create", *owner, "--threshold", "0.9", "--name", "later"),
        ("run", "list", *owner),
    ):
        done = hushlink(*arguments)
        assert done.returncode == 0, done.stderr
        assert "all of it" in done.stdout or "later" in done.stdout


def test_a_run_that_waits_is_cancelled(hushlink: Hushlink, project: dict[str, Any]) -> None:
    owner = ("--project", project["project_id"], "--right-file", project["owner_right_file"])
    run = told(hushlink("run", "create", *owner, "--threshold", 0.9, "--json"))
    assert run["state"] == "queued"
    this = (*owner, "--run", run["run_id"])
    assert told(hushlink("run", "cancel", *this, "--json"))["state"] == "cancelled"
    watched = hushlink("run", "watch", *this)
    assert watched.returncode == 1
    assert watched.stderr == f"hushlink: the run {run['run_id']} cancelled\n"
    for command in ("groups", "summary"):
        assert hushlink("result", command, *this).returncode == 1


def test_an_encoder_service_makes_the_same_encodings(
    hushlink: Hushlink, mesh: meshes.StartedMesh, tmp_path: pathlib.Path
) -> None:
    file = people.files(tmp_path, 1, rows=9000)[0]
    agreed = people.agreement(tmp_path)
    shutil.copy(tmp_path / "secret", mesh.keys / "test-commands")
    here, there = tmp_path / "here", tmp_path / "there"
    told(hushlink("encode", file, *agreed, "--project", "p", "--out", here, "--json"))
    service = ("--encoder", mesh.encoder, "--key-name", "test-commands", "--project", "p")
    facts = told(hushlink("encode", file, *agreed[:2], *service, "--out", there, "--json"))
    assert facts["rows"] == 9000
    assert _encodings(there) == _encodings(here)
    unknown = hushlink("encode", file, *agreed[:2], *service[:2], "--key-name", "nobody", "--out", tmp_path / "not")
    assert (unknown.returncode, "KEY_UNKNOWN" in unknown.stderr) == (1, True)
    file.write_text(file.read_text() + "too,short\n")
    ragged = hushlink("encode", file, *agreed[:2], *service, "--out", tmp_path / "not")
    assert ragged.returncode == 2
    assert "data row 9000" in ragged.stderr
    assert str(file) in ragged.stderr
    assert not (tmp_path / "not").exists()


def _encodings(path: pathlib.Path) -> tuple[object, bytes]:
    file = forms.read(path)
    return file.header, b"".join(file)


def test_rights_are_written_for_us_alone(project: dict[str, Any]) -> None:
    files = [pathlib.Path(file) for file in (project["owner_right_file"], *project["party_right_files"])]
    assert [file.name for file in files] == ["owner.right", "party-0.right", "party-1.right"]
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text().startswith("hl_")
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700


def test_rights_that_are_there_are_never_overwritten(
    hushlink: Hushlink, project: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    held = pathlib.Path(project["owner_right_file"]).read_text()
    refused = hushlink("project", "create", "--rights-dir", tmp_path / "rights", "--party", "a", "--party", "b")
    assert refused.returncode == 2
    assert "is there already" in refused.stderr
    assert pathlib.Path(project["owner_right_file"]).read_text() == held


def test_a_right_comes_from_the_environment_but_never_as_an_argument(
    hushlink: Hushlink, project: dict[str, Any]
) -> None:
    right = pathlib.Path(project["owner_right_file"]).read_text().strip()
    named = ("project", "show", "--project", project["project_id"])
    assert hushlink(*named, HUSHLINK_RIGHT=right).returncode == 0
    refused = hushlink(*named, "--right", right)
    assert refused.returncode == 2
    assert right not in refused.stderr
    assert "--right-file" in refused.stderr


@pytest.mark.parametrize("content", [None, b"", b"\n", b"two words", b"\xff"])
def test_a_right_file_that_holds_none(
    hushlink: Hushlink, project: dict[str, Any], tmp_path: pathlib.Path, content: bytes | None
) -> None:
    file = tmp_path / "some.right"
    if content is not None:
        file.write_bytes(content)
    refused = hushlink("project", "show", "--project", project["project_id"], "--right-file", file)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert str(file) in refused.stderr


def test_a_party_is_not_the_owner_and_a_stranger_is_nobody(
    hushlink: Hushlink, project: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    named = ("--project", project["project_id"])
    party = ("--right-file", project["party_right_files"][0])
    (tmp_path / "stranger").write_text("hl_nobody\n")
    for arguments in (
        ("project", "delete", *named, *party),
        ("run", "create", *named, *party, "--threshold", "0.9"),
        ("project", "show", *named, "--right-file", tmp_path / "stranger"),
    ):
        refused = hushlink(*arguments)
        assert (refused.returncode, "ACCESS_REFUSED" in refused.stderr) == (1, True)
    without = hushlink("project", "show", *named)
    assert (without.returncode, "RIGHT_MISSING" in without.stderr) == (1, True)


def test_encodings_of_another_secret_or_schema_are_refused(
    hushlink: Hushlink, project: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    files = people.files(tmp_path, 2, rows=20)
    schema = json.loads((tmp_path / "schema.json").read_text())
    named = ("--project", project["project_id"])
    (tmp_path / "other secret").write_text("not what was agreed\n")
    schema["features"][1]["hashing"]["strategy"] = {"bitsPerFeature": 61}
    (tmp_path / "other.json").write_text(json.dumps(schema))

    def uploaded(party: int, schema_name: str, secret_name: str) -> subprocess.CompletedProcess[str]:
        out = tmp_path / "some.encodings"
        agreed = ("--schema", tmp_path / schema_name, "--secret-file", tmp_path / secret_name)
        told(hushlink("encode", files[party], *agreed, *named, "--out", out, "--json"))
        right = ("--right-file", project["party_right_files"][party])
        return hushlink("upload", out, *named, *right, "--party", party)

    assert "FINGERPRINT_MISMATCH" in uploaded(0, "other.json", "secret").stderr
    assert uploaded(0, "schema.json", "secret").returncode == 0
    refused = uploaded(1, "schema.json", "other secret")
    assert (refused.returncode, "KEY_CHECK_MISMATCH" in refused.stderr) == (1, True)
    again = uploaded(0, "schema.json", "secret")
    assert (again.returncode, "DATASET_SEALED" in again.stderr) == (1, True)
    assert uploaded(1, "schema.json", "secret").returncode == 0


def test_a_damaged_file_of_encodings_never_reaches_the_coordinator(
    hushlink: Hushlink, project: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    file, out = people.files(tmp_path, 1, rows=20)[0], tmp_path / "some.encodings"
    told(hushlink("encode", file, *people.agreement(tmp_path), "--out", out, "--json"))
    content = bytearray(out.read_bytes())
    content[len(content) // 2] ^= 1
    out.write_bytes(content)
    named = ("--project", project["project_id"], "--right-file", project["party_right_files"][0])
    refused = hushlink("upload", out, *named, "--party", 0)
    assert refused.returncode == 2
    assert "is damaged" in refused.stderr
    shown = told(hushlink("project", "show", "--json", *named))
    assert not shown["parties"][0]["sealed"]


def test_schemas_are_described_and_their_faults_listed(tmp_path: pathlib.Path) -> None:
    people.agreement(tmp_path)
    described = told(meshes.hushlink("schema", "describe", tmp_path / "schema.json", "--json"))
    assert described["width_bits"] == 1024
    assert [column["identifier"] for column in described["columns"]] == list(people.COLUMNS)
    assert "2-grams" in meshes.hushlink("schema", "describe", tmp_path / "schema.json").stdout
    assert told(meshes.hushlink("schema", "validate", tmp_path / "schema.json", "--json"))["valid"]
    schema = json.loads((tmp_path / "schema.json").read_text())
    schema["clkConfig"]["l"] = -1
    schema["features"][1]["hashing"]["comparison"]["n"] = 0
    (tmp_path / "faulty.json").write_text(json.dumps(schema))
    refused = meshes.hushlink("schema", "validate", tmp_path / "faulty.json", "--json")
    assert refused.returncode == 2
    assert [fault["path"] for fault in json.loads(refused.stdout)["faults"]] == [
        "$.clkConfig.l",
        "$.features[1].hashing.comparison.n",
    ]


def test_bench_measures_kernel_and_mesh() -> None:
    facts = told(meshes.hushlink("bench", "--size", "1000", "--json"))
    assert facts["comparisons"] == 1_000_000
    assert facts["groups"] == 500
    assert min(facts["kernel_pairs_per_second"], facts["mesh_pairs_per_second"]) > 0


def test_misuse_is_one_line_and_status_2(tmp_path: pathlib.Path) -> None:
    for arguments in (
        ("nothing",),
        ("link",),
        ("project", "create"),
        ("run", "create", "--threshold", "high"),
        ("encode", os.devnull, "--schema", os.devnull, "--out", tmp_path / "x"),
        ("schema", "describe", tmp_path / "nowhere"),
        ("bench", "--width", "7"),
        ("bench", "--size", "-1"),
    ):
        refused = meshes.hushlink(*map(str, arguments))
        assert refused.returncode == 2, arguments
        assert len(refused.stderr.splitlines()) == 1, refused.stderr
        assert refused.stderr.startswith("hushlink: ")


def test_help_and_version() -> None:
    assert meshes.hushlink("--version").stdout.startswith("hushlink, version ")
    listing = meshes.hushlink("--help").stdout
    for name in (
        *("link", "dev", "encode", "block", "schema", "secret", "project", "upload", "run", "result", "generate"),
        "bench",
    ):
        assert f"  {name} " in listing
        assert meshes.hushlink(name, "--help").returncode == 0
