"""The protos are an API for strangers: a client made from them alone does a whole linkage."""

from __future__ import annotations

import asyncio
import json
import pathlib
import subprocess
import sys

import numpy as np

import hushlink_native as native
from tests.support import encodings
from tests.support import mesh as meshes

PROTOS = pathlib.Path(__file__).parents[2] / "protos"
STRANGER = pathlib.Path(__file__).with_name("stranger.py")
THRESHOLD = 0.8
WIDTH_BYTES = 32


def generated(folder: pathlib.Path) -> pathlib.Path:
    """Python made from nothing but the .proto files."""
    sources = [str(file.relative_to(PROTOS)) for file in PROTOS.rglob("*.proto")]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}"]
    subprocess.run([*command, f"--python_out={folder}", f"--grpc_python_out={folder}", *sources], check=True)
    for package in (folder / "hushlink").rglob("*"):
        if package.is_dir():
            (package / "__init__.py").touch()
    (folder / "hushlink" / "__init__.py").touch()
    return folder


async def test_a_client_made_from_the_protos_alone_links_two_datasets(
    mesh: meshes.StartedMesh, tmp_path: pathlib.Path
) -> None:
    left, right = encodings.overlapping(3000, 2500, WIDTH_BYTES, seed=5)
    files = [tmp_path / "left", tmp_path / "right"]
    for file, rows in zip(files, (left, right), strict=True):
        file.write_bytes(rows.tobytes())
    folder = tmp_path / "generated"
    folder.mkdir()
    arguments = [str(generated(folder)), mesh.coordinator, str(THRESHOLD), *map(str, files), str(WIDTH_BYTES)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(STRANGER),
        *arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    told = json.loads(output)
    scores, left_rows, right_rows = native.candidate_pairs(left, right, THRESHOLD)
    sides = (np.zeros(len(scores), np.uint16), np.ones(len(scores), np.uint16))
    expected = native.greedy_groups(scores, sides, (left_rows, right_rows))
    assert [[tuple(member) for member in group] for group in told["groups"]] == [list(group) for group in expected]
    assert expected, "the datasets overlap"
    assert told["run"]["state"] == "RUN_STATE_SUCCEEDED"
    assert [receipt["committedRows"] for receipt in told["receipts"]] == ["3000", "2500"]
