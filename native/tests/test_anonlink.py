"""Equal to anonlink 0.15.3: pairs, scores, order and groups; its known faults excepted, each tested."""

import itertools

import numpy
import pytest
from bitarray import bitarray

import hushlink_native


def bit_arrays(rows):
    return [bitarray(numpy.unpackbits(row).tolist()) for row in rows]


def ours(datasets, threshold):
    """Candidate pairs of all pairs of datasets, merged into canonical order."""
    runs = []
    for a, b in itertools.combinations(range(len(datasets)), 2):
        scores, left, right = hushlink_native.candidate_pairs(datasets[a], datasets[b], threshold)
        runs.append([hushlink_native.SortedPairs(scores, a, b, left, right)])
    blocks = list(hushlink_native.merge_runs(runs, capacity=100))
    names = ("scores", "datasets_a", "datasets_b", "rows_a", "rows_b")
    return [[v for block in blocks for v in getattr(block, name).tolist()] for name in names]


def theirs(anonlink, datasets, threshold):
    found = anonlink.candidate_generation.find_candidate_pairs(
        [bit_arrays(rows) for rows in datasets],
        anonlink.similarities.dice_coefficient_python,
        threshold,
    )
    scores, (a, b), (x, y) = found
    return found, [list(column) for column in (scores, a, b, x, y)]


def canonical(groups):
    return sorted(tuple(sorted((int(d), int(r)) for d, r in g)) for g in groups if len(g) > 1)


def clustered(rng, parties, rows, width):
    """Few people, many near copies and exact ties."""
    people = rng.random((max(2, rows // 2), 8 * width)) < rng.choice([0.2, 0.4, 0.6])
    datasets = []
    for _ in range(parties):
        chosen = people[rng.integers(0, len(people), int(rng.integers(1, rows)))]
        datasets.append(numpy.packbits(chosen ^ (rng.random(chosen.shape) < 0.04), axis=1))
    return datasets


@pytest.mark.parametrize("parties", [2, 3, 4, 5])
def test_pairs_order_and_groups_of_many_small_cases(rng, anonlink, parties):
    solved = 0
    for _ in range(120):
        datasets = clustered(rng, parties, 12, int(rng.choice([1, 2, 8, 16])))
        threshold = float(rng.choice([0.3, 0.5, 2 / 3, 0.8, 0.9]))
        candidates, expected = theirs(anonlink, datasets, threshold)
        found = ours(datasets, threshold)
        assert found == expected
        scores, a, b, x, y = found
        assert hushlink_native.greedy_groups(scores, (a, b), (x, y)) == canonical(
            anonlink.solving.greedy_solve(candidates)
        )
        solved += len(scores)
        merge = float(rng.choice([0.0, 0.3, 0.5, 0.75, 1.0]))
        deduplicated = bool(rng.integers(0, 2))
        assert hushlink_native.greedy_groups(
            scores, (a, b), (x, y), merge_threshold=merge, deduplicated=deduplicated
        ) == canonical(
            anonlink.solving.probabilistic_greedy_solve(candidates, merge_threshold=merge, deduplicated=deduplicated)
        )
    assert solved > 1000


def test_groups_of_candidates_with_pairs_inside_datasets(rng, anonlink):
    for _ in range(1500):
        parties = int(rng.integers(1, 6))
        sizes = rng.integers(1, 12, parties)
        pairs = sorted(
            (-float(rng.integers(1, 6)) / 5, a, b, x, y)
            for a, b in itertools.combinations_with_replacement(range(parties), 2)
            for x, y in itertools.product(range(sizes[a]), range(sizes[b]))
            if (a != b or x < y) and rng.random() < 0.2
        )
        if not pairs:
            continue
        minus, a, b, x, y = (list(column) for column in zip(*pairs, strict=True))
        merge = float(rng.choice([0.0, 0.3, 0.5, 0.75, 1.0]))
        deduplicated = bool(rng.integers(0, 2))
        expected = anonlink.solving.probabilistic_greedy_solve(
            (
                numpy.array([-m for m in minus]),
                (numpy.array(a, "I"), numpy.array(b, "I")),
                (numpy.array(x, "I"), numpy.array(y, "I")),
            ),
            merge_threshold=merge,
            deduplicated=deduplicated,
        )
        found = hushlink_native.greedy_groups(
            [-m for m in minus], (a, b), (x, y), merge_threshold=merge, deduplicated=deduplicated
        )
        assert found == canonical(expected)


@pytest.mark.parametrize("threshold", [0.6, 0.75, 0.85])
def test_its_native_code_finds_the_same_but_for_contained_rows(rng, related_rows, anonlink, threshold):
    left, right = related_rows(rng, 300, 128), related_rows(rng, 400, 128)
    right[:100] = left[:100]
    scores, (x, y) = anonlink.similarities.dice_coefficient_accelerated(
        (bit_arrays(left), bit_arrays(right)), threshold
    )
    found = hushlink_native.candidate_pairs(left, right, threshold)
    mine = list(zip(*(column.tolist() for column in found), strict=True))
    native = list(zip(scores, x, y, strict=True))
    assert len(native) > 100
    missed = set(mine) - set(native)
    assert [pair for pair in mine if pair not in missed] == native
    for _, row_left, row_right in missed:
        inside = numpy.bitwise_and(left[row_left], right[row_right])
        assert any((inside == row).all() for row in (left[row_left], right[row_right]))


def test_a_row_inside_another_is_found_from_both_sides():
    bits = numpy.zeros((2, 1024), dtype=numpy.uint8)
    bits[0, :300] = bits[1, :500] = 1
    small, large = numpy.packbits(bits[:1], axis=1), numpy.packbits(bits[1:], axis=1)
    assert hushlink_native.candidate_pairs(small, large, 0.75)[0].tolist() == [0.75]
    assert hushlink_native.candidate_pairs(large, small, 0.75)[0].tolist() == [0.75]


def test_odd_widths_with_many_right_rows(rng, related_rows, anonlink):
    right = related_rows(rng, 10_050, 13)
    left = right[[5, 9_999]].copy()
    expected = anonlink.similarities.dice_coefficient_python((bit_arrays(left), bit_arrays(right)), 0.7)
    scores, x, y = hushlink_native.candidate_pairs(left, right, 0.7)
    assert scores.tolist() == list(expected[0])
    assert x.tolist() == list(expected[1][0])
    assert y.tolist() == list(expected[1][1])


def test_the_first_k_count_on_both_sides(rng, related_rows, anonlink):
    """Its k cuts the left side only: a right row may keep more than k pairs."""
    right = related_rows(rng, 3, 128)
    left = numpy.ascontiguousarray(right[[0, 0, 1]])
    _, (x, y) = anonlink.similarities.dice_coefficient_accelerated((bit_arrays(left), bit_arrays(right)), 0.99, k=1)
    assert list(zip(x, y, strict=True)) == [(0, 0), (1, 0), (2, 1)]
    _, rows_left, rows_right = hushlink_native.candidate_pairs(left, right, 0.99)
    keep = hushlink_native.TopFilter(1, 3, 3).feed(rows_left, rows_right)
    assert list(zip(rows_left[keep].tolist(), rows_right[keep].tolist(), strict=True)) == [(0, 0), (2, 1)]
