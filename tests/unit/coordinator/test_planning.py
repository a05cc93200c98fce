"""Planning: tiles cover every comparison exactly once, alike every time, within their bounds."""

from __future__ import annotations

import itertools

import hypothesis
from hypothesis import strategies as st

from hushlink_coordinator.runs import planning
from hushlink_domain import chunks, digests, metrics, tiles

ROWS_PER_CHUNK = 64
WIDTH_BYTES = 16
COMPARING = tiles.Comparing(WIDTH_BYTES, metrics.Metric.DICE, 0.8, 1000)


def dataset(number: int, rows: int) -> tuple[chunks.ChunkRef, ...]:
    refs = []
    for first in range(0, rows, ROWS_PER_CHUNK):
        count = min(ROWS_PER_CHUNK, rows - first)
        digest = digests.Digest.of(f"{number} {first}".encode())
        refs.append(chunks.ChunkRef(digests.Digest(digest.hash, count * WIDTH_BYTES), first, count))
    return tuple(refs)


sizes = st.lists(st.integers(1, 40 * ROWS_PER_CHUNK), min_size=2, max_size=5)


@hypothesis.given(sizes, st.integers(1, 1 << 20))
def test_every_comparison_is_in_exactly_one_tile(rows: list[int], smallest: int) -> None:
    datasets = {number: dataset(number, count) for number, count in enumerate(rows)}
    plan = planning.plan(datasets, smallest)
    covered: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {}
    for tile in plan:
        assert tile.right is not None
        assert tile.left.dataset < tile.right.dataset
        covered.setdefault((tile.left.dataset, tile.right.dataset), []).append(
            (tile.left.first_row, tile.left.rows, tile.right.first_row, tile.right.rows)
        )
    assert sorted(covered) == list(itertools.combinations(range(len(rows)), 2))
    for (left, right), rectangles in covered.items():
        assert sum(a * b for _, a, _, b in rectangles) == rows[left] * rows[right]
        for (l1, a1, r1, b1), (l2, a2, r2, b2) in itertools.combinations(rectangles, 2):
            apart = l1 + a1 <= l2 or l2 + a2 <= l1 or r1 + b1 <= r2 or r2 + b2 <= r1
            assert apart, "two tiles compare the same rows"


@hypothesis.given(sizes, st.integers(1, 1 << 20))
def test_planning_twice_plans_the_same(rows: list[int], smallest: int) -> None:
    datasets = {number: dataset(number, count) for number, count in enumerate(rows)}
    plan = planning.plan(datasets, smallest)
    assert planning.plan(dict(reversed(datasets.items())), smallest) == plan
    assert [tile.index for tile in plan] == list(range(len(plan)))
    assert len({tile.identity(COMPARING) for tile in plan}) == len(plan)


def test_a_tile_is_named_by_what_it_compares_and_how() -> None:
    tile = planning.plan({0: dataset(0, 100), 1: dataset(1, 100)}, 1 << 30)[0]
    other = tiles.Comparing(WIDTH_BYTES, metrics.Metric.DICE, 0.81, 1000)
    assert tile.identity(COMPARING) != tile.identity(other)


def test_large_runs_have_a_bounded_number_of_tiles() -> None:
    datasets = {number: dataset(number, 400 * ROWS_PER_CHUNK) for number in (0, 1)}
    assert len(planning.plan(datasets, 1)) <= 2 * planning.TILES


def test_sides_stay_within_their_bytes() -> None:
    wide = tuple(
        chunks.ChunkRef(digests.Digest(bytes([n]) * 32, planning.MOST_SIDE_BYTES // 3), n * 10, 10) for n in range(9)
    )
    plan = planning.plan({0: wide, 1: wide}, 1 << 60)
    assert {len(tile.left.chunks) for tile in plan} == {3}
