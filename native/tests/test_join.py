"""The join against the definition: scores, edges, order, resumption, progress, cancellation."""

import threading

import numpy
import pytest

import hushlink_native

METRICS = list(hushlink_native.METRICS)


def assert_same(found, expected):
    for got, wanted in zip(found, expected, strict=True):
        assert got.dtype == wanted.dtype
        numpy.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("path", hushlink_native.kernel_paths())
@pytest.mark.parametrize("width", [1, 3, 8, 64, 128, 131])
def test_pairs_follow_the_definition(rng, related_rows, brute_pairs, metric, path, width):
    left = related_rows(rng, 60, width)
    right = related_rows(rng, 75, width)
    right[:20] = left[:20]
    left[3], right[7], right[8] = 0, 0, 255
    for threshold in (0.01, 1 / 3, 0.5, 0.7, 0.8, 0.9, 1.0):
        for other in (right, None):
            assert_same(
                hushlink_native.candidate_pairs(left, other, threshold, metric=metric, path=path),
                brute_pairs(left, other, threshold, metric),
            )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("path", hushlink_native.kernel_paths())
def test_a_threshold_on_a_score_keeps_it_and_the_next_double_loses_it(rng, related_rows, brute_pairs, metric, path):
    left, right = related_rows(rng, 40, 16), related_rows(rng, 40, 16)
    every_score = numpy.unique(brute_pairs(left, right, 1e-9, metric)[0])
    assert len(every_score) > 20
    for score in every_score[:: max(1, len(every_score) // 60)]:
        expected = brute_pairs(left, right, score, metric)
        assert expected[0][-1] == score
        assert_same(hushlink_native.candidate_pairs(left, right, score, metric=metric, path=path), expected)
        above = numpy.nextafter(score, 2.0)
        if above <= 1.0:
            assert_same(
                hushlink_native.candidate_pairs(left, right, above, metric=metric, path=path),
                brute_pairs(left, right, above, metric),
            )


def test_two_empty_rows_match_only_by_hamming():
    empty = numpy.zeros((1, 16), dtype=numpy.uint8)
    for metric in ("dice", "jaccard", "cosine", "overlap"):
        assert len(hushlink_native.candidate_pairs(empty, empty, 0.01, metric=metric)[0]) == 0
    scores, _, _ = hushlink_native.candidate_pairs(empty, empty, 1.0, metric="hamming")
    assert scores.tolist() == [1.0]


def emitted(join, capacity):
    batches = []
    while not join.done:
        batches.append(join.next(capacity))
        assert len(batches[-1]) <= capacity
    columns = [numpy.concatenate([getattr(batch, name) for batch in batches]) for name in ("scores", "left", "right")]
    assert len(join.next(capacity)) == 0
    return columns


@pytest.mark.parametrize("path", hushlink_native.kernel_paths())
@pytest.mark.parametrize("self_join", [False, True])
def test_any_capacity_gives_the_same_pairs_in_the_same_order(rng, related_rows, path, self_join):
    left = related_rows(rng, 90, 16)
    right = None if self_join else related_rows(rng, 1100, 16)
    if right is not None:
        right[1000:1060] = left[:60]
    whole = emitted(hushlink_native.Join(left, right, 0.75, path="portable"), 1 << 20)
    assert len(whole[0]) > 20
    for capacity in (1, 2, 7, 1000):
        assert_same(emitted(hushlink_native.Join(left, right, 0.75, path=path), capacity), whole)


def test_a_buffer_fills_exactly(rng, related_rows):
    rows = related_rows(rng, 50, 16)
    count = len(hushlink_native.candidate_pairs(rows, None, 0.6)[0])
    join = hushlink_native.Join(rows, None, 0.6)
    assert len(join.next(count)) == count
    assert len(join.next(count)) == 0
    assert join.done


@pytest.mark.parametrize("right_rows", [None, 3000])
def test_progress_ends_at_the_total(rng, related_rows, right_rows):
    left = related_rows(rng, 2500, 8)
    right = None if right_rows is None else related_rows(rng, right_rows, 8)
    join = hushlink_native.Join(left, right, 0.7)
    assert join.total == (2500 * 2499 // 2 if right is None else 2500 * 3000)
    seen = [join.progress]
    while not join.done:
        join.next(500)
        seen.append(join.progress)
    assert seen[0] == 0
    assert seen == sorted(seen)
    assert seen[-1] == join.total


def test_cancelling_from_another_thread_stops_a_running_call(rng):
    rows = rng.integers(0, 256, (60_000, 512), dtype=numpy.uint8)
    join = hushlink_native.Join(rows, None, 0.9, path="portable", prune=False)
    raised = []

    def run():
        try:
            join.next(10)
        except hushlink_native.JoinCancelledError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while join.progress == 0:
        thread.join(0.001)
    join.cancel()
    thread.join(20)
    assert not thread.is_alive()
    assert raised
    assert join.progress < join.total
    with pytest.raises(hushlink_native.JoinCancelledError):
        join.next(10)


def test_threads_may_share_the_rows(rng, related_rows, brute_pairs):
    left, right = related_rows(rng, 200, 64), related_rows(rng, 300, 64)
    expected = brute_pairs(left, right, 0.8, "dice")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(hushlink_native.candidate_pairs(left, right, 0.8)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for pairs in found:
        assert_same(pairs, expected)


def test_popcounts_handed_in_are_used(rng, related_rows):
    left, right = related_rows(rng, 50, 16), related_rows(rng, 60, 16)
    join = hushlink_native.Join(
        left,
        right,
        0.7,
        left_popcounts=hushlink_native.popcounts(left),
        right_popcounts=hushlink_native.popcounts(right),
    )
    pairs = join.next(10_000)
    assert_same(
        [
            getattr(hushlink_native.sort_pairs(pairs.scores, pairs.left, pairs.right), name)
            for name in ("scores", "left", "right")
        ],
        hushlink_native.candidate_pairs(left, right, 0.7),
    )


@pytest.mark.parametrize("path", hushlink_native.kernel_paths())
@pytest.mark.parametrize("width", [1, 7, 8, 9, 128, 2048])
def test_popcounts_count_set_bits(rng, path, width):
    rows = rng.integers(0, 256, (17, width), dtype=numpy.uint8)
    rows[0], rows[1] = 0, 255
    expected = numpy.unpackbits(rows, axis=1).sum(axis=1)
    numpy.testing.assert_array_equal(hushlink_native.popcounts(rows, path=path), expected)


@pytest.mark.parametrize("count", [0, 1, 2, 300, 70_000])
def test_sort_pairs_is_the_canonical_order(rng, count):
    scores = rng.integers(1, 30, count) / 30
    left = rng.integers(0, 2**32, count, dtype=numpy.uint32)
    right = rng.integers(0, 50, count, dtype=numpy.uint32)
    order = numpy.lexsort((right, left, -scores))
    pairs = hushlink_native.sort_pairs(scores, left, right)
    assert_same((pairs.scores, pairs.left, pairs.right), (scores[order], left[order], right[order]))


@pytest.fixture
def sparse(rng):
    """Rows from nearly empty to nearly full, as where records lack fields; a part of them in both sides."""
    fills = rng.random((3000, 1)) * 0.6
    rows = numpy.packbits(rng.random((3000, 512)) < fills, axis=1)
    left, right = rows[:1500].copy(), rows[1500:].copy()
    right[::3] = left[rng.permutation(1500)[:500]]
    right[1::3] = right[::3]
    return left, right


@pytest.mark.parametrize("metric", hushlink_native.METRICS)
@pytest.mark.parametrize("both", [True, False])
def test_the_order_by_popcount_changes_no_pair(sparse, metric, both):
    left, right = sparse if both else (sparse[1], None)
    for path in hushlink_native.kernel_paths():
        found = []
        for by_popcount in (False, True):
            join = hushlink_native.Join(left, right, 0.8, metric=metric, by_popcount=by_popcount, path=path)
            batches = [join.next(97) for _ in range(200_000) if not join.done]
            columns = ("left", "right", "scores")
            rows = zip(*(numpy.concatenate([getattr(b, name) for b in batches]) for name in columns), strict=True)
            found.append(sorted(rows))
            assert join.progress == join.total
        assert found[0] == found[1]
        assert len(found[0]) >= 490
        assert right is not None or all(a < b for a, b, _ in found[0])


def test_popcounts_exclude_where_they_differ(sparse, rng):
    uneven, even = hushlink_native.popcounts(sparse[0]), numpy.full(100, 200, dtype=numpy.uint32)
    assert hushlink_native.popcounts_exclude(uneven, uneven, 64, 0.85)
    assert hushlink_native.popcounts_exclude(uneven, uneven, 64, 0.85, "cosine")
    assert not hushlink_native.popcounts_exclude(uneven, uneven, 64, 0.85, "overlap")
    assert not hushlink_native.popcounts_exclude(even, even, 64, 0.85)
    assert not hushlink_native.popcounts_exclude(even[:0], even, 64, 0.85)
    with pytest.raises(ValueError, match="threshold"):
        hushlink_native.popcounts_exclude(even, even, 64, 0.0)


def test_blocks_keep_their_own_order(related_rows, rng):
    rows = related_rows(rng, 10, 16)
    blocks = hushlink_native.Blocks(numpy.array([0, 10], dtype=numpy.uint64), numpy.arange(10, dtype=numpy.uint32))
    with pytest.raises(ValueError, match="by_popcount"):
        hushlink_native.Join(rows, None, 0.5, blocks=blocks, by_popcount=True)
