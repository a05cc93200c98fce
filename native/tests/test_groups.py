"""The greedy solver as a stream: batches, bounds, memory, refusals."""

import itertools
import subprocess
import sys

import numpy
import pytest

import hushlink_native


def solved(solver):
    found = solver.groups()
    assert found.offsets.dtype == numpy.uint64
    assert found.datasets.dtype == numpy.uint16
    assert found.rows.dtype == numpy.uint32
    members = list(zip(found.datasets.tolist(), found.rows.tolist(), strict=True))
    return [tuple(members[a:b]) for a, b in itertools.pairwise(found.offsets.tolist())]


def candidates(rng, sizes, share):
    """Random pairs of different datasets in canonical order, as four columns."""
    pairs = [
        (a, b, x, y)
        for a, b in itertools.combinations(range(len(sizes)), 2)
        for x, y in itertools.product(range(sizes[a]), range(sizes[b]))
        if rng.random() < share
    ]
    rng.shuffle(pairs)
    return [numpy.array(column) for column in zip(*pairs, strict=True)]


@pytest.mark.parametrize("merge_threshold", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("deduplicated", [False, True])
def test_batches_do_not_matter(rng, merge_threshold, deduplicated):
    sizes = [20, 15, 30]
    a, b, x, y = candidates(rng, sizes, 0.02)
    expected = hushlink_native.greedy_groups(
        numpy.ones(len(a)),
        (a, b),
        (x, y),
        merge_threshold=merge_threshold,
        deduplicated=deduplicated,
    )
    assert len(expected) > 5
    for size in (1, 3, 1000):
        solver = hushlink_native.GreedySolver(sizes, merge_threshold, deduplicated)
        for at in range(0, len(a), size):
            part = slice(at, at + size)
            solver.feed(a[part], b[part], x[part], y[part])
        assert solved(solver) == expected


def test_groups_hold_each_record_once_in_output_order(rng):
    a, b, x, y = candidates(rng, [40, 40, 40, 40], 0.05)
    groups = hushlink_native.greedy_groups(numpy.ones(len(a)), (a, b), (x, y), merge_threshold=0.4)
    members = [member for group in groups for member in group]
    assert len(members) == len(set(members))
    assert all(list(group) == sorted(group) and len(group) > 1 for group in groups)
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)


def test_a_group_needs_all_pairs_unless_the_threshold_is_lower():
    def solve(merge_threshold):
        return hushlink_native.greedy_groups(
            [1.0, 0.9], ([0, 1], [1, 2]), ([0, 0], [0, 0]), merge_threshold=merge_threshold
        )

    assert solve(1.0) == [((0, 0), (1, 0))]
    assert solve(0.51) == [((0, 0), (1, 0))]
    assert solve(0.5) == [((0, 0), (1, 0), (2, 0))]


def test_two_groups_merge_when_their_last_pair_is_seen():
    a, b = [0, 2, 0, 0, 1, 1], [1, 3, 2, 3, 2, 3]
    rows = [0] * 6
    assert hushlink_native.greedy_groups([1.0] * 6, (a, b), (rows, rows)) == [((0, 0), (1, 0), (2, 0), (3, 0))]
    assert hushlink_native.greedy_groups([1.0] * 5, (a[:5], b[:5]), (rows[:5], rows[:5])) == [
        ((0, 0), (1, 0)),
        ((2, 0), (3, 0)),
    ]


def components(pairs):
    """Connected components of two or more, by walking."""
    neighbours: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for x, y in pairs:
        neighbours.setdefault(x, set()).add(y)
        neighbours.setdefault(y, set()).add(x)
    found, seen = [], set()
    for start in sorted(neighbours):
        reached, waiting = set(), [start]
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                reached.add(at)
                waiting += neighbours[at]
        if reached:
            found.append(tuple(sorted(reached)))
    return found


def test_a_merge_threshold_of_zero_gives_connected_components(rng):
    a, b, x, y = candidates(rng, [50, 60, 40], 0.008)
    pairs = zip(
        zip(a.tolist(), x.tolist(), strict=True),
        zip(b.tolist(), y.tolist(), strict=True),
        strict=True,
    )
    expected = components(list(pairs))
    assert len(expected) > 5
    found = hushlink_native.greedy_groups(numpy.ones(len(a)), (a, b), (x, y), merge_threshold=0.0)
    assert found == expected
    consistent = hushlink_native.greedy_groups(
        numpy.ones(len(a)), (a, b), (x, y), merge_threshold=0.0, deduplicated=True
    )
    assert all(len({dataset for dataset, _ in group}) == len(group) for group in consistent)
    assert len(consistent) > 5
    assert all(any(set(group) <= set(whole) for whole in found) for group in consistent)


def test_deduplicated_keeps_datasets_apart_in_a_group():
    datasets, rows = ([0, 0], [1, 1]), ([0, 1], [0, 0])
    assert hushlink_native.greedy_groups([1.0, 1.0], datasets, rows, merge_threshold=0.0) == [((0, 0), (0, 1), (1, 0))]
    assert hushlink_native.greedy_groups([1.0, 1.0], datasets, rows, merge_threshold=0.0, deduplicated=True) == [
        ((0, 0), (1, 0))
    ]


def test_one_dataset_is_deduplicated_by_its_own_pairs():
    solver = hushlink_native.GreedySolver([5])
    solver.feed(0, 0, [0, 0, 1, 3], [1, 2, 2, 3])
    assert solved(solver) == [((0, 0), (0, 1), (0, 2))]


def test_two_parties_hold_at_most_forty_bytes_per_record(rng):
    records = 50_000
    solver = hushlink_native.GreedySolver([records, records])
    for _ in range(20):
        rows = rng.integers(0, records, (2, 100_000), dtype=numpy.uint32)
        solver.feed(0, 1, rows[0], rows[1])
    # Writing the groups takes 8 bytes per record more, and the columns handed back.
    assert solver.memory + 8 * 2 * records <= 40 * 2 * records


def test_feeding_goes_on_after_reading():
    solver = hushlink_native.GreedySolver([2, 2])
    assert solved(solver) == []
    solver.feed(0, 1, [0], [0])
    assert solved(solver) == [((0, 0), (1, 0))]
    solver.feed(0, 1, [1], [1])
    assert solved(solver) == [((0, 0), (1, 0)), ((0, 1), (1, 1))]


@pytest.mark.parametrize(
    ("error", "batch"),
    [
        (IndexError, (0, 1, [0, 3], [0, 0])),
        (IndexError, (0, 1, [0, 0], [0, 4])),
        (IndexError, (0, 2, [0], [0])),
        (IndexError, ([0, 7], [1, 1], [0, 0], [0, 0])),
        (IndexError, (0, -1, [0], [0])),
        (IndexError, (0, 70_000, [0], [0])),
        (IndexError, (0, 1, [-1], [0])),
        (IndexError, (0, 1, [2**32], [0])),
        (ValueError, (1, 1, [0], [1])),
        (ValueError, (0, 1, [0, 1], [0])),
        (ValueError, ([0], [1], [0, 1], [0, 1])),
        (ValueError, (0, 1, [[0]], [[0]])),
        (TypeError, (0, 1, [0.5], [0])),
        (TypeError, (0, 1, ["0"], [0])),
        (TypeError, (0.0, 1, [0], [0])),
    ],
)
def test_a_bad_batch_is_refused_and_changes_nothing(error, batch):
    solver = hushlink_native.GreedySolver([3, 4])
    solver.feed(0, 1, [2], [3])
    with pytest.raises(error):
        solver.feed(*batch)
    assert solved(solver) == [((0, 2), (1, 3))]


def test_known_links_come_first_and_need_no_pairs():
    solver = hushlink_native.GreedySolver([3, 3, 3])
    solver.link([0, 1], [1, 2], [0, 0], [0, 0])
    assert solved(solver) == [((0, 0), (1, 0), (2, 0))]
    # Both records of dataset 1 score with (2, 1); the linked group wants all of its pairs before it takes more.
    solver.feed([0, 1, 0], [2, 2, 1], [1, 1, 1], [1, 1, 1])
    assert solved(solver) == [((0, 0), (1, 0), (2, 0)), ((0, 1), (1, 1), (2, 1))]


def test_a_linked_group_grows_only_when_all_its_pairs_are_seen():
    def solve(*datasets):
        solver = hushlink_native.GreedySolver([1, 1, 1])
        solver.link(0, 1, [0], [0])
        solver.feed(list(datasets), [2] * len(datasets), [0] * len(datasets), [0] * len(datasets))
        return solved(solver)

    assert solve(0) == [((0, 0), (1, 0))]
    assert solve(0, 1) == [((0, 0), (1, 0), (2, 0))]


def test_known_links_are_walked_like_components(rng):
    a, b, x, y = candidates(rng, [30, 30, 30], 0.01)
    linked = hushlink_native.GreedySolver([30, 30, 30])
    linked.link(a, b, x, y)
    walked = hushlink_native.GreedySolver([30, 30, 30], 0.0)
    walked.feed(a, b, x, y)
    assert solved(linked) == solved(walked)


@pytest.mark.parametrize(
    ("error", "links"),
    [
        (IndexError, (0, 1, [0, 3], [0, 0])),
        (ValueError, (0, 0, [0], [1])),
        (TypeError, (0, 1, [0.5], [0])),
    ],
)
def test_bad_links_are_refused_and_change_nothing(error, links):
    solver = hushlink_native.GreedySolver([3, 4])
    with pytest.raises(error):
        solver.link(*links)
    solver.feed(0, 1, [2], [3])
    assert solved(solver) == [((0, 2), (1, 3))]


def test_links_that_contradict_each_other_are_refused():
    solver = hushlink_native.GreedySolver([3, 4], deduplicated=True)
    with pytest.raises(hushlink_native.ContradictionError, match="pair 2 joins row 1 of dataset 0 with row 0"):
        solver.link(0, 1, [0, 0, 1], [0, 0, 0])
    with pytest.raises(MemoryError, match="ended"):
        solver.groups()


def test_links_after_the_first_pair_are_too_late():
    solver = hushlink_native.GreedySolver([3, 4])
    solver.feed(0, 1, [2], [3])
    with pytest.raises(RuntimeError, match="before the first"):
        solver.link(0, 1, [0], [0])
    assert solved(solver) == [((0, 2), (1, 3))]


@pytest.mark.skipif(sys.platform != "linux", reason="counts lie in a file on Linux only")
def test_counts_in_a_file_give_the_same_groups(rng, tmp_path):
    sizes = [4000] * 4
    a, b = numpy.sort(rng.integers(0, 4, (2, 400_000)), axis=0)
    x, y = rng.integers(0, 4000, (2, 400_000))
    keep = a != b
    columns = [column[keep] for column in (a, b, x, y)]
    in_memory = hushlink_native.GreedySolver(sizes, 0.6)
    in_file = hushlink_native.GreedySolver(sizes, 0.6, spill=tmp_path)
    for solver in (in_memory, in_file):
        solver.feed(*columns)
    assert solved(in_file) == solved(in_memory)
    assert in_memory.spilled == 0
    assert in_file.spilled > 8_000_000
    assert in_file.memory < 17 * sum(sizes) < in_memory.memory
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="counts lie in a file on Linux only")
def test_a_full_disk_ends_the_solver_with_an_error(tmp_path):
    code = """
import numpy, resource, signal, sys, hushlink_native
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
rng = numpy.random.default_rng(1)
solver = hushlink_native.GreedySolver([4000] * 2, 0.6, spill=sys.argv[1])
try:
    solver.feed(0, 1, *rng.integers(0, 4000, (2, 100_000)))
except MemoryError as error:
    print("refused:", error)
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "refused: greedy solver: out of memory\n"), result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ([],),
        ([1] * 65_536,),
        ([2**31, 2**31],),
        ([1, 1], 1.5),
        ([1, 1], -0.1),
        ([1, 1], float("nan")),
    ],
)
def test_impossible_solvers_are_refused(arguments):
    with pytest.raises(ValueError, match=r"dataset|records|merge_threshold"):
        hushlink_native.GreedySolver(*arguments)


def test_the_largest_rows_do_not_cost_memory():
    groups = hushlink_native.greedy_groups([1.0], ([4_000_000_000], [4_000_000_001]), ([2**32 - 1], [0]))
    assert groups == [((4_000_000_000, 2**32 - 1), (4_000_000_001, 0))]


def test_no_pairs_make_no_groups():
    assert hushlink_native.greedy_groups([], ([], []), ([], [])) == []


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="one length"):
        hushlink_native.greedy_groups([1.0], ([0, 0], [1, 1]), ([0, 0], [0, 0]))


def test_more_datasets_than_a_word_has_bits_stay_apart():
    """Datasets 0 and 32 look alike to the first test of two groups."""
    solver = hushlink_native.GreedySolver([2] * 70, 0.0, deduplicated=True)
    solver.feed([0, 1, 33, 0, 0], [32, 64, 65, 33, 32], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0])
    assert solved(solver) == [((0, 0), (32, 0), (33, 0), (65, 0)), ((1, 0), (64, 0))]
