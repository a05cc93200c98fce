"""The repository as tests see it: its root, its members, the files git knows."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import subprocess
import tomllib
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = ("coordinator", "matcher", "encoder")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A distribution of the workspace."""

    name: str
    """As it is published, such as hushlink-domain."""
    folder: pathlib.Path
    version: str
    dependencies: frozenset[str]
    """Names of the distributions it declares, normalised; without extras."""
    extras: frozenset[str]
    """Names of those that only its extras declare."""

    @property
    def package(self) -> pathlib.Path:
        """The folder of its import package."""
        room = self.name.replace("-", "_")
        places = (self.folder / source / room for source in ("src", "python"))
        return next((place for place in places if place.is_dir()), self.folder / "hushlink")

    def modules(self) -> Iterator[pathlib.Path]:
        """Its Python files, generated ones left out."""
        return (path for path in sorted(self.package.rglob("*.py")) if "_pb2" not in path.name)


def members() -> dict[str, Member]:
    """The workspace's members by name."""
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = (_member(ROOT / folder) for folder in workspace["tool"]["uv"]["workspace"]["members"])
    return {member.name: member for member in found}


def _member(folder: pathlib.Path) -> Member:
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project.get("optional-dependencies", {}).values() for line in lines]
    return Member(project["name"], folder, project["version"], _names(project["dependencies"]), _names(extras))


def _names(lines: list[str]) -> frozenset[str]:
    return frozenset(normalised(_NAME.match(line)[0]) for line in lines)  # type: ignore[index]


def normalised(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed_members(name: str) -> list[Member]:
    """A member and all the members it needs, itself last."""
    every = members()
    found: dict[str, Member] = {}

    def visit(each: str) -> None:
        for needed in sorted(every[each].dependencies & every.keys()):
            visit(needed)
        found.setdefault(each, every[each])

    visit(name)
    return list(found.values())


def tracked_files() -> list[pathlib.Path]:
    """What git tracks, and what it would."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]
