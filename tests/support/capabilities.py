"""What a machine must have for some tests, and what becomes of them where it has not.

Where everything is required (TESTS_REQUIRE_ALL=1, or CI=true) a missing capability is an error. Elsewhere its tests
are skipped, and the summary says so in one line per capability.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import pathlib
import shutil
from collections.abc import Callable

import pytest

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
    _skipped[f"{capability.name} missing ({missing}): {capability.way_to_it}"] += 1
    pytest.skip(f"{capability.name} missing: {missing}")


def summary() -> list[str]:
    """A line for each capability that tests were skipped for."""
    return [f"SKIPPED {count} tests: {what}" for what, count in sorted(_skipped.items())]
