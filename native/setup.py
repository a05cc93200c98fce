"""Compiles the kernel; everything else is in pyproject.toml."""

import setuptools

setuptools.setup(
    cffi_modules=["build_kernel.py:ffibuilder"],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
