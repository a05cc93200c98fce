"""The greedy solver as a stream: batches, bounds, memory, refusals."""

import itertools

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
