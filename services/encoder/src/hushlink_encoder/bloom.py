"""Folding rows of filters to their final width.

Bit j of a filter is bit 7 - j mod 8 of byte j div 8, most significant first; the unused low bits
of the last byte are zero.
"""

from __future__ import annotations

import numpy as np
from numpy import typing as npt


def fold(filters: npt.NDArray[np.uint8], width_bits: int, folds: int) -> npt.NDArray[np.uint8]:
    """Halve filters of width_bits * 2^folds bits `folds` times: first half XOR second half.

    Args:
        filters: rows of bytes, C-contiguous, one filter per row.
        width_bits: length after folding.
        folds: how often to halve; 0 gives the filters back.
    """
    if folds == 0:
        return filters
    rows = len(filters)
    pieces = 1 << folds
    if width_bits % 8 == 0:
        return _xor(filters.reshape(rows, pieces, width_bits // 8))
    bits = np.unpackbits(filters, axis=1, count=width_bits * pieces)
    return np.packbits(_xor(bits.reshape(rows, pieces, width_bits)), axis=1)


def _xor(pieces: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """XOR the pieces of every row with one another."""
    folded: npt.NDArray[np.uint8] = np.bitwise_xor.reduce(pieces, axis=1)
    return folded
