"""The C interface from C, under sanitizers, with every warning an error."""

import pathlib
import shutil
import subprocess

import pytest

NATIVE = pathlib.Path(__file__).resolve().parent.parent
CLANG = next(
    (name for name in ("clang", *(f"clang-{n}" for n in range(22, 13, -1))) if shutil.which(name)),
    "clang",
)
FLAGS = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wconversion",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-g",
    "-O1",
    "-fno-sanitize-recover=all",
    f"-I{NATIVE / 'include'}",
]


def built(compiler, folder, main, sanitizers):
    """Compile the kernel with a program's main file; skip where the compiler or its runtime is not."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    probe = folder / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    probing = sanitizers.replace("fuzzer", "undefined")
    if subprocess.run(
        [compiler, probing, str(probe), "-o", str(folder / "probe")],
        capture_output=True,
        check=False,
    ).returncode:
        pytest.skip(f"{compiler} has no sanitizer runtime (on Debian: libclang-rt-dev)")
    program = folder / "program"
    sources = [str(path) for path in sorted((NATIVE / "src").glob("*.c"))]
    command = [compiler, *FLAGS, sanitizers, *sources, str(main), "-lm", "-o", str(program)]
    subprocess.run(command, check=True)
    return program


@pytest.mark.parametrize("compiler", ["gcc", CLANG])
def test_the_kernel_under_sanitizers(tmp_path, compiler):
    main = NATIVE / "tests/c/kernel_test.c"
    program = built(compiler, tmp_path, main, "-fsanitize=address,undefined")
    result = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_fuzzed_arguments(tmp_path):
    main = NATIVE / "tests/c/kernel_fuzz.c"
    program = built(CLANG, tmp_path, main, "-fsanitize=fuzzer,address,undefined")
    result = subprocess.run(
        [str(program), "-seed=1", "-runs=400", "-max_len=4096", "-len_control=0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]


def test_the_kernel_on_another_processor(tmp_path):
    compiler, emulator = "aarch64-linux-gnu-gcc", "qemu-aarch64"
    for tool in (compiler, emulator):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    program = built(compiler, tmp_path, NATIVE / "tests/c/kernel_test.c", "-static")
    result = subprocess.run([emulator, str(program)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
