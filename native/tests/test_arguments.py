"""Whatever Python hands in: a clear error or a right answer, never a crash."""

import numpy
import pytest

import hushlink_native


def rows(count=4, width=16):
    return numpy.arange(count * width, dtype=numpy.uint8).reshape(count, width)


@pytest.mark.parametrize(
    ("error", "bad"),
    [
        (TypeError, None),
        (TypeError, [[1, 2]]),
        (TypeError, b"bytes"),
        (TypeError, rows().astype(numpy.int8)),
        (TypeError, rows().astype(numpy.uint64)),
        (TypeError, rows().astype(bool)),
        (ValueError, rows()[0]),
        (ValueError, rows().reshape(2, 2, 16)),
        (ValueError, numpy.zeros((3, 0), dtype=numpy.uint8)),
        (ValueError, numpy.zeros((1, 2049), dtype=numpy.uint8)),
        (ValueError, rows()[:, ::2]),
        (ValueError, rows()[::2]),
        (ValueError, rows()[::-1]),
        (ValueError, numpy.asfortranarray(rows())),
    ],
)
def test_rows_of_another_kind_are_refused(error, bad):
    with pytest.raises(error, match="left"):
        hushlink_native.candidate_pairs(bad, None, 0.5)
    if bad is not None:
        with pytest.raises(error, match="right"):
            hushlink_native.candidate_pairs(rows(), bad, 0.5)
    with pytest.raises(error, match="rows"):
        hushlink_native.popcounts(bad)


def test_widths_must_be_equal():
    with pytest.raises(ValueError, match="16 bytes wide and right 15"):
        hushlink_native.candidate_pairs(rows(), rows(width=15), 0.5)


@pytest.mark.parametrize("threshold", [0, -0.5, 1.0000001, float("nan"), float("inf"), -0.0])
def test_thresholds_outside_the_range_are_refused(threshold):
    with pytest.raises(ValueError, match="threshold"):
        hushlink_native.candidate_pairs(rows(), rows(), threshold)


def test_a_threshold_that_is_no_number_is_refused():
    with pytest.raises(TypeError):
        hushlink_native.candidate_pairs(rows(), rows(), "0.5")  # type: ignore[arg-type]


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match="dice"):
        hushlink_native.candidate_pairs(rows(), rows(), 0.5, metric="sorensen")


@pytest.mark.parametrize(("left", "right"), [(0, 4), (4, 0), (0, 0), (0, None), (1, None)])
def test_no_rows_give_no_pairs(left, right):
    join = hushlink_native.Join(rows(left), None if right is None else rows(right), 0.1)
    assert join.total == 0
    assert len(join.next(5)) == 0
    assert join.done


def test_read_only_rows_are_read():
    frozen = rows()
    frozen.flags.writeable = False
    scores, _, _ = hushlink_native.candidate_pairs(frozen, frozen, 1.0)
    assert len(scores) == 4


def test_rows_at_an_odd_address_are_read():
    memory = numpy.zeros(4 * 16 + 1, dtype=numpy.uint8)
    memory[1:] = rows().reshape(-1)
    odd = memory[1:].reshape(4, 16)
    for path in hushlink_native.kernel_paths():
        found = hushlink_native.candidate_pairs(odd, rows(), 0.6, path=path)
        expected = hushlink_native.candidate_pairs(rows(), rows(), 0.6)
        for got, wanted in zip(found, expected, strict=True):
            numpy.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (TypeError, [1, 2, 3, 4]),
        (TypeError, numpy.zeros(4, dtype=numpy.int64)),
        (ValueError, numpy.zeros(3, dtype=numpy.uint32)),
        (ValueError, numpy.zeros((4, 1), dtype=numpy.uint32)),
        (ValueError, numpy.full(4, 129, dtype=numpy.uint32)),
        (ValueError, numpy.full(4, 2**32 - 1, dtype=numpy.uint32)),
    ],
)
def test_popcounts_that_do_not_fit_are_refused(error, counts):
    with pytest.raises(error, match="popcounts"):
        hushlink_native.Join(rows(), rows(), 0.5, left_popcounts=counts)
    with pytest.raises(error, match="popcounts"):
        hushlink_native.Join(rows(), rows(), 0.5, right_popcounts=counts)


def test_right_popcounts_need_right_rows():
    with pytest.raises(ValueError, match="right"):
        hushlink_native.Join(rows(), None, 0.5, right_popcounts=numpy.zeros(4, dtype=numpy.uint32))


@pytest.mark.parametrize("path", hushlink_native.kernel_paths())
def test_false_popcounts_do_not_crash(path):
    for lie in (0, 128):
        counts = numpy.full(4, lie, dtype=numpy.uint32)
        join = hushlink_native.Join(rows(), rows(), 0.01, left_popcounts=counts, path=path)
        while not join.done:
            join.next(3)


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_capacity_below_one_is_refused(capacity):
    with pytest.raises(ValueError, match="capacity"):
        hushlink_native.Join(rows(), None, 0.5).next(capacity)


def columns(**changes):
    made = hushlink_native.PairColumns.empty(4)
    parts = {"scores": made.scores, "left": made.left, "right": made.right, **changes}
    return hushlink_native.PairColumns(**parts)


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("error", "bad"),
    [
        (TypeError, columns(left=numpy.zeros(4, dtype=numpy.int32))),
        (TypeError, columns(scores=numpy.zeros(4, dtype=numpy.float32))),
        (ValueError, columns(right=numpy.zeros(3, dtype=numpy.uint32))),
        (ValueError, hushlink_native.PairColumns.empty(0)),
        (ValueError, columns(left=numpy.zeros(8, dtype=numpy.uint32)[::2])),
        (ValueError, columns(left=read_only(numpy.zeros(4, dtype=numpy.uint32)))),
    ],
)
def test_buffers_that_cannot_be_filled_are_refused(error, bad):
    with pytest.raises(error):
        hushlink_native.Join(rows(), rows(), 0.5).fill(bad)


def test_sort_pairs_refuses_other_columns():
    scores, numbers = numpy.ones(3), numpy.zeros(3, dtype=numpy.uint32)
    with pytest.raises(ValueError, match="one length"):
        hushlink_native.sort_pairs(scores, numbers, numbers[:2])
    with pytest.raises(TypeError):
        hushlink_native.sort_pairs(scores, numbers.astype(numpy.int64), numbers)
