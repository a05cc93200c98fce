"""The data owner's side and the kernel, from one wheel, on every other supported Python of this machine."""

from __future__ import annotations

import pathlib

import pytest

from tests.support import capabilities, installations, repository

_PYTHONS = capabilities.other_pythons()
_ROOMS = ("domain", "encoder")
# Oracles without wheels for every Python, and C tests that are the same for all of them.
_LEFT_OUT = (
    *("native/tests/test_anonlink.py", "native/tests/test_c.py"),
    *("tests/unit/encoder/test_against_clkhash.py", "tests/unit/encoder/test_blocking_against_blocklib.py"),
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", _PYTHONS)
def test_domain_kernel_and_encoder_work(version: str, wheels: dict[str, pathlib.Path], tmp_path: pathlib.Path):
    if not capabilities.required():
        capabilities.skip(f"Python {version} is tested by CI alone: set TESTS_REQUIRE_ALL=1 to do it here")
    pins = ("test", "alone")
    there = installations.installed(tmp_path, _PYTHONS[version], "hushlink-encoder", wheels, pins)
    assert there.run("-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip() == version
    unit = repository.ROOT / "tests" / "unit"
    tests = [*unit.glob("test_*.py"), *(unit / room for room in _ROOMS), repository.ROOT / "native" / "tests"]
    left_out = [f"--ignore={repository.ROOT / path}" for path in _LEFT_OUT]
    summary = there.run(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", *left_out, *map(str, tests)), cwd=repository.ROOT
    )
    assert " passed" in summary.splitlines()[-1]
