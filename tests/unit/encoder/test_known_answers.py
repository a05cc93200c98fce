"""The encoder against known answers: every bit, key and index as clkhash 0.18.3 makes them."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
import pytest

import hushlink_encoder
import hushlink_native
from hushlink_domain import schema
from hushlink_encoder import columns, keys, texts
from tests.support import encoding_by_definition

VECTORS: dict[str, Any] = json.loads(
    (pathlib.Path(__file__).parents[2] / "vectors" / "encodings.json").read_text("utf-8")
)
SECRET = VECTORS["secret"].encode()


def document(vector: dict[str, Any]) -> dict[str, Any]:
    settings = {**VECTORS["defaults"], **vector}
    hashing_of = {key: settings[key] for key in ("comparison", "strategy", "hash", "missingValue") if key in settings}
    ignored = [{"identifier": f"ignored {i}", "ignored": True} for i in range(settings.get("ignored_before", 0))]
    feature = {
        "identifier": settings["identifier"],
        "format": settings["format"],
        "hashing": settings.get("hashing", hashing_of),
    }
    return {"version": settings["version"], "clkConfig": settings["clkConfig"], "features": [*ignored, feature]}


@pytest.mark.parametrize("vector", VECTORS["encodings"], ids=lambda vector: vector["case"])
def test_encodings(vector: dict[str, Any]) -> None:
    encoder = hushlink_encoder.Encoder(document(vector), SECRET)
    padding = [""] * vector.get("ignored_before", 0)
    encodings = encoder.encode([[*padding, value] for value in vector["values"]])
    assert encodings.shape == (len(vector["values"]), encoder.schema.width_bytes)
    assert [row.tobytes().hex() for row in encodings] == list(vector["values"].values())


def vector_keys() -> keys.FeatureKeys:
    agreed = schema.parse(document({}))
    [feature_keys] = keys.derive(keys.Secret(SECRET), agreed)
    return feature_keys


def test_keys() -> None:
    assert vector_keys().first.hex().startswith(VECTORS["keys"]["first_starts"])
    assert vector_keys().second.hex().startswith(VECTORS["keys"]["second_starts"])


@pytest.mark.parametrize("vector", VECTORS["indices"])
def test_indices(vector: dict[str, Any]) -> None:
    agreed = schema.parse(document({"hash": vector["hash"]}))
    [(_, feature)] = agreed.features()
    start, expected = vector["from"], vector["indices"]
    both = (vector_keys().first, vector_keys().second)
    asked = dataclasses.replace(
        columns.kernel_tokens(feature, vector["length"]), ngram=0, insertions=start + len(expected), per_value=False
    )
    defined = encoding_by_definition.indices(vector["token"], asked.insertions, asked, both)
    assert defined[start:] == expected
    filters = np.zeros((1, vector["length"] // 8), dtype=np.uint8)
    point = texts.of_values([vector["token"]])
    hushlink_native.FilterColumn(asked, *both).add(point.points, point.lengths, filters)
    assert set(np.flatnonzero(np.unpackbits(filters[0]))) == set(defined)
