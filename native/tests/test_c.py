"""The C interface from C, under sanitizers, with every warning an error."""

import os
import pathlib
import platform
import shutil
import subprocess
import sys
import sysconfig

import cffi  # type: ignore[import-untyped]
import pytest

import hushlink_native

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

# The emulation is slow: it may use what the machine has.
VECTORS = ["-mavx2", "-mpopcnt"] if "avx2" in hushlink_native.kernel_paths() else []


def built(compiler, folder, mains, sanitizers):
    """Compile the kernel with a program's own files; skip where the compiler or its runtime is not."""
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
    command = [compiler, *FLAGS, sanitizers, *sources(), *map(str, mains), "-lm", "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def sources(*, but=""):
    return [str(path) for path in sorted((NATIVE / "src").glob("*.c")) if path.name != but]


def emulated_avx512(compiler, folder, flags):
    """The AVX-512 path, its instructions replaced by their definitions in C; the other sources to build it with."""
    if platform.machine() != "x86_64":
        pytest.skip("the AVX-512 path exists on x86-64 only")
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    built = folder / "avx512.o"
    shim = ["-DHL_TARGET_AVX512=", "-Wno-psabi", f"-I{NATIVE / 'tests/c/emulated'}"]
    subprocess.run([compiler, *flags, *shim, "-c", str(NATIVE / "src/avx512.c"), "-o", str(built)], check=True)
    return ["-DHL_EMULATED_AVX512", str(built), *sources(but="avx512.c")]


TESTS = [NATIVE / "tests/c/kernel_test.c", NATIVE / "tests/c/filters_test.c"]
ERASING = ["column", "mask_cache", "token", "blake2b", "hmac", "sha1", "md5", "erase"]


@pytest.mark.parametrize("compiler", ["gcc", CLANG])
def test_the_kernel_under_sanitizers(tmp_path, compiler):
    program = built(compiler, tmp_path, TESTS, "-fsanitize=address,undefined")
    result = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_fuzzed_arguments(tmp_path):
    program = built(CLANG, tmp_path, [NATIVE / "tests/c/kernel_fuzz.c"], "-fsanitize=fuzzer,address,undefined")
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
    program = built(compiler, tmp_path, TESTS, "-static")
    result = subprocess.run([emulator, str(program)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_what_is_erased_at_the_end_is_erased_when_optimised_as_a_whole(tmp_path):
    program = tmp_path / "program"
    files = [*(NATIVE / f"src/{name}.c" for name in ERASING), NATIVE / "tests/c/filters_test.c"]
    subprocess.run(["gcc", *FLAGS, "-O3", "-flto", "-DHL_ALONE", *map(str, files), "-o", str(program)], check=True)
    result = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_avx512_path_emulated_under_sanitizers(tmp_path):
    flags = [*FLAGS, "-O3", *VECTORS, "-fsanitize=address"]
    program = tmp_path / "program"
    parts = emulated_avx512("gcc", tmp_path, flags)
    subprocess.run(["gcc", *flags, *parts, *map(str, TESTS), "-lm", "-o", str(program)], check=True)
    result = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_avx512_path_emulated_equals_the_portable_one(tmp_path):
    """Much of test_paths.py, with a module in which the path is emulated; the rest is in kernel_test.c."""
    package = tmp_path / "hushlink_native"
    shutil.copytree(pathlib.Path(hushlink_native.__file__).parent, package)
    ffi = cffi.FFI()
    ffi.cdef((NATIVE / "cdef.h").read_text(encoding="utf-8"))
    ffi.set_source("hushlink_native._kernel", '#include "hushlink.h"\n', py_limited_api=True)
    binding = tmp_path / "binding.c"
    ffi.emit_c_code(str(binding))
    flags = ["-std=c11", "-O3", "-fPIC", f"-I{NATIVE / 'include'}"]
    flags += VECTORS
    parts = emulated_avx512("gcc", tmp_path, flags)
    headers = ["-DPy_LIMITED_API=0x03020000", f"-I{sysconfig.get_path('include')}"]
    module = package / "_kernel.abi3.so"
    module.unlink()
    subprocess.run(
        ["gcc", *flags, *headers, "-shared", *parts, str(binding), "-lm", "-o", str(module)],
        check=True,
    )
    code = f"import hushlink_native, pytest, sys; assert {str(tmp_path)!r} in hushlink_native.__file__; "
    code += "assert 'avx512' in hushlink_native.kernel_paths(); "
    code += "hushlink_native.kernel_paths = lambda: ['portable', 'avx512']; sys.exit(pytest.main(sys.argv[1:]))"
    tests = ["-k", "loses_nothing or sizes_of_groups or self_joins", str(NATIVE / "tests/test_paths.py")]
    result = subprocess.run(
        [sys.executable, "-c", code, "-q", "-p", "no:cacheprovider", *tests],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert " passed" in result.stdout
