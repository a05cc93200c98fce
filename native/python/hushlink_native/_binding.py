"""The one door to the compiled module: pointers into arrays, and statuses as exceptions."""

from typing import Any, TypeVar

import numpy

from hushlink_native import _kernel

ffi = _kernel.ffi
lib = _kernel.lib

Scalar = TypeVar("Scalar", bound=numpy.generic)

_C_TYPES = {
    numpy.dtype(numpy.uint8): "uint8_t[]",
    numpy.dtype(numpy.uint16): "uint16_t[]",
    numpy.dtype(numpy.uint32): "uint32_t[]",
    numpy.dtype(numpy.uint64): "uint64_t[]",
    numpy.dtype(numpy.float64): "double[]",
}


def pointer(array: numpy.typing.NDArray[Any], *, writable: bool = False) -> Any:
    """A C pointer to an array's items, which keeps the array alive."""
    return ffi.from_buffer(_C_TYPES[array.dtype], array, require_writable=writable)


def check(status: int, what: str) -> int:
    """Return a status that is no error; raise what the error means for `what`.

    Raises ValueError for arguments that the kernel refuses, NotImplementedError for a metric or
    instruction set it does not have, and MemoryError.
    """
    if status >= 0:
        return status
    if status == lib.HL_NO_MEMORY:
        raise MemoryError(f"{what}: out of memory")
    if status == lib.HL_UNSUPPORTED:
        raise NotImplementedError(f"{what}: not supported by this kernel")
    raise ValueError(f"{what}: the kernel refused the arguments")
