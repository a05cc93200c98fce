"""Every instruction set equals the portable code, pair for pair and in the order of emission."""

import subprocess
import sys

import numpy
import pytest

import hushlink_native

FASTER = hushlink_native.kernel_paths()[1:]
LEFT_BLOCK, RIGHT_BLOCK = hushlink_native.LEFT_BLOCK, hushlink_native.RIGHT_BLOCK


def emitted(left, right, threshold, metric, path, prune=True):
    join = hushlink_native.Join(left, right, threshold, metric=metric, path=path, prune=prune)
    batches = []
    while not join.done:
        batches.append(join.next(1 << 16))
    return [numpy.concatenate([getattr(batch, name) for batch in batches]) for name in ("scores", "left", "right")]


def assert_paths_agree(left, right, threshold, metric="dice"):
    expected = emitted(left, right, threshold, metric, "portable")
    for path in FASTER:
        for prune in (True, False):
            found = emitted(left, right, threshold, metric, path, prune)
            for got, wanted in zip(found, expected, strict=True):
                numpy.testing.assert_array_equal(got, wanted, err_msg=f"{path} prune={prune}")
    return len(expected[0])


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513])
def test_at_every_width(rng, related_rows, width):
    left, right = related_rows(rng, 70, width), related_rows(rng, 150, width)
    right[10:40] = left[10:40]
    left[0], left[1], right[2], right[3] = 0, 255, 0, 255
    pairs = sum(
        assert_paths_agree(left, other, threshold, metric)
        for metric in hushlink_native.METRICS
        for threshold in (0.3, 0.75, 0.9, 1.0)
        for other in (right, None)
    )
    assert pairs > 0


@pytest.mark.parametrize("width", [1023, 1024, 2047, 2048])
def test_at_great_widths(rng, related_rows, width):
    left, right = related_rows(rng, 9, width), related_rows(rng, 70, width)
    right[5] = left[5]
    left[0], right[0], right[1] = 255, 255, 0
    for threshold in (0.01, 0.5, 0.85, 1.0):
        assert assert_paths_agree(left, right, threshold) > 0


@pytest.mark.parametrize("metric", hushlink_native.METRICS)
@pytest.mark.parametrize("spread", [0.05, 0.5])
def test_pruning_by_any_metric_with_popcounts_near_and_far(rng, metric, spread):
    fills = 0.44 + spread * (rng.random((1200, 1)) - 0.5)
    rows = numpy.packbits(rng.random((1200, 1024)) < fills, axis=1)
    rows[:300] = rows[300:600]
    rows[600:650] &= rows[650:700]
    for threshold in (0.7, 0.85, 0.95):
        assert assert_paths_agree(rows, None, threshold, metric) >= 300


@pytest.mark.parametrize("fill", [0.05, 0.25, 0.44, 0.5, 0.68, 0.95])
@pytest.mark.parametrize("threshold", [0.55, 0.7, 0.8, 0.85, 0.9, 0.95])
def test_pruning_loses_nothing(rng, related_rows, fill, threshold):
    left, right = related_rows(rng, 400, 128, fill), related_rows(rng, 1500, 128, fill)
    right[:100] = left[:100]
    assert assert_paths_agree(left, right, threshold) >= 100


@pytest.mark.parametrize("right_rows", [1, 63, 64, 65, RIGHT_BLOCK - 1, RIGHT_BLOCK, RIGHT_BLOCK + 1])
@pytest.mark.parametrize("left_rows", [1, 3, 4, 5, 8])
def test_around_the_sizes_of_groups_and_right_blocks(rng, related_rows, left_rows, right_rows):
    left, right = related_rows(rng, left_rows, 16), related_rows(rng, right_rows, 16)
    right[-1] = left[-1]
    assert assert_paths_agree(left, right, 0.8) >= 1


@pytest.mark.parametrize("rows", [2, RIGHT_BLOCK - 1, RIGHT_BLOCK, RIGHT_BLOCK + 1, 2 * RIGHT_BLOCK + 1])
def test_self_joins_around_the_size_of_a_block(rng, related_rows, rows):
    left = related_rows(rng, rows, 16)
    left[-1] = left[0]
    assert assert_paths_agree(left, None, 0.9) >= 1


@pytest.mark.parametrize("rows", [LEFT_BLOCK - 1, LEFT_BLOCK, LEFT_BLOCK + 1, LEFT_BLOCK + 5])
def test_around_the_size_of_a_left_block(rng, related_rows, rows):
    left, right = related_rows(rng, rows, 8), related_rows(rng, RIGHT_BLOCK + 3, 8)
    left[-1] = right[-1] = left[0]
    assert assert_paths_agree(left, right, 0.97) >= 1
    assert assert_paths_agree(left, None, 1.0) >= 1


def active_path(forced):
    code = "import hushlink_native; print(hushlink_native.active_path())"
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"HUSHLINK_KERNEL": forced},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("path", hushlink_native.kernel_paths())
def test_the_environment_forces_a_path(path):
    assert active_path(path).stdout.strip() == path


def test_without_it_the_fastest_path_runs():
    assert active_path("").stdout.strip() == hushlink_native.kernel_paths()[-1]


@pytest.mark.parametrize("path", ["sse9", "AVX2 ", "neon" if "avx2" in FASTER else "avx2"])
def test_an_unavailable_path_is_a_clear_error(path):
    result = active_path(path)
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert path in last
    assert "portable" in last
    assert "HUSHLINK_KERNEL" in last
