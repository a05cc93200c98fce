"""Encodings as rows of bytes: what the kernel accepts, and their set bits."""

import numpy
import numpy.typing

from hushlink_native import _binding, paths

Bytes = numpy.typing.NDArray[numpy.uint8]
Counts = numpy.typing.NDArray[numpy.uint32]

ROWS_MAX = 2**32 - 1
"""Rows of one side of a join, at most."""

WIDTH_MAX: int = _binding.lib.HL_WIDTH_MAX
"""Bytes in one row, at most."""


def checked(name: str, rows: Bytes) -> Bytes:
    """Return `rows` when the kernel can read it as it is.

    Raises TypeError for anything but a numpy array of uint8, ValueError for a shape other than
    (rows, width_bytes), for a width outside 1..2048 bytes and for memory that is not C-contiguous.
    """
    if not isinstance(rows, numpy.ndarray):
        raise TypeError(f"{name} must be a numpy array of uint8, not {type(rows).__name__}")
    if rows.dtype != numpy.uint8:
        raise TypeError(f"{name} must hold uint8, not {rows.dtype}")
    if rows.ndim != 2:
        raise ValueError(f"{name} must have the shape (rows, width_bytes), not {rows.shape}")
    if not 1 <= rows.shape[1] <= WIDTH_MAX:
        raise ValueError(f"{name} must be 1 to {WIDTH_MAX} bytes wide, not {rows.shape[1]}")
    if rows.shape[0] > ROWS_MAX:
        raise ValueError(f"{name} has {rows.shape[0]} rows, more than {ROWS_MAX}: cut it in chunks")
    if not rows.flags.c_contiguous:
        raise ValueError(f"{name} is not C-contiguous: pass numpy.ascontiguousarray({name})")
    return rows


def popcounts(rows: Bytes, *, path: str | None = None) -> Counts:
    """Set bits of every row, uint32. Raises as `checked` does."""
    checked("rows", rows)
    counts = numpy.empty(rows.shape[0], dtype=numpy.uint32)
    _binding.check(
        _binding.lib.hl_popcounts(
            paths.number(path),
            _binding.pointer(rows),
            rows.shape[0],
            rows.shape[1],
            _binding.pointer(counts, writable=True),
        ),
        "popcounts",
    )
    return counts


def counts_of(name: str, rows: Bytes, counts: Counts | None) -> Counts:
    """The popcounts handed in, when their type and length fit `rows`; else counted here."""
    if counts is None:
        return popcounts(rows)
    if not isinstance(counts, numpy.ndarray) or counts.dtype != numpy.uint32:
        raise TypeError(f"{name} must be a numpy array of uint32")
    if counts.shape != (rows.shape[0],):
        raise ValueError(f"{name} must have the shape ({rows.shape[0]},), not {counts.shape}")
    if counts.shape[0] and int(counts.max()) > 8 * rows.shape[1]:
        raise ValueError(f"{name} holds a count above the width of {8 * rows.shape[1]} bits")
    return numpy.ascontiguousarray(counts)
