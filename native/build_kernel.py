"""Describes the compiled module `hushlink_native._kernel` to cffi; setup.py calls it.

One set of flags serves every source file: a file for an instruction set marks its own functions.
The tests compile the same sources with every warning an error; a user's newer compiler may warn more.
"""

import pathlib

import cffi

NATIVE = pathlib.Path(__file__).resolve().parent

ffibuilder = cffi.FFI()
ffibuilder.cdef((NATIVE / "cdef.h").read_text(encoding="utf-8"))
ffibuilder.set_source(
    "hushlink_native._kernel",
    '#include "hushlink.h"\n',
    sources=[str(path.relative_to(NATIVE)) for path in sorted((NATIVE / "src").glob("*.c"))],
    include_dirs=["include"],
    depends=[str(path.relative_to(NATIVE)) for path in sorted([*NATIVE.glob("include/*.h"), *NATIVE.glob("src/*.h")])],
    extra_compile_args=["-std=c11", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden"],
    libraries=["m"],
    py_limited_api=True,
)
