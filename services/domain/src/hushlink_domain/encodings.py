"""Encodings: Bloom-filter bit arrays of one width per project, held as rows of whole bytes."""

from __future__ import annotations

from hushlink_domain import errors

MAX_WIDTH_BITS = 16_384
"""The widest encoding the mesh carries."""

FINGERPRINT_BYTES = 32
"""Length of a schema fingerprint."""

KEY_CHECK_BYTES = 16
"""Length of a key check."""


def width_bytes(width_bits: int) -> int:
    """The bytes of one row for a width in bits, which must be whole bytes and at most ``MAX_WIDTH_BITS``.

    Raises:
        errors.CallerError: INVALID_REQUEST, when the width is not a positive multiple of 8 within the limit.
    """
    if width_bits <= 0 or width_bits % 8 or width_bits > MAX_WIDTH_BITS:
        raise errors.CallerError(
            errors.Reason.INVALID_REQUEST,
            f"an encoding's width must be a multiple of 8 from 8 to {MAX_WIDTH_BITS} bits; {width_bits} is not",
            field="width_bits",
            found=width_bits,
        )
    return width_bits // 8


def rows_in(first_row: int, size_bytes: int, row_bytes: int) -> int:
    """How many rows ``size_bytes`` are.

    Raises:
        errors.CallerError: CHUNK_RAGGED, when they are no whole number of rows.
    """
    rows, rest = divmod(size_bytes, row_bytes)
    if rest:
        raise errors.CallerError(
            errors.Reason.CHUNK_RAGGED,
            f"the chunk at row {first_row} has {size_bytes} bytes, which is no whole number of rows of {row_bytes} "
            "bytes: send whole rows",
            first_row=first_row,
            bytes=size_bytes,
            width_bytes=row_bytes,
        )
    return rows
