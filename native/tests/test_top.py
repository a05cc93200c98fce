"""Top-k and symmetric best match, against their definitions."""

import collections

import numpy
import pytest

import hushlink_native


def random_pairs(rng, records_a, records_b, share):
    """Rows of pairs in a random order, which stands for the canonical one."""
    rows = numpy.argwhere(rng.random((records_a, records_b)) < share)
    rng.shuffle(rows)
    return rows[:, 0].astype(numpy.uint32), rows[:, 1].astype(numpy.uint32)


@pytest.mark.parametrize("k", [1, 2, 5, 1000])
@pytest.mark.parametrize("batch", [1, 13, 10_000])
def test_a_pair_stays_within_the_first_k_of_both_records(rng, k, batch):
    a, b = random_pairs(rng, 30, 40, 0.2)
    top = hushlink_native.TopFilter(k, 30, 40)
    kept = numpy.concatenate([top.feed(a[at : at + batch], b[at : at + batch]) for at in range(0, len(a), batch)])
    seen: collections.Counter[tuple[str, int]] = collections.Counter()
    expected = []
    for pair in zip(a.tolist(), b.tolist(), strict=True):
        seen.update([("a", pair[0]), ("b", pair[1])])
        expected.append(seen["a", pair[0]] <= k and seen["b", pair[1]] <= k)
    assert kept.tolist() == expected
    assert kept.dtype == numpy.bool_


def test_k_one_is_the_symmetric_best_match(rng, related_rows):
    left, right = related_rows(rng, 80, 16), related_rows(rng, 90, 16)
    right[:40] = left[:40]
    scores, a, b = hushlink_native.candidate_pairs(left, right, 0.5)
    kept = hushlink_native.TopFilter(1, 80, 90).feed(a, b)
    order = list(zip((-scores).tolist(), a.tolist(), b.tolist(), strict=True))
    best_a = {x: min(pair for pair in order if pair[1] == x) for x in a.tolist()}
    best_b = {y: min(pair for pair in order if pair[2] == y) for y in b.tolist()}
    expected = [pair for pair in order if best_a[pair[1]] == best_b[pair[2]]]
    assert len(expected) > 10
    assert [pair for pair, keep in zip(order, kept, strict=True) if keep] == expected


def test_inside_one_dataset_both_rows_count_together():
    top = hushlink_native.TopFilter(1, 4)
    assert top.feed([0, 1, 2], [1, 2, 3]).tolist() == [True, False, False]


def test_misuse_is_refused_and_changes_nothing():
    for arguments in ((0, 1, 1), (1, -1, 1), (1, 1, 2**32)):
        with pytest.raises(ValueError, match=r"k must|records"):
            hushlink_native.TopFilter(*arguments)
    top = hushlink_native.TopFilter(1, 2, 2)
    for bad in (([0, 2], [0, 0]), ([0, 0], [0, 2])):
        with pytest.raises(IndexError):
            top.feed(*bad)
    with pytest.raises(ValueError, match="rows_a has 1"):
        top.feed([0], [0, 1])
    assert top.feed([0], [0]).tolist() == [True]
    with pytest.raises(IndexError):
        hushlink_native.TopFilter(1, 0, 0).feed([0], [0])
