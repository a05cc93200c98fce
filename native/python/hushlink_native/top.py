"""The best candidates of every record: top-k, and symmetric best match."""

import threading

import numpy
import numpy.typing

from hushlink_native import _binding, columns


class TopFilter:
    """Keeps the pairs of one pair of datasets that are within the first k of both of their records.

    With k = 1 that is the symmetric best match: each record is the other's best candidate. Ties are
    broken by the canonical order, in which the pairs must come. Holds 4 bytes per record.
    """

    def __init__(self, k: int, records_a: int, records_b: int | None = None) -> None:
        """Prepare for datasets of these sizes; records_b is None for pairs inside one dataset.

        Raises ValueError for k below 1 or sizes outside 0..2**32 - 1.
        """
        if not 1 <= k < 2**32:
            raise ValueError(f"k must be at least 1, not {k}")
        if not all(0 <= count < 2**32 for count in (records_a, records_b or 0)):
            raise ValueError("a dataset has 0 to 2**32 - 1 records")
        self._lock = threading.Lock()
        self._seen_a = numpy.zeros(max(records_a, 1), dtype=numpy.uint32)
        self._seen_b = self._seen_a if records_b is None else numpy.zeros(max(records_b, 1), dtype=numpy.uint32)
        self._top = _binding.ffi.new("hl_top *")
        self._top.seen_a = _binding.pointer(self._seen_a, writable=True)
        self._top.seen_b = _binding.pointer(self._seen_b, writable=True)
        self._top.count_a = records_a
        self._top.count_b = records_a if records_b is None else records_b
        self._top.k = k

    def feed(self, rows_a: numpy.typing.ArrayLike, rows_b: numpy.typing.ArrayLike) -> numpy.typing.NDArray[numpy.bool_]:
        """Which of the next pairs to keep. Batches come in canonical order.

        A batch that is refused changes nothing: IndexError for a row that does not exist,
        ValueError for different lengths, TypeError for anything but integers.
        """
        a = columns.integers("rows_a", rows_a, numpy.uint32)
        b = columns.integers("rows_b", rows_b, numpy.uint32)
        if len(a) != len(b):
            raise ValueError(f"rows_a has {len(a)} values and rows_b {len(b)}")
        keep = numpy.empty(len(a), dtype=numpy.uint8)
        with self._lock:
            status = _binding.lib.hl_top_keep(
                self._top,
                _binding.pointer(a),
                _binding.pointer(b),
                len(a),
                _binding.pointer(keep, writable=True),
            )
        if status == _binding.lib.HL_BAD_ARGUMENT:
            raise IndexError(f"a pair names a row outside {self._top.count_a} and {self._top.count_b} records")
        return keep.view(numpy.bool_)
