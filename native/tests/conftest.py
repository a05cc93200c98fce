"""Encodings to test with, and oracles that know nothing of the kernel."""

import importlib
import types
import warnings
from collections.abc import Callable

import numpy
import pytest

Rows = numpy.ndarray
Expected = tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]


def _related_rows(rng: numpy.random.Generator, count: int, width: int, fill: float = 0.44) -> Rows:
    """Rows that fall into families of near copies, so that every threshold has pairs to find."""
    families = rng.random((max(1, count // 3), 8 * width)) < fill
    noise = rng.random((count, 8 * width)) < rng.random((count, 1)) * 0.2
    members = families[rng.integers(0, len(families), count)] ^ noise
    return numpy.ascontiguousarray(numpy.packbits(members, axis=1))


def _scores(metric: str, a: Rows, b: Rows, common: Rows, width: int) -> Rows:
    """Scores by the formulas, as one division of doubles each."""
    total = a + b
    parts = {
        "dice": (2 * common, total),
        "jaccard": (common, total - common),
        "hamming": (8 * width - total + 2 * common, numpy.full_like(total, 8 * width)),
        "overlap": (common, numpy.minimum(a, b)),
        "cosine": (common, numpy.sqrt((a * b).astype(numpy.float64))),
    }
    over, under = parts[metric]
    return numpy.divide(over, under, out=numpy.zeros(over.shape), where=under != 0)


def _brute_pairs(left: Rows, right: Rows | None, threshold: float, metric: str) -> Expected:
    """All pairs by the definition, through a dense matrix of scores, in canonical order."""
    bits_left = numpy.unpackbits(left, axis=1).astype(numpy.int64)
    bits_right = bits_left if right is None else numpy.unpackbits(right, axis=1).astype(numpy.int64)
    common = bits_left @ bits_right.T
    a = bits_left.sum(axis=1)[:, None] + numpy.zeros_like(common)
    b = bits_right.sum(axis=1)[None, :] + numpy.zeros_like(common)
    scores = _scores(metric, a, b, common, left.shape[1])
    wanted = scores >= threshold
    if right is None:
        wanted &= numpy.triu(numpy.ones_like(wanted), 1)
    rows_left, rows_right = numpy.nonzero(wanted)
    found = scores[rows_left, rows_right]
    order = numpy.lexsort((rows_right, rows_left, -found))
    return (
        found[order],
        rows_left[order].astype(numpy.uint32),
        rows_right[order].astype(numpy.uint32),
    )


@pytest.fixture
def rng() -> numpy.random.Generator:
    return numpy.random.default_rng(20_240_229)


@pytest.fixture
def related_rows() -> Callable[..., Rows]:
    return _related_rows


@pytest.fixture
def brute_pairs() -> Callable[[Rows, Rows | None, float, str], Expected]:
    return _brute_pairs


@pytest.fixture(scope="session")
def anonlink() -> types.ModuleType:
    """The peer. It imports pkg_resources, which warns; nothing else of it is silenced."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in ("candidate_generation", "similarities", "solving"):
            importlib.import_module(f"anonlink.{module}")
        return importlib.import_module("anonlink")
