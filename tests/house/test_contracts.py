"""The import contracts hold, and each of them would notice an import that breaks it."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from tests.support import repository

_OFFENCES = {
    "hushlink_domain/pairs.py": "import numpy",
    "hushlink_mesh/config.py": "import hushlink_matcher.config",
    "hushlink_matcher/slots.py": "import grpc",
    "hushlink_coordinator/reading.py": "import asyncpg",
    "hushlink_coordinator/keys.py": "import botocore.config",
    "hushlink_coordinator/uploading.py": "import hushlink_native._binding",
    "hushlink_client/retries.py": "import hushlink_coordinator.config",
    "hushlink_client/wire.py": "import hushlink_encoder.keys",
    "hushlink_encoder/engine.py": "import hushlink_mesh.config",
}
"""For each contract of pyproject.toml a line that breaks it."""
_VERDICT = re.compile(r"^(?P<name>.+) (?P<verdict>KEPT|BROKEN)", re.MULTILINE)


@pytest.fixture
def copied_house(tmp_path: pathlib.Path) -> pathlib.Path:
    """The source of every room, and the contracts, apart from the repository."""
    for member in repository.members().values():
        if member.package.name != "hushlink":
            shutil.copytree(
                member.package, tmp_path / member.package.name, ignore=shutil.ignore_patterns("__pycache__", "*.so")
            )
    shutil.copy(repository.ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _verdicts(house: pathlib.Path) -> list[str]:
    linter = pathlib.Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(house), "COLUMNS": "200"}
    done = subprocess.run(
        [linter, "--no-cache"], cwd=house, env=environment, capture_output=True, text=True, check=False
    )
    verdicts = [found["verdict"] for found in _VERDICT.finditer(done.stdout)]
    assert verdicts, done.stdout + done.stderr
    return verdicts


def test_the_contracts_hold(copied_house: pathlib.Path):
    assert set(_verdicts(copied_house)) == {"KEPT"}


def test_every_contract_notices_an_offence(copied_house: pathlib.Path):
    for place, line in _OFFENCES.items():
        file = copied_house / place
        file.write_text(f"{file.read_text()}\n{line}\n")
    assert set(_verdicts(copied_house)) == {"BROKEN"}
