"""The C interface from C, under sanitizers, with every warning an error."""

import pathlib
import shutil
import subprocess

import pytest

NATIVE = pathlib.Path(__file__).resolve().parent.parent
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-Wstrict-prototypes"]


def compilers():
    return [name for name in ("gcc", "clang") if shutil.which(name)]


@pytest.mark.parametrize("compiler", compilers())
def test_the_kernel_under_sanitizers(tmp_path, compiler):
    program = tmp_path / "kernel_test"
    sources = [str(path) for path in sorted((NATIVE / "src").glob("*.c"))]
    subprocess.run(
        [
            compiler,
            *WARNINGS,
            "-g",
            "-O1",
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all",
            f"-I{NATIVE / 'include'}",
            *sources,
            str(NATIVE / "tests/c/kernel_test.c"),
            "-lm",
            "-o",
            str(program),
        ],
        check=True,
    )
    result = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
