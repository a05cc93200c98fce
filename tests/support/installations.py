"""Environments that hold one of our distributions as a stranger would install it: wheels and hashed pins, no more."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.support import repository

_UV = repository.ROOT / ".tools" / "bin" / "uv"
_PINS = repository.ROOT / "requirements"
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.so", "*.egg-info", "build", "dist", "_kernel.c")


@dataclasses.dataclass(frozen=True, slots=True)
class Installation:
    """A virtual environment."""

    python: pathlib.Path

    def run(self, *arguments: str, cwd: pathlib.Path | None = None) -> str:
        """What its interpreter prints, run apart from the user's own packages; its errors fail the test."""
        return _run(str(self.python), "-s", *arguments, cwd=cwd)

    def answer(self, script: str, *arguments: str, cwd: pathlib.Path) -> Any:
        """The JSON that a script prints."""
        return json.loads(self.run("-W", "error", "-c", script, *arguments, cwd=cwd))


def _run(*command: str, cwd: pathlib.Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{command[:4]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}", pytrace=False)
    return done.stdout


def built_wheels(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """The wheel of each member, by the member's name, built from copies of the sources below ``folder``."""
    wheels = {}
    for name, member in repository.members().items():
        source, out = folder / "source" / name, folder / "wheels" / name
        shutil.copytree(member.folder, source, ignore=_LEFT_OUT)
        build = ("build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable)
        _run(str(_UV), *build, "--out-dir", str(out), str(source))
        (wheels[name],) = out.glob("*.whl")
    return wheels


def installed(
    folder: pathlib.Path,
    interpreter: str,
    name: str,
    wheels: dict[str, pathlib.Path],
    further: tuple[str, ...] = (),
) -> Installation:
    """A member, the members it needs, and their pins (those of ``further`` as well), in an environment of their own."""
    environment = folder / f"{name}-environment"
    _run(str(_UV), "venv", "--quiet", "--python", interpreter, str(environment))
    python = environment / "bin" / "python"
    install = (str(_UV), "pip", "install", "--quiet", "--python", str(python))
    for pins in (name.removeprefix("hushlink-"), *further):
        _run(*install, "--no-deps", "--require-hashes", "-r", str(_PINS / f"{pins}.txt"))
    ours = [str(wheels[member.name]) for member in repository.needed_members(name)]
    _run(*install, "--no-deps", *ours)
    return Installation(python)
