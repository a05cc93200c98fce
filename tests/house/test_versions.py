"""One version for all: members, workspace and changelog say the same."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib

import pytest

from tests.support import repository

_VERSION = tomllib.loads((repository.ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.mark.parametrize("member", repository.members().values(), ids=lambda member: member.name)
def test_a_member_has_the_workspaces_version(member: repository.Member):
    assert member.version == _VERSION
    assert importlib.metadata.version(member.name) == _VERSION, "installed from an older state: run `make setup`"


def test_images_have_it():
    deploy = repository.ROOT / "deploy"
    assert f"ARG VERSION={_VERSION}\n" in (deploy / "Dockerfile").read_text()
    compose = (deploy / "compose.yaml").read_text()
    assert set(re.findall(r":-hushlink-\w+:([^}]+)}", compose)) == {_VERSION}


def test_the_changelog_tells_of_it():
    headings = re.findall(r"^## \[?([^\]\s]+)", (repository.ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in (_VERSION, "Unreleased")
    assert _VERSION in headings or headings[0] == "Unreleased"
