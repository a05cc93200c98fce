"""The greedy solver: sorted candidate pairs in, groups of records out."""

import dataclasses
import itertools
import os
import tempfile
import threading
import weakref
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


class ContradictionError(ValueError):
    """Known links contradict each other: a group would hold two records of one dataset."""


class GreedySolver:
    """Takes candidate pairs in canonical order, batch by batch, and keeps the groups.

    The pairs are not held: memory is 16 bytes per record (24 while `groups` runs) and, for more
    than two datasets, merge_threshold below 1 or dedup, up to 80 bytes per pair of groups that have
    met without merging, which `spill` moves to a file. Calls release the GIL and are safe from several threads.
    """

    def __init__(
        self,
        dataset_sizes: Sequence[int],
        merge_threshold: float = 1.0,
        deduplicated: bool = False,
        *,
        within_datasets: bool | None = None,
        spill: str | os.PathLike[str] | None = None,
    ) -> None:
        """Prepare for datasets of these numbers of records, together fewer than 2**32 - 1.

        merge_threshold is in [0, 1]: the share of all pairs between two groups that must be seen
        before they merge. deduplicated: no group holds two records of one dataset. within_datasets:
        pairs may join records of the same dataset; by default only when there is one dataset.
        spill: a folder, in which a nameless file holds the counts between groups in the place of
        memory; Linux only.

        Raises ValueError for values outside these ranges, IndexError for a size below 0 or above
        2**32 - 1, OSError for a folder that can't be written to, NotImplementedError for `spill`
        where the system does not have it.
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
        settings.spill_file = 0 if spill is None else self._nameless_file(spill)
        out = _binding.ffi.new("hl_greedy **")
        _binding.check(_binding.lib.hl_greedy_new(settings, out), "greedy solver")
        self._solver = _binding.ffi.gc(out[0], _binding.lib.hl_greedy_free)
        self._lock = threading.Lock()
        self._broken = False

    def _nameless_file(self, folder: str | os.PathLike[str]) -> int:
        """The descriptor of a file that goes with the solver."""
        with tempfile.TemporaryFile(dir=folder) as file:
            descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, descriptor)
        return descriptor

    @property
    def memory(self) -> int:
        """Bytes that the solver holds in memory."""
        return int(_binding.lib.hl_greedy_memory(self._solver))

    @property
    def spilled(self) -> int:
        """Bytes that it holds in its file."""
        return int(_binding.lib.hl_greedy_spilled(self._solver))

    def link(
        self,
        datasets_a: int | numpy.typing.ArrayLike,
        datasets_b: int | numpy.typing.ArrayLike,
        rows_a: numpy.typing.ArrayLike,
        rows_b: numpy.typing.ArrayLike,
    ) -> None:
        """Put the records of each known link in one group, whatever their score and merge_threshold.

        Comes before the first `feed`. Refusals are those of `feed`, and RuntimeError after it.
        Raises ContradictionError, after which the solver is of no use, for a link that would put
        two records of one dataset in a group of a `deduplicated` solver.
        """
        batch = _Batch(datasets_a, datasets_b, rows_a, rows_b)
        status, bad = self._give(_binding.lib.hl_greedy_link, batch)
        if status == _binding.lib.HL_UNSUPPORTED:
            raise RuntimeError("known links come before the first pair that is fed")
        if status == _binding.lib.HL_CONTRADICTION:
            raise ContradictionError(
                f"{batch.pair(bad)}: with the links before it, two records of one dataset would be in one group"
            )
        self._check(status, bad, batch)

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
        batch = _Batch(datasets_a, datasets_b, rows_a, rows_b)
        status, bad = self._give(_binding.lib.hl_greedy_feed, batch)
        self._check(status, bad, batch)

    def _give(self, function: Any, batch: "_Batch") -> tuple[int, int]:
        bad = _binding.ffi.new("uint64_t *")
        with self._lock:
            self._check_whole()
            status = int(function(self._solver, batch.struct, bad))
            self._broken = status in (_binding.lib.HL_NO_MEMORY, _binding.lib.HL_CONTRADICTION)
        return status, int(bad[0])

    def _check(self, status: int, bad: int, batch: "_Batch") -> None:
        if status == _binding.lib.HL_BAD_ARGUMENT:
            batch.refuse(bad)
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
            raise MemoryError("the solver ended with an error earlier and cannot go on")


class _Batch:
    """A batch of pairs as the kernel takes it, its columns kept alive."""

    def __init__(self, datasets_a: Any, datasets_b: Any, rows_a: Any, rows_b: Any) -> None:
        self._rows = [
            columns.integers("rows_a", rows_a, numpy.uint32),
            columns.integers("rows_b", rows_b, numpy.uint32),
        ]
        count, other = (len(rows) for rows in self._rows)
        if count != other:
            raise ValueError(f"rows_a has {count} values and rows_b {other}")
        self._datasets = [
            columns.datasets("datasets_a", datasets_a, count),
            columns.datasets("datasets_b", datasets_b, count),
        ]
        self.struct = _binding.ffi.new("hl_greedy_batch *")
        self.struct.rows_a, self.struct.rows_b = map(_binding.pointer, self._rows)
        self.struct.count = count
        columns.place(self.struct, "a", self._datasets[0])
        columns.place(self.struct, "b", self._datasets[1])

    def pair(self, at: int) -> str:
        """Names one of its pairs."""
        (a, b), (x, y) = self._datasets_at(at), (int(rows[at]) for rows in self._rows)
        return f"pair {at} joins row {x} of dataset {a} with row {y} of dataset {b}"

    def refuse(self, at: int) -> None:
        """Raise what is wrong with a pair that the kernel refused."""
        a, b = self._datasets_at(at)
        if a == b:
            raise ValueError(f"{self.pair(at)}: outside the dataset, or pairs within a dataset are not allowed")
        raise IndexError(f"{self.pair(at)}, which do not both exist")

    def _datasets_at(self, at: int) -> tuple[int, int]:
        a, b = (side if isinstance(side, int) else int(side[at]) for side in self._datasets)
        return a, b


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
