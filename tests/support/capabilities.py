"""What a machine must have for some tests, and what becomes of them where it has not.

Where everything is required (TESTS_REQUIRE_ALL=1, or CI=true) a missing capability is an error. Elsewhere its tests
are skipped, and the summary says so in one line per capability.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

import pytest

OLDEST_PYTHON = 11
"""The minor version of the oldest Python that is supported."""
_NEWEST_CONCEIVABLE_PYTHON = 20

_EXCUSES = (
    "other accounts may not enter this checkout",
    "which every account may run",
)

_skipped: collections.Counter[str] = collections.Counter()


@dataclasses.dataclass(frozen=True, slots=True)
class Capability:
    """Something that not every machine has."""

    name: str
    way_to_it: str
    """What to do to have it."""
    missing: Callable[[], str]
    """What is missing of it now; empty when nothing is."""


def _programs(*names: str) -> Callable[[], str]:
    return lambda: ", ".join(name for name in names if shutil.which(name, path=_search_path()) is None)


def _search_path() -> str:
    """PATH, with where servers' and administrators' programs are."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def _containers() -> str:
    missing = _programs("podman", "runc", "debootstrap", "apt-get")()
    return missing or ("root" if os.geteuid() != 0 else "")


def _second_postgres() -> str:
    return "" if postgres_programs() is not None else "postgres of the system"


def postgres_programs() -> pathlib.Path | None:
    """The folder of the newest Postgres that the system's packages installed, or None."""
    found = pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(found, key=lambda program: int(program.parent.parent.name), default=None)
    return newest and newest.parent


CONTAINERS = Capability(
    "containers", "as root: apt-get install podman runc debootstrap catatonit containernetworking-plugins", _containers
)
RADOSGW = Capability(
    "radosgw",
    "apt-get install --no-install-recommends radosgw ceph-mon ceph-osd",
    _programs("radosgw", "radosgw-admin", "ceph", "ceph-mon", "ceph-osd", "ceph-authtool", "monmaptool"),
)
SYSTEM_POSTGRES = Capability("a Postgres of the system", "apt-get install postgresql", _second_postgres)


def buf() -> pathlib.Path:
    """The program buf, which ``make check`` installs from npm. For tests that need ``BUF``."""
    return pathlib.Path(__file__).parents[2] / ".build" / "node" / "node_modules" / ".bin" / "buf"


BUF = Capability("buf", "install npm, then: make check-protos", lambda: "" if buf().exists() else "buf")


def other_pythons() -> dict[str, str]:
    """Interpreters of supported versions other than this one's: path by version, such as 3.13."""
    found: dict[str, str] = {}
    own = sys.version_info[:2]
    for minor in range(OLDEST_PYTHON, _NEWEST_CONCEIVABLE_PYTHON + 1):
        if (3, minor) != own and (path := _interpreter(f"3.{minor}")):
            found[f"3.{minor}"] = path
    return found


@functools.cache
def _pyenv_root() -> pathlib.Path:
    """Where pyenv keeps its interpreters; a place without any where there is no pyenv."""
    if shutil.which("pyenv") is None:
        return pathlib.Path(os.devnull)
    answer = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False)
    return pathlib.Path(answer.stdout.strip())


def _interpreter(version: str) -> str | None:
    """An interpreter that runs; pyenv's stand-ins on PATH may not."""
    pyenv = map(str, _pyenv_root().glob(f"versions/{version}.*/bin/python"))
    candidates = [*sorted(pyenv, reverse=True), shutil.which(f"python{version}")]
    look = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    for path in filter(None, candidates):
        answer = subprocess.run([path, "-c", look], capture_output=True, text=True, check=False)
        if answer.stdout.strip() == version:
            return path
    return None


def required() -> bool:
    """Whether a missing capability is an error."""
    return os.environ.get("TESTS_REQUIRE_ALL", "") not in ("", "0") or os.environ.get("CI", "") == "true"


def need(capability: Capability) -> None:
    """Skip the test that asks, or fail it where everything is required, unless the machine has the capability."""
    missing = capability.missing()
    if not missing:
        return
    if required():
        pytest.fail(f"{capability.name} required, missing: {missing} ({capability.way_to_it})", pytrace=False)
    skip(f"{capability.name} missing ({missing}): {capability.way_to_it}")


def skip(why: str) -> NoReturn:
    """Skip the test that asks; the summary says why."""
    _skipped[why] += 1
    pytest.skip(why)


def excused(reason: str) -> bool:
    """Whether a test may be skipped for this even where everything is required: no package would help."""
    return any(excuse in reason for excuse in _EXCUSES)


def summary() -> list[str]:
    """A line for each capability that tests were skipped for."""
    return [f"SKIPPED {count} tests: {what}" for what, count in sorted(_skipped.items())]
