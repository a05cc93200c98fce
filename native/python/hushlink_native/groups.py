"""The greedy solver: sorted candidate pairs in, groups of records out."""

import dataclasses
import itertools
import threading
from collections.abc import Sequence
from typing import Any

import numpy
import numpy.typing

from hushlink_native import _binding, columns

Group = tuple[tuple[int, int], ...]
"""Members of one group, each (dataset, row), ascending."""


@dataclasses.dataclass(frozen=True, slots=True)
class GroupColumns:
    """Groups as columns: group g has the members offsets[g] to offsets[g + 1] of the other two.

    offsets is uint64 and one longer than the number of groups; datasets uint16; rows uint32.
    Members ascend by (dataset, row), groups by their first member; each group has two or more.
    """

    offsets: numpy.typing.NDArray[numpy.uint64]
    datasets: numpy.typing.NDArray[numpy.uint16]
    rows: numpy.typing.NDArray[numpy.uint32]

    def __len__(self) -> int:
        return len(self.offsets) - 1


class GreedySolver:
    """Takes candidate pairs in canonical order, batch by batch, and keeps the groups.

    The pairs are not held: memory is 12 bytes per record (20 while `groups` runs) and, for more
    than two datasets, merge_threshold below 1 or dedup, up to 80 bytes per pair of groups that have
    met without merging. Calls release the GIL and are safe from several threads.
    """

    def __init__(
        self,
        dataset_sizes: Sequence[int],
        merge_threshold: float = 1.0,
        deduplicated: bool = False,
        *,
        within_datasets: bool | None = None,
    ) -> None:
        """Prepare for datasets of these numbers of records, together fewer than 2**32 - 1.

        merge_threshold is in [0, 1]: the share of all pairs between two groups that must be seen
        before they merge. deduplicated: no group holds two records of one dataset. within_datasets:
        pairs may join records of the same dataset; by default only when there is one dataset.

        Raises ValueError for values outside these ranges, IndexError for a size below 0 or above
        2**32 - 1.
        """
        sizes = columns.integers("dataset_sizes", list(dataset_sizes), numpy.uint32)
        if not 1 <= len(sizes) <= columns.DATASETS_MAX:
            raise ValueError(f"1 to {columns.DATASETS_MAX} datasets can be solved, not {len(sizes)}")
        if int(sizes.sum(dtype=numpy.uint64)) >= 2**32 - 1:
            raise ValueError("the datasets hold 2**32 - 1 records or more")
        if not 0.0 <= merge_threshold <= 1.0:
            raise ValueError(f"merge_threshold must be in [0, 1], not {merge_threshold}")
        settings = _binding.ffi.new("hl_greedy_settings *")
        settings.dataset_sizes = _binding.pointer(sizes)
        settings.dataset_count = len(sizes)
        settings.merge_threshold = merge_threshold
        settings.deduplicated = bool(deduplicated)
        within = len(sizes) == 1 if within_datasets is None else within_datasets
        settings.within_datasets = bool(within)
        out = _binding.ffi.new("hl_greedy **")
        _binding.check(_binding.lib.hl_greedy_new(settings, out), "greedy solver")
        self._solver = _binding.ffi.gc(out[0], _binding.lib.hl_greedy_free)
        self._lock = threading.Lock()
        self._broken = False

    @property
    def memory(self) -> int:
        """Bytes that the solver holds."""
        return int(_binding.lib.hl_greedy_memory(self._solver))

    def feed(
        self,
        datasets_a: int | numpy.typing.ArrayLike,
        datasets_b: int | numpy.typing.ArrayLike,
        rows_a: numpy.typing.ArrayLike,
        rows_b: numpy.typing.ArrayLike,
    ) -> None:
        """Walk the next pairs. Batches come in canonical order; a dataset may be one number.

        A batch that is refused changes nothing: IndexError for a dataset or row that does not
        exist, ValueError for different lengths or a pair inside one dataset where that is not
        allowed, TypeError for anything but integers.
        """
        a = columns.integers("rows_a", rows_a, numpy.uint32)
        b = columns.integers("rows_b", rows_b, numpy.uint32)
        if len(a) != len(b):
            raise ValueError(f"rows_a has {len(a)} values and rows_b {len(b)}")
        sides = [
            columns.datasets("datasets_a", datasets_a, len(a)),
            columns.datasets("datasets_b", datasets_b, len(a)),
        ]
        batch = _binding.ffi.new("hl_greedy_batch *")
        batch.rows_a, batch.rows_b = _binding.pointer(a), _binding.pointer(b)
        batch.count = len(a)
        columns.place(batch, "a", sides[0])
        columns.place(batch, "b", sides[1])
        bad = _binding.ffi.new("uint64_t *")
        with self._lock:
            self._check_whole()
            status = _binding.lib.hl_greedy_feed(self._solver, batch, bad)
            self._broken = status == _binding.lib.HL_NO_MEMORY
        if status == _binding.lib.HL_BAD_ARGUMENT:
            _refuse(int(bad[0]), sides, a, b)
        _binding.check(status, "greedy solver")

    def groups(self) -> GroupColumns:
        """The groups so far; feeding may go on afterwards."""
        sizes = _binding.ffi.new("uint64_t[2]")
        with self._lock:
            self._check_whole()
            _binding.lib.hl_greedy_measure(self._solver, sizes, sizes + 1)
            found = GroupColumns(
                numpy.zeros(int(sizes[0]) + 1, dtype=numpy.uint64),
                numpy.empty(int(sizes[1]), dtype=numpy.uint16),
                numpy.empty(int(sizes[1]), dtype=numpy.uint32),
            )
            status = _binding.lib.hl_greedy_groups(
                self._solver,
                _binding.pointer(found.offsets, writable=True),
                _binding.pointer(found.datasets, writable=True),
                _binding.pointer(found.rows, writable=True),
            )
        _binding.check(status, "greedy solver")
        return found

    def _check_whole(self) -> None:
        if self._broken:
            raise MemoryError("the solver ran out of memory earlier and cannot go on")


def _refuse(at: int, sides: list[Any], rows_a: Any, rows_b: Any) -> None:
    a, b = (side if isinstance(side, int) else int(side[at]) for side in sides)
    pair = f"pair {at} joins row {rows_a[at]} of dataset {a} with row {rows_b[at]} of dataset {b}"
    if a == b:
        raise ValueError(f"{pair}: outside the dataset, or pairs within a dataset are not allowed")
    raise IndexError(f"{pair}, which do not both exist")


def greedy_groups(
    scores: numpy.typing.ArrayLike,
    datasets: tuple[numpy.typing.ArrayLike, numpy.typing.ArrayLike],
    rows: tuple[numpy.typing.ArrayLike, numpy.typing.ArrayLike],
    *,
    merge_threshold: float = 1.0,
    deduplicated: bool = False,
) -> list[Group]:
    """Solve candidate pairs that are in memory: (scores, (dataset_a, dataset_b), (row_a, row_b)).

    The pairs are walked as they come: in canonical order, best score first. Returns groups of two
    or more (dataset, row), members and groups ascending. Raises ValueError for columns of different
    lengths or a merge_threshold outside [0, 1], TypeError for anything but integers, IndexError for
    negative ones.
    """
    sides = [columns.integers(f"datasets[{i}]", datasets[i], numpy.uint32) for i in (0, 1)]
    numbers = [columns.integers(f"rows[{i}]", rows[i], numpy.uint32) for i in (0, 1)]
    count = len(numpy.asarray(scores))
    if any(len(column) != count for column in (*sides, *numbers)):
        raise ValueError("scores, datasets and rows must have one length")
    # Ranks in place of numbers: memory follows the pairs given, not the largest row named.
    keys = [side.astype(numpy.uint64) << 32 | number for side, number in zip(sides, numbers, strict=True)]
    records, ranks = numpy.unique(numpy.concatenate(keys), return_inverse=True)
    names, firsts = numpy.unique(records >> 32, return_index=True)
    places = [numpy.searchsorted(names, side) for side in sides]
    if not count:
        return []
    solver = GreedySolver(
        numpy.diff(numpy.append(firsts, len(records))).tolist(),
        merge_threshold,
        deduplicated,
        within_datasets=bool((sides[0] == sides[1]).any()),
    )
    solver.feed(places[0], places[1], ranks[:count] - firsts[places[0]], ranks[count:] - firsts[places[1]])
    return _tuples(solver.groups(), records, firsts)


def _tuples(found: GroupColumns, records: Any, firsts: Any) -> list[Group]:
    keys = records[firsts[found.datasets] + found.rows]
    members = list(zip((keys >> 32).tolist(), (keys & 0xFFFFFFFF).tolist(), strict=True))
    offsets = found.offsets.tolist()
    return [tuple(members[begin:end]) for begin, end in itertools.pairwise(offsets)]
