"""What blocks cost and spare, told before anything leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hushlink_encoder.blocking import blocks


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of the blocks of one dataset.

    Pairs that share several blocks count in each of them, as they are met when block after block is compared. So
    `reduction` may be below 0.
    """

    rows: int
    block_count: int
    memberships: int
    """Rows of all blocks together."""
    covered_rows: int
    """Rows in at least one block; the others are compared with nothing."""
    least_size: int
    median_size: float
    mean_size: float
    most_size: int
    comparisons_within: int
    """Pairs of rows within blocks of this dataset."""
    comparisons_with_its_like: int
    """Pairs of rows if another party's blocks had the same keys and sizes."""

    @classmethod
    def of(cls, made: blocks.Blocks) -> Statistics:
        """Measure blocks."""
        sizes = made.sizes
        covered = np.zeros(made.row_count, bool)
        covered[made.rows] = True
        squares = int(np.sum(sizes * sizes))
        total = int(sizes.sum())
        return cls(
            rows=made.row_count,
            block_count=len(sizes),
            memberships=total,
            covered_rows=int(covered.sum()),
            least_size=int(sizes.min()) if len(sizes) else 0,
            median_size=float(np.median(sizes)) if len(sizes) else 0.0,
            mean_size=total / len(sizes) if len(sizes) else 0.0,
            most_size=int(sizes.max()) if len(sizes) else 0,
            comparisons_within=(squares - total) // 2,
            comparisons_with_its_like=squares,
        )

    @property
    def coverage(self) -> float:
        """Share of rows in at least one block, 0 to 1."""
        return self.covered_rows / self.rows if self.rows else 0.0

    @property
    def reduction_within(self) -> float:
        """Share of this dataset's pairs that need no comparison; below 0 where blocks overlap much."""
        return _spared(self.comparisons_within, self.rows * (self.rows - 1) // 2)

    @property
    def reduction_with_its_like(self) -> float:
        """The same between this dataset and one like it."""
        return _spared(self.comparisons_with_its_like, self.rows * self.rows)


def comparisons_between(left: blocks.Blocks, right: blocks.Blocks) -> int:
    """Pairs of rows of two datasets in blocks with the same key.

    Raises:
        ValueError: the blocks were made by different configurations.
    """
    if left.fingerprint != right.fingerprint:
        raise ValueError("the blocks were made by different configurations")
    sizes = dict(zip(left.keys, left.sizes.tolist(), strict=True))
    return sum(sizes.get(key, 0) * size for key, size in zip(right.keys, right.sizes.tolist(), strict=True))


def _spared(comparisons: int, all_pairs: int) -> float:
    return 1 - comparisons / all_pairs if all_pairs else 0.0
