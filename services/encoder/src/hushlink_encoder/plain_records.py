"""Records of a CSV file a block at a time, where no cell is quoted and every record has its cells.

Nothing is refused here: a block that is not so plain is left to the reader that knows all of CSV, and all its faults.
"""

from __future__ import annotations

import numpy as np

LINE_FEED = ord("\n")


class PlainRecords:
    """Cuts blocks of lines into columns.

    Args:
        width: cells in a record.
        delimiter: the character between cells.
        max_cell: longest cell, in characters.
    """

    def __init__(self, width: int, delimiter: str, max_cell: int) -> None:
        self._width = width
        self._delimiter = delimiter
        self._max_cell = max_cell

    def read(self, lines: memoryview, most_rows: int) -> tuple[int, list[tuple[str, ...]]] | None:
        """Give the bytes that were read and the columns of up to `most_rows` records.

        None when the lines are not plain: a quote, a lone carriage return, NUL, bytes that are no UTF-8, a record
        of another shape, a blank line, a cell that may be too long.
        """
        if not lines or not self._delimiter.isascii():
            return None
        ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == LINE_FEED)
        size = int(ends[most_rows - 1]) + 1 if len(ends) >= most_rows else len(lines)
        raw = bytes(lines[:size])
        if b"\r" in raw:
            raw = raw.replace(b"\r\n", b"\n")
        if not raw.endswith(b"\n"):
            raw += b"\n"
        if b'"' in raw or b"\r" in raw or b"\0" in raw or not self._has_shape(raw):
            return None
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return None
        cells = text.replace("\n", self._delimiter).split(self._delimiter)
        cells.pop()  # behind the last line feed
        return size, [tuple(cells[column :: self._width]) for column in range(self._width)]

    def _has_shape(self, raw: bytes) -> bool:
        """Is every line a record, and no cell longer than allowed?"""
        data = np.frombuffer(raw, np.uint8)
        separators = np.flatnonzero((data == LINE_FEED) | (data == ord(self._delimiter)))
        if len(separators) % self._width:
            return False
        kinds = data[separators].reshape(-1, self._width) == LINE_FEED
        if not kinds[:, -1].all() or kinds[:, :-1].any():
            return False
        sizes = np.diff(separators, prepend=-1) - 1
        return int(sizes.max()) <= self._max_cell and (self._width > 1 or int(sizes.min()) > 0)
