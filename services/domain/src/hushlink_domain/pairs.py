"""Candidate pairs: how they are ordered, and the layout of a sorted run of them at rest.

The order is total: score descending, then dataset of the left, dataset of the right, row of the left, row of the right,
all ascending. A sorted run holds pairs of one pair of datasets, so only score and rows rest in it. It is a sequence of
blocks of ``BLOCK_PAIRS`` pairs (the last may be shorter); a block is three columns one after the other: scores (64-bit
IEEE doubles), left rows, right rows (unsigned 32-bit integers), all little-endian.
"""

from __future__ import annotations

PAIR_BYTES = 8 + 4 + 4
"""What one pair takes in a run."""

BLOCK_PAIRS = 1 << 14
"""How many pairs a full block of a run has."""

BLOCK_BYTES = BLOCK_PAIRS * PAIR_BYTES

PAIRS_PER_RUN = 1 << 18
"""How many pairs a run has at the most as it comes from a tile: bounds what a matcher sorts and a coordinator holds."""
