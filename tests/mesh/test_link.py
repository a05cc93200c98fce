"""``hushlink link`` from outside: the groups are those of the definition, and what is faulty changes nothing."""

from __future__ import annotations

import asyncio
import json
import pathlib
import shutil
import socket

import asyncpg
import pytest

from tests.support import mesh as meshes
from tests.support import people

THRESHOLD = 0.70
SECRET_CELL = "Wolkenstein"


@pytest.mark.parametrize("count", [2, 3])
def test_groups_of_files_with_known_truth(mesh: meshes.StartedMesh, tmp_path: pathlib.Path, count: int) -> None:
    files = people.files(tmp_path, count, rows=400)
    out = tmp_path / "groups.csv"
    objects = _objects(mesh)
    linked = meshes.hushlink(
        *("link", *map(str, files), *people.agreement(tmp_path), "--threshold", "0.7", "--out", str(out), "--json"),
        HUSHLINK_COORDINATOR=mesh.coordinator,
    )
    assert linked.returncode == 0, linked.stderr
    found = people.read_groups(out)
    assert found == people.expected_groups(files, THRESHOLD)
    assert set(found) == people.true_groups(files)
    facts = json.loads(linked.stdout)
    assert facts["groups"] == len(found)
    assert facts["dataset_rows"] == [400] * count
    assert facts["comparisons"] == 400 * 400 * count * (count - 1) // 2
    assert _projects(mesh) == 0, "the project is deleted afterwards"
    assert _objects(mesh) == objects


def test_on_a_mesh_of_its_own(tmp_path: pathlib.Path) -> None:
    files = people.files(tmp_path, 2, rows=50)
    out, temporary = tmp_path / "groups.csv", tmp_path / "temporary"
    temporary.mkdir()
    options = [*people.agreement(tmp_path), "--threshold", "0.7", "--out", str(out)]
    linked = meshes.hushlink("link", *files, *options, TMPDIR=str(temporary))
    assert linked.returncode == 0, linked.stderr
    assert people.read_groups(out) == people.expected_groups(files, THRESHOLD)
    assert list(temporary.iterdir()) == []


def _with_cell(record: list[str], column: int, cell: bytes) -> bytes:
    cells = [text.encode() for text in record]
    cells[column] = cell
    return b",".join(cells) + b"\n"


def _good(folder: pathlib.Path) -> tuple[bytes, list[str]]:
    header, first, *_ = people.files(folder, 1, rows=3)[0].read_bytes().splitlines(keepends=True)
    return header + first, first.decode().strip().split(",")


def _missing_column(folder: pathlib.Path) -> tuple[bytes, list[str]]:
    lines = _good(folder)[0].replace(b"surname,", b"")
    return lines, ["surname"]


def _ragged_row(folder: pathlib.Path) -> tuple[bytes, list[str]]:
    lines, _ = _good(folder)
    return lines + SECRET_CELL.encode() + b",only two\n", ["row 1", "2 cells", "11 expected"]


def _undecodable(folder: pathlib.Path) -> tuple[bytes, list[str]]:
    lines, record = _good(folder)
    return lines + _with_cell(record, 2, SECRET_CELL.encode() + b"\xff"), ["row 1", "'surname'"]


def _huge_cell(folder: pathlib.Path) -> tuple[bytes, list[str]]:
    lines, record = _good(folder)
    return lines + _with_cell(record, 4, SECRET_CELL.encode() * 1_000_000), ["row 1", "'address_1'"]


@pytest.mark.parametrize("fault", [_missing_column, _ragged_row, _undecodable, _huge_cell])
def test_a_faulty_file_is_named_and_changes_nothing(mesh: meshes.StartedMesh, tmp_path: pathlib.Path, fault) -> None:
    good = people.files(tmp_path, 2, rows=5)[1]
    content, named = fault(tmp_path)
    bad, out = tmp_path / "bad.csv", tmp_path / "groups.csv"
    bad.write_bytes(content)
    out.write_text("of an earlier time")
    refused = meshes.hushlink(
        *("link", str(good), str(bad), *people.agreement(tmp_path), "--threshold", "0.7", "--out", str(out)),
        HUSHLINK_COORDINATOR=mesh.coordinator,
    )
    _assert_one_line(refused, 2)
    assert str(bad) in refused.stderr
    for fact in named:
        assert fact in refused.stderr
    assert SECRET_CELL not in refused.stderr
    assert out.read_text() == "of an earlier time"
    assert _projects(mesh) == 0


def _options(folder: pathlib.Path, **changed: str) -> list[str]:
    """Right options for two small files, but for what is changed."""
    files = people.files(folder, 2, rows=5)
    people.agreement(folder)
    options = {
        "schema": str(folder / "schema.json"),
        "secret-file": str(folder / "secret"),
        "threshold": "0.7",
        "out": str(folder / "groups.csv"),
        **{name.replace("_", "-"): text for name, text in changed.items()},
    }
    return [*map(str, files), *(part for name, text in options.items() for part in (f"--{name}", text))]


@pytest.mark.parametrize("threshold", ["0", "-0.1", "1.1", "nan"])
def test_a_threshold_out_of_range(tmp_path: pathlib.Path, threshold: str) -> None:
    refused = meshes.hushlink("link", *_options(tmp_path, threshold=threshold))
    _assert_one_line(refused, 2)
    assert "THRESHOLD_OUT_OF_RANGE" in refused.stderr


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.touch()])
def test_a_secret_file_that_cannot_be_used(tmp_path: pathlib.Path, make) -> None:
    make(tmp_path / "other")
    refused = meshes.hushlink("link", *_options(tmp_path, secret_file=str(tmp_path / "other")))
    _assert_one_line(refused, 2)
    assert str(tmp_path / "other") in refused.stderr


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe", b'{"version": 3}'])
def test_a_schema_file_that_cannot_be_used(tmp_path: pathlib.Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "other.json").write_bytes(content)
    refused = meshes.hushlink("link", *_options(tmp_path, schema=str(tmp_path / "other.json")))
    _assert_one_line(refused, 2)


def test_an_output_that_cannot_be_written(mesh: meshes.StartedMesh, tmp_path: pathlib.Path) -> None:
    refused = meshes.hushlink(
        *("link", *_options(tmp_path, out=str(tmp_path / "nowhere" / "groups.csv"))),
        HUSHLINK_COORDINATOR=mesh.coordinator,
    )
    _assert_one_line(refused, 2)
    assert "cannot write" in refused.stderr
    assert _projects(mesh) == 0


def test_a_coordinator_that_is_not_there(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    refused = meshes.hushlink("link", *_options(tmp_path, coordinator=address))
    _assert_one_line(refused, 1)
    assert f"cannot reach the coordinator at {address}" in refused.stderr


def test_a_coordinator_that_is_a_matcher(mesh: meshes.StartedMesh, tmp_path: pathlib.Path) -> None:
    refused = meshes.hushlink("link", *_options(tmp_path, coordinator=mesh.matchers[0]))
    _assert_one_line(refused, 2)
    assert "is a Hushlink matcher" in refused.stderr


@pytest.mark.parametrize("address", ["nowhere", ":1", "host:", "host:port"])
def test_a_coordinator_that_is_no_address(tmp_path: pathlib.Path, address: str) -> None:
    _assert_one_line(meshes.hushlink("link", *_options(tmp_path, coordinator=address)), 2)


def test_one_file_is_too_few(tmp_path: pathlib.Path) -> None:
    first, _, *rest = _options(tmp_path)
    refused = meshes.hushlink("link", first, *rest)
    assert refused.returncode == 2
    assert "two files or more" in refused.stderr


def test_the_same_file_twice_links_every_row_with_itself(mesh: meshes.StartedMesh, tmp_path: pathlib.Path) -> None:
    first = people.files(tmp_path, 1, rows=30)[0]
    second = pathlib.Path(shutil.copy(first, tmp_path / "copy.csv"))
    out = tmp_path / "groups.csv"
    options = [*people.agreement(tmp_path), "--threshold", "1", "--out", str(out)]
    linked = meshes.hushlink("link", first, second, *options, HUSHLINK_COORDINATOR=mesh.coordinator)
    assert linked.returncode == 0, linked.stderr
    assert people.read_groups(out) == [((0, row), (1, row)) for row in range(30)]


def _assert_one_line(refused, status: int) -> None:
    assert refused.returncode == status, refused.stderr
    assert refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1, refused.stderr
    assert refused.stderr.startswith("hushlink: ")


def _projects(mesh: meshes.StartedMesh) -> int:
    """How many projects of `link` the coordinator keeps."""

    async def count() -> int:
        database = await asyncpg.connect(mesh.database_url())
        try:
            return int(await database.fetchval("SELECT count(*) FROM projects WHERE name = 'hushlink link'"))
        finally:
            await database.close()

    return asyncio.run(count())


def _objects(mesh: meshes.StartedMesh) -> set[pathlib.Path]:
    """What the object store keeps."""
    return {path for path in (mesh.data / "objects").rglob("*") if path.is_file()}
