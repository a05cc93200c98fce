"""Joins by blocks: the pairs of the whole join that share a block, each once."""

import itertools

import numpy
import pytest

import hushlink_native


def random_lists(rng, rows, blocks, least=0, most=3):
    """For every block the rows in it; a row is in `least` to `most` blocks."""
    members: list[list[int]] = [[] for _ in range(blocks)]
    for row in range(rows):
        for block in rng.choice(blocks, int(rng.integers(least, most + 1)), replace=False):
            members[block].append(row)
    return members


def columns(members):
    offsets = numpy.cumsum([0, *map(len, members)]).astype(numpy.uint64)
    return offsets, numpy.array([row for block in members for row in block], dtype=numpy.uint32)


def sharing(found, left, right):
    """Those pairs of a whole join that share a block."""
    together = {pair for a, b in zip(left, right, strict=True) for pair in itertools.product(a, b)}
    keep = [pair in together for pair in zip(found[1].tolist(), found[2].tolist(), strict=True)]
    return [column[keep] for column in found]


def assert_same(found, expected):
    for got, wanted in zip(found, expected, strict=True):
        numpy.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("path", hushlink_native.kernel_paths())
@pytest.mark.parametrize("blocks", [1, 7, 150])
def test_two_sides(rng, related_rows, path, blocks):
    left, right = related_rows(rng, 200, 16), related_rows(rng, 260, 16)
    right[:80] = left[:80]
    of_left = random_lists(rng, 200, blocks, most=min(3, blocks))
    of_right = random_lists(rng, 260, blocks, least=1, most=min(3, blocks))
    lists = hushlink_native.Blocks(*columns(of_left), *columns(of_right))
    whole = hushlink_native.candidate_pairs(left, right, 0.6)
    found = hushlink_native.candidate_pairs(left, right, 0.6, blocks=lists, path=path)
    assert len(found[0]) > 0
    assert_same(found, sharing(whole, of_left, of_right))


@pytest.mark.parametrize("path", hushlink_native.kernel_paths())
def test_a_self_join(rng, related_rows, path):
    rows = related_rows(rng, 300, 16)
    members = random_lists(rng, 300, 9)
    lists = hushlink_native.Blocks(*columns(members))
    found = hushlink_native.candidate_pairs(rows, None, 0.6, blocks=lists, path=path)
    assert len(found[0]) > 50
    assert_same(found, sharing(hushlink_native.candidate_pairs(rows, None, 0.6), members, members))


@pytest.mark.parametrize("rows", [31, 63, 64, 65, 95, 96, 97, hushlink_native.RIGHT_BLOCK + 1])
def test_one_block_of_everything_is_the_whole_join(rng, related_rows, rows):
    left, right = related_rows(rng, 30, 16), related_rows(rng, rows, 16)
    right[-20:] = left[:20]
    lists = hushlink_native.Blocks(*columns([range(30)]), *columns([range(rows)]))
    found = hushlink_native.candidate_pairs(left, right, 0.8, blocks=lists)
    assert len(found[0]) >= 20
    assert_same(found, hushlink_native.candidate_pairs(left, right, 0.8))


def test_any_capacity_resumes_and_progress_ends_at_the_total(rng, related_rows):
    rows = related_rows(rng, 120, 8)
    members = random_lists(rng, 120, 11)
    lists = hushlink_native.Blocks(*columns(members))
    join = hushlink_native.Join(rows, None, 0.6, blocks=lists)
    assert join.total == sum(len(block) * (len(block) - 1) // 2 for block in members)
    pairs: list[tuple[int, int]] = []
    while not join.done:
        batch = join.next(1)
        pairs += zip(batch.left.tolist(), batch.right.tolist(), strict=True)
    assert join.progress == join.total
    assert len(pairs) == len(set(pairs))
    _, left, right = hushlink_native.candidate_pairs(rows, None, 0.6, blocks=lists)
    assert sorted(pairs) == sorted(zip(left.tolist(), right.tolist(), strict=True))


@pytest.mark.parametrize("members", [[], [[]], [[], []], [[0], [1], [2]]])
def test_blocks_without_pairs(members):
    rows = numpy.full((3, 4), 255, dtype=numpy.uint8)
    lists = hushlink_native.Blocks(*columns(members))
    join = hushlink_native.Join(rows, None, 0.5, blocks=lists)
    assert join.total == 0
    assert len(join.next(4)) == 0
    assert join.done


def numbers(*values, dtype=numpy.uint32):
    return numpy.array(values, dtype=dtype)


def offsets(*values):
    return numbers(*values, dtype=numpy.uint64)


@pytest.mark.parametrize(
    ("error", "lists"),
    [
        (IndexError, (offsets(0, 2), numbers(0, 4))),
        (ValueError, (offsets(0, 3), numbers(0, 1))),
        (ValueError, (offsets(1, 2), numbers(0, 1))),
        (ValueError, (offsets(0, 2, 1, 2), numbers(0, 1))),
        (ValueError, (offsets(), numbers())),
        (ValueError, (offsets(0, 2), numbers(1, 0))),
        (ValueError, (offsets(0, 2), numbers(1, 1))),
        (TypeError, (offsets(0, 2), numpy.array([0.0, 1.0]))),
        (ValueError, (offsets(0, 1), numbers(0), offsets(0, 1), numbers(0))),
    ],
)
def test_bad_blocks_are_refused(error, lists):
    rows = numpy.full((4, 4), 255, dtype=numpy.uint8)
    with pytest.raises(error):
        hushlink_native.Join(rows, None, 0.5, blocks=hushlink_native.Blocks(*lists))


def test_both_sides_need_the_same_blocks():
    rows = numpy.full((4, 4), 255, dtype=numpy.uint8)
    one, two = (offsets(0, 1), numbers(0)), (offsets(0, 1, 2), numbers(0, 1))
    with pytest.raises(ValueError, match="blocks on the left"):
        hushlink_native.Join(rows, rows, 0.5, blocks=hushlink_native.Blocks(*one, *two))
    with pytest.raises(ValueError, match="right side"):
        hushlink_native.Join(rows, rows, 0.5, blocks=hushlink_native.Blocks(*one))
