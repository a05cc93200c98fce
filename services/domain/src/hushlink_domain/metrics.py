"""Similarity metrics, by the names that the kernel, SQL and logs use."""

from __future__ import annotations

import enum


class Metric(enum.Enum):
    """How two encodings are compared: a and b bits set in either, c in both, W bits wide."""

    DICE = "dice"  # 2c / (a + b)
    JACCARD = "jaccard"  # c / (a + b - c)
    HAMMING = "hamming"  # (W - (a + b - 2c)) / W
