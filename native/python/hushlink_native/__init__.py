"""The Hushlink kernel in Python: encodings, exact similarity joins, sorted pair runs and groups, on numpy arrays.

Rows are C-contiguous uint8 arrays of shape (rows, width_bytes), 1 to 2048 bytes wide. Scores are
float64, rows of pairs uint32, datasets uint16. Everything that computes releases the GIL. Metrics:
"dice", "jaccard", "hamming", "cosine", "overlap".

Joins
    candidate_pairs(left, right, threshold, *, metric="dice") -> (scores, left_rows, right_rows)
        Everything at once, in canonical order; right=None compares the rows r < s of left.
    Join(left, right_or_None, threshold, *, metric="dice", left_popcounts=None, right_popcounts=None)
        The same as a stream: .next(capacity) -> PairColumns(scores, left, right), at most capacity
        pairs in the kernel's order, none when done; .fill(PairColumns) -> count writes into buffers
        of the caller; .progress and .total in comparisons; .done; .cancel() from any thread makes
        .next raise JoinCancelledError within 50 ms. by_popcount=True compares rows in the order of
        their popcounts, which pays where popcounts_exclude(left_popcounts, right_popcounts,
        width_bytes, threshold, metric="dice") says so; candidate_pairs asks it by itself.
    Both take blocks=Blocks(left_offsets, left_rows, right_offsets=None, right_rows=None): block b holds
        rows[offsets[b]:offsets[b + 1]] of its side (ascending, no repeats); only rows that share a
        block are compared, and a pair leaves once. A self-join has no right side.
    sort_pairs(scores, left, right) -> PairColumns
        Canonical order of one pair of datasets: score descending, left, right ascending.
    popcounts(rows) -> uint32 array

Sorted runs
    SortedPairs(scores, datasets_a, datasets_b, rows_a, rows_b)
        Columns in canonical order (score descending, then datasets, then rows); a dataset column
        may be one int.
    Merger(runs): .wanting -> run numbers to refill; .supply(run, SortedPairs, last=bool);
        .next(capacity) -> SortedPairs with arrays of uint16 datasets, possibly empty; .done.
    merge_runs(iterables_of_SortedPairs, capacity=65_536) -> iterator of SortedPairs

Best candidates
    TopFilter(k, records_a, records_b=None): .feed(rows_a, rows_b) -> bool array: the pairs, in canonical
        order, that are within the first k of both of their records. k=1: symmetric best match.

Groups
    greedy_groups(scores, (dataset_a, dataset_b), (row_a, row_b), *, merge_threshold=1.0,
        deduplicated=False) -> list of groups, each a tuple of (dataset, row)
    GreedySolver(dataset_sizes, merge_threshold=1.0, deduplicated=False, *, within_datasets=None,
        spill=None)
        .link(datasets_a, datasets_b, rows_a, rows_b) before anything else, for links that are known;
        .feed(datasets_a, datasets_b, rows_a, rows_b) batch by batch in canonical order, a dataset
        being an int or an array; .groups() -> GroupColumns(offsets uint64, datasets uint16, rows
        uint32) in output order; .memory and .spilled in bytes. merge_threshold=0 gives connected components, and
        with deduplicated=True source-consistent ones: best edges first, one record per dataset.

Encodings
    FilterColumn(Tokens(filter_bits, insertions, per_value, ngram, ...), first_key, second_key=b"", *,
        cache_entries=0): one column of records; .add(points, lengths, filters, *, rows=None, tokens=None) ORs
        the bits of its values into uint8 rows; .close() erases keys and cache.
    keyed_blake2b(message, key, salt), hmac(message, key, "sha1" | "md5"): the primitives by themselves.

Machine
    kernel_paths() -> names of the usable paths, slowest first; active_path() -> the one in use.
    The environment variable HUSHLINK_KERNEL=portable|popcnt|avx2|... forces a path;
    UnavailablePathError when it is unknown or not available here.

Errors: TypeError for wrong types, ValueError for wrong shapes, lengths and ranges, IndexError for rows
or datasets that do not exist, MemoryError. No argument crashes the process.
"""

from hushlink_native.blocks import Blocks
from hushlink_native.filters import FilterColumn, Tokens, hmac, keyed_blake2b
from hushlink_native.groups import ContradictionError, GreedySolver, Group, GroupColumns, greedy_groups
from hushlink_native.join import (
    LEFT_BLOCK,
    METRICS,
    RIGHT_BLOCK,
    Join,
    JoinCancelledError,
    PairColumns,
    candidate_pairs,
    popcounts_exclude,
    sort_pairs,
)
from hushlink_native.merge import Merger, SortedPairs, merge_runs
from hushlink_native.paths import UnavailablePathError, active_path, kernel_paths
from hushlink_native.rows import WIDTH_MAX, popcounts
from hushlink_native.top import TopFilter

__all__ = [
    "LEFT_BLOCK",
    "METRICS",
    "RIGHT_BLOCK",
    "WIDTH_MAX",
    "Blocks",
    "ContradictionError",
    "FilterColumn",
    "GreedySolver",
    "Group",
    "GroupColumns",
    "Join",
    "JoinCancelledError",
    "Merger",
    "PairColumns",
    "SortedPairs",
    "Tokens",
    "TopFilter",
    "UnavailablePathError",
    "active_path",
    "candidate_pairs",
    "greedy_groups",
    "hmac",
    "kernel_paths",
    "keyed_blake2b",
    "merge_runs",
    "popcounts",
    "popcounts_exclude",
    "sort_pairs",
]
