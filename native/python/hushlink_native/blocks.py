"""Blocks: which rows of a join are compared with which."""

import dataclasses
from typing import Any

import numpy
import numpy.typing

from hushlink_native import _binding, columns

Offsets = numpy.typing.NDArray[numpy.uint64]
Numbers = numpy.typing.NDArray[numpy.uint32]


@dataclasses.dataclass(frozen=True, slots=True)
class Blocks:
    """The rows of every block: block b holds rows[offsets[b]:offsets[b + 1]] of its side.

    offsets are uint64, one more than blocks; rows are uint32, ascending without repeats within a
    block. Both sides have the same number of blocks; a self-join has only the left.
    """

    left_offsets: Offsets
    left_rows: Numbers
    right_offsets: Offsets | None = None
    right_rows: Numbers | None = None


class BlockLists:
    """Blocks in the form of the kernel, which also wants the blocks of every row."""

    def __init__(self, blocks: Blocks, left_count: int, right_count: int | None) -> None:
        """Check `blocks` against the numbers of rows; right_count is None in a self-join.

        Raises TypeError for other types, ValueError for offsets that do not fit their rows, for
        sides with different numbers of blocks or a missing or superfluous right, IndexError for
        rows that do not exist. The order within the lists is checked by the kernel.
        """
        if (right_count is None) != (blocks.right_offsets is None) or (
            (blocks.right_rows is None) != (blocks.right_offsets is None)
        ):
            raise ValueError("blocks have a right side exactly when the join has one")
        self._alive: list[Any] = []
        self.pointer = _binding.ffi.new("hl_blocks *")
        self.pointer.count = self._fill("left", blocks.left_offsets, blocks.left_rows, left_count)
        if right_count is not None:
            count = self._fill("right", blocks.right_offsets, blocks.right_rows, right_count)
            if count != self.pointer.count:
                raise ValueError(f"{self.pointer.count} blocks on the left, {count} on the right")

    def _fill(self, side: str, offsets: Any, rows: Any, row_count: int) -> int:
        """Write one side's lists; the number of blocks."""
        checked = columns.integers(f"{side}_rows", rows, numpy.uint32)
        begins = columns.integers(f"{side}_offsets", offsets, numpy.uint64)
        if len(begins) < 1 or int(begins[0]) != 0 or int(begins[-1]) != len(checked):
            raise ValueError(f"{side}_offsets must begin with 0 and end with {len(checked)}")
        if (begins[1:] < begins[:-1]).any():
            raise ValueError(f"{side}_offsets must not fall")
        if len(checked) and int(checked.max()) >= row_count:
            raise IndexError(f"{side}_rows names row {checked.max()} of {row_count}")
        numbers = numpy.arange(len(begins) - 1, dtype=numpy.uint32)
        by_row = numpy.repeat(numbers, numpy.diff(begins).astype(numpy.int64))
        by_row = by_row[numpy.argsort(checked, kind="stable")]
        row_begins = numpy.zeros(row_count + 1, dtype=numpy.uint64)
        row_begins[1:] = numpy.cumsum(numpy.bincount(checked, minlength=row_count)[:row_count])
        lists = getattr(self.pointer, side)
        self._alive += [begins, checked, row_begins, by_row]
        lists.row_offsets, lists.rows = _binding.pointer(begins), _binding.pointer(checked)
        lists.block_offsets, lists.blocks = _binding.pointer(row_begins), _binding.pointer(by_row)
        return len(begins) - 1
