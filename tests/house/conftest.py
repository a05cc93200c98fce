"""Wheels of the whole house, built once."""

from __future__ import annotations

import pathlib

import pytest

from tests.support import installations


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    return installations.built_wheels(tmp_path_factory.mktemp("wheels"))
