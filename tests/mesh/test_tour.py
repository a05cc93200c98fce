"""The README's tour does what it says: its shell blocks are run as they stand, on ports of the test's own."""

from __future__ import annotations

import csv
import json
import pathlib
import re
import subprocess

import pytest

from tests.support import capabilities
from tests.support import mesh as meshes

ROOT = pathlib.Path(__file__).parents[2]
README = ROOT / "README.md"
EXPECTED = [("0", "0", "0"), ("0", "1", "1"), ("1", "0", "3"), ("1", "1", "0")]


def blocks(kind: str) -> str:
    found = re.findall(rf"<!-- tour: {kind} -->\n```sh\n(.*?)```", README.read_text(), re.DOTALL)
    assert found, f"the tour has no block of the kind {kind}"
    return "".join(found)


def run_shell(script: str, folder: pathlib.Path) -> str:
    own = script.replace("/tmp/tour", str(folder))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", own], cwd=ROOT, env=meshes.environment(), capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_files_are_linked(tmp_path: pathlib.Path) -> None:
    run_shell(blocks("link"), tmp_path)
    with (tmp_path / "groups.csv").open(newline="") as file:
        rows = [(row["group"], row["dataset"], row["row"]) for row in csv.DictReader(file)]
    assert rows == EXPECTED


def test_the_services_do_it_for_anybody_who_speaks_grpc(mesh: meshes.StartedMesh, tmp_path: pathlib.Path) -> None:
    capabilities.need(capabilities.BUF)
    script = blocks("grpc")
    for port, address in (("7700", mesh.coordinator), ("7701", mesh.encoder)):
        script = script.replace(f"call {port} ", f"call {address.rpartition(':')[2]} ")
    told = run_shell(f'export PATH="{capabilities.buf().parent}:$PATH"\n{script}', tmp_path)
    *_, page = _documents(told)
    assert page["page"]["memberRows"] == [0, 1, 3, 0]
    assert page["page"]["memberCounts"] == [2, 2]


def test_the_dev_command_is_as_the_tour_says() -> None:
    assert blocks("dev").split()[:2] == ["hushlink", "dev"]
    assert meshes.hushlink(*blocks("dev").split()[1:], "--help").returncode == 0


def _documents(text: str) -> list[dict[str, dict[str, object]]]:
    decoder = json.JSONDecoder()
    found, at = [], 0
    while at < len(text.rstrip()):
        document, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        found.append(document)
    if not found:
        pytest.fail("the tour printed nothing")
    return found
