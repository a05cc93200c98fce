"""How many bits encodings set: a summary that shows at a glance whether a schema fills its filters well."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy import typing as npt


class Popcounts:
    """The distribution of the numbers of bits set, in memory that depends on the width alone."""

    def __init__(self, width_bits: int) -> None:
        import numpy as np  # noqa: PLC0415 - an extra

        self._histogram = np.zeros(width_bits + 1, dtype=np.int64)

    def add(self, encodings: npt.NDArray[np.uint8]) -> None:
        """Count more encodings, one a row."""
        import numpy as np  # noqa: PLC0415 - an extra

        words = encodings.view(np.uint64) if encodings.shape[1] % 8 == 0 else encodings
        counts = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
        self._histogram += np.bincount(counts, minlength=len(self._histogram))

    def summary(self) -> dict[str, float]:
        """Least, median, mean and most; nothing where nothing was counted."""
        total = int(self._histogram.sum())
        if not total:
            return {}
        below = self._histogram.cumsum()
        first, second = (int(below.searchsorted(place, side="right")) for place in ((total - 1) // 2, total // 2))
        bits = sum(count * int(number) for count, number in enumerate(self._histogram) if number)
        present = self._histogram.nonzero()[0]
        return {
            "min": float(present[0]),
            "median": (first + second) / 2,
            "mean": bits / total,
            "max": float(present[-1]),
        }
