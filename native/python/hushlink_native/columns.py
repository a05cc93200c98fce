"""Columns of pairs as the kernel takes them: exact types, one length, datasets as number or array."""

from typing import Any

import numpy
import numpy.typing

from hushlink_native import _binding

DATASETS_MAX = 65_535
"""Datasets of one project, at most."""


def exact(name: str, column: Any, dtype: Any, length: int) -> numpy.typing.NDArray[Any]:
    """`column` as a contiguous array, when it has this type and length.

    Raises TypeError for another type, ValueError for another length.
    """
    if not isinstance(column, numpy.ndarray) or column.dtype != dtype:
        raise TypeError(f"{name} must be a numpy array of {numpy.dtype(dtype)}")
    if column.shape != (length,):
        raise ValueError(f"{name} must have the shape ({length},), not {column.shape}")
    return numpy.ascontiguousarray(column)


def integers(name: str, column: Any, dtype: Any) -> numpy.typing.NDArray[Any]:
    """`column`, any one-dimensional sequence of integers, as a contiguous array of `dtype`.

    Raises TypeError for anything but integers, ValueError for another shape, IndexError for a value
    outside the type.
    """
    array = numpy.asarray(column)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not {array.ndim}")
    if array.dtype == dtype:
        return numpy.ascontiguousarray(array)
    if len(array) == 0:
        return numpy.empty(0, dtype=dtype)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, not {array.dtype}")
    limits = numpy.iinfo(dtype)
    if int(array.min()) < 0 or int(array.max()) > int(limits.max):
        raise IndexError(f"{name} holds a value outside 0..{limits.max}")
    return numpy.ascontiguousarray(array.astype(dtype))


def datasets(name: str, column: Any, length: int) -> int | numpy.typing.NDArray[numpy.uint16]:
    """A dataset column: one number for every pair, or an array of this length.

    Raises IndexError for a dataset outside 0..65534, TypeError and ValueError as `integers`.
    """
    if isinstance(column, int | numpy.integer):
        if not 0 <= int(column) < DATASETS_MAX:
            raise IndexError(f"{name} is {column}, outside 0..{DATASETS_MAX - 1}")
        return int(column)
    if numpy.ndim(column) == 0:
        raise TypeError(f"{name} must be an int or an array of them, not {type(column).__name__}")
    array = integers(name, column, numpy.uint16)
    if len(array) != length:
        raise ValueError(f"{name} has {len(array)} values for {length} pairs")
    return array


def place(target: Any, side: str, column: int | numpy.typing.NDArray[numpy.uint16]) -> None:
    """Write a dataset column into a C struct that has dataset_<side> and datasets_<side>."""
    scalar = isinstance(column, int)
    setattr(target, f"dataset_{side}", column if scalar else 0)
    setattr(target, f"datasets_{side}", _binding.ffi.NULL if scalar else _binding.pointer(column))  # type: ignore[arg-type]
