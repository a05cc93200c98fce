"""Merging sorted runs, whatever the segments and capacities."""

import numpy
import pytest

import hushlink_native

NAMES = ("scores", "datasets_a", "datasets_b", "rows_a", "rows_b")


def random_run(rng, pairs, dataset_a, dataset_b):
    scores = rng.integers(1, 9, pairs) / 8
    rows_a, rows_b = (rng.integers(0, 40, pairs).astype(numpy.uint32) for _ in "ab")
    if isinstance(dataset_a, int):
        order = numpy.lexsort((rows_b, rows_a, -scores))
        return hushlink_native.SortedPairs(scores[order], dataset_a, dataset_b, rows_a[order], rows_b[order])
    order = numpy.lexsort((rows_b, rows_a, dataset_b, dataset_a, -scores))
    return hushlink_native.SortedPairs(scores[order], dataset_a[order], dataset_b[order], rows_a[order], rows_b[order])


def cut(run, size):
    def part(column, begin):
        return column if isinstance(column, int) else column[begin : begin + size]

    return [
        hushlink_native.SortedPairs(*(part(getattr(run, name), begin) for name in NAMES))
        for begin in range(0, len(run), size)
    ]


def table(blocks):
    """Pairs as tuples; a dataset that is one number is repeated."""
    return [
        pair
        for block in blocks
        for pair in zip(
            *(
                [column] * len(block) if isinstance(column, int) else column.tolist()
                for column in (getattr(block, name) for name in NAMES)
            ),
            strict=True,
        )
    ]


def canonical(pairs):
    return sorted(pairs, key=lambda pair: (-pair[0], *pair[1:]))


@pytest.mark.parametrize("runs", [1, 2, 3, 5, 16, 33])
@pytest.mark.parametrize("capacity", [1, 7, 10_000])
@pytest.mark.parametrize("size", [1, 6, 1000])
def test_a_merge_is_the_canonical_order_of_all(rng, runs, capacity, size):
    whole = [random_run(rng, int(rng.integers(0, 60)), r % 4, 4 + r % 2) for r in range(runs)]
    merged = list(hushlink_native.merge_runs([cut(run, size) for run in whole], capacity=capacity))
    assert all(0 < len(block) <= capacity for block in merged)
    assert table(merged) == canonical(table(whole))


def test_runs_may_hold_many_datasets(rng):
    whole = []
    for _ in range(4):
        datasets = [rng.integers(0, 60_000, 50).astype(numpy.uint16) for _ in "ab"]
        whole.append(random_run(rng, 50, *datasets))
    merged = list(hushlink_native.merge_runs([cut(run, 9) for run in whole], capacity=20))
    assert table(merged) == canonical(table(whole))
    for block in merged:
        assert isinstance(block.datasets_a, numpy.ndarray)
        assert block.datasets_a.dtype == numpy.uint16


def test_a_merger_asks_for_what_it_needs(rng):
    run = random_run(rng, 10, 0, 1)
    merger = hushlink_native.Merger(2)
    assert merger.wanting == [0, 1]
    assert len(merger.next(5)) == 0
    merger.supply(0, run, last=False)
    assert merger.wanting == [1]
    merger.supply(1, cut(run, 1)[0], last=True)
    got = [merger.next(100)]
    assert merger.wanting == [0]
    merger.supply(0, cut(run, 1)[-1], last=True)
    while merger.wanting or not merger.done:
        got.append(merger.next(100))
    assert table(got) == canonical([*table([run]), table([run])[0], table([run])[-1]])


def test_nothing_merges_to_nothing():
    assert list(hushlink_native.merge_runs([])) == []
    assert list(hushlink_native.merge_runs([[], []])) == []


def test_misuse_is_refused(rng):
    run = random_run(rng, 10, 0, 1)
    for count in (0, 4097):
        with pytest.raises(ValueError, match="runs"):
            hushlink_native.Merger(count)
    merger = hushlink_native.Merger(1)
    with pytest.raises(IndexError):
        merger.supply(1, run, last=True)
    with pytest.raises(ValueError, match="capacity"):
        merger.next(0)
    columns = {name: getattr(run, name) for name in NAMES}
    wrong = [
        (ValueError, {"rows_a": run.rows_a[:-1]}),
        (TypeError, {"rows_b": run.rows_b.astype(numpy.int64)}),
        (TypeError, {"scores": run.scores.astype(numpy.float32)}),
        (IndexError, {"datasets_a": 65_535}),
        (IndexError, {"datasets_b": -1}),
        (ValueError, {"datasets_a": numpy.zeros(3, dtype=numpy.uint16)}),
    ]
    for error, change in wrong:
        with pytest.raises(error):
            merger.supply(0, hushlink_native.SortedPairs(**{**columns, **change}), last=True)
    merger.supply(0, run, last=True)
    with pytest.raises(ValueError, match="wants no segment"):
        merger.supply(0, run, last=True)
