"""Schemas of versions 1 and 2: equal to their conversion to version 3, faults at their own place."""

import copy
import json
from typing import Any

import pytest

from hushlink_domain import schema

KDF = {"type": "HKDF"}


def entry(identifier: str, **hashing: Any) -> dict[str, Any]:
    return {"identifier": identifier, "format": {"type": "string"}, "hashing": hashing}


VERSION_1 = {
    "version": 1,
    "clkConfig": {"l": 64, "k": 15, "hash": {"type": "doubleHash"}, "kdf": KDF, "xorFolds": 2},
    "features": [
        {"identifier": "id", "ignored": True},
        entry("plain", ngram=2),
        entry("light", ngram=2, weight=0.5, missingValue={"sentinel": "NA"}),
        entry("half", ngram=1, weight=0.1, positional=True),
        entry("nothing", ngram=0, weight=0),
    ],
}
VERSION_2 = {
    "version": 2,
    "clkConfig": {"l": 64, "kdf": KDF},
    "features": [
        {"identifier": "id", "ignored": True},
        entry("plain", ngram=2, strategy={"k": 15.0}, hash={"type": "doubleHash"}),
        entry("light", ngram=2, strategy={"k": 8}, hash={"type": "doubleHash"}, missingValue={"sentinel": "NA"}),
        entry("half", ngram=1, strategy={"k": 2}, hash={"type": "doubleHash"}, positional=True),
        {"identifier": "nothing", "ignored": True},
    ],
}


def ngram(n: int, bits: int, positional: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "comparison": {"type": "ngram", "n": n, "positional": positional},
        "strategy": {"bitsPerToken": bits},
        "hash": {"type": "doubleHash"},
        **more,
    }


VERSION_3 = {
    "version": 3,
    "clkConfig": {"l": 64, "kdf": KDF},
    "features": [
        {"identifier": "id", "ignored": True},
        entry("plain", **ngram(2, 15)),
        entry("light", **ngram(2, 8, missingValue={"sentinel": "NA"})),  # 7.5 rounds to the even 8
        entry("half", **ngram(1, 2, positional=True)),
        {"identifier": "nothing", "ignored": True},
    ],
}


def test_the_three_versions_mean_the_same() -> None:
    first, second, third = (schema.parse(document) for document in (VERSION_1, VERSION_2, VERSION_3))
    assert first == second == third
    assert first.fingerprint() == second.fingerprint() == third.fingerprint()
    assert json.loads(first.canonical_json())["version"] == 3
    assert schema.parse_json(first.canonical_json()) == third


def test_bits_per_feature_and_the_default_hash_of_version_2() -> None:
    read = schema.parse({**VERSION_2, "features": [entry("a", ngram=2, strategy={"numBits": 40})]})
    [(_, feature)] = read.features()
    assert feature.strategy == schema.BitsPerFeature(40) and feature.hash == schema.BlakeHash()


@pytest.mark.parametrize(
    ("document", "place", "value", "fault_path"),
    [
        (VERSION_1, ("clkConfig", "k"), None, "$.clkConfig"),
        (VERSION_1, ("clkConfig", "k"), 0, "$.clkConfig.k"),
        (VERSION_1, ("clkConfig", "hash"), None, "$.clkConfig"),
        (VERSION_1, ("clkConfig", "hash"), {"type": "md5"}, "$.clkConfig.hash.type"),
        (VERSION_1, ("features", 1, "hashing", "ngram"), 0, "$.features[1].hashing.ngram"),
        (VERSION_1, ("features", 1, "hashing", "weight"), -1, "$.features[1].hashing.weight"),
        (VERSION_1, ("features", 1, "hashing", "weight"), True, "$.features[1].hashing.weight"),
        (VERSION_1, ("features", 1, "hashing", "weight"), 0.03, "$.features[1].hashing.weight"),
        (VERSION_1, ("features", 1, "hashing", "weight"), 1e300, "$.features[1].hashing.weight"),
        (VERSION_1, ("features", 1, "hashing", "strategy"), {"k": 1}, "$.features[1].hashing.strategy"),
        (VERSION_1, ("features", 4, "hashing", "ngram"), None, "$.features[4].hashing"),
        (VERSION_2, ("features", 1, "hashing", "ngram"), None, "$.features[1].hashing"),
        (VERSION_2, ("features", 1, "hashing", "weight"), 1, "$.features[1].hashing.weight"),
        (VERSION_2, ("features", 1, "hashing", "strategy"), {}, "$.features[1].hashing.strategy"),
        (VERSION_2, ("features", 1, "hashing", "strategy"), {"k": 15.5}, "$.features[1].hashing.strategy.k"),
        (VERSION_2, ("features", 1, "hashing", "strategy"), {"k": 1, "numBits": 1}, "$.features[1].hashing.strategy"),
        (
            VERSION_2,
            ("features", 1, "hashing", "strategy"),
            {"bitsPerToken": 1},
            "$.features[1].hashing.strategy.bitsPerToken",
        ),
        (VERSION_2, ("features", 1, "ignored"), True, "$.features[1].format"),
    ],
)
def test_faults_are_named_where_they_were_written(
    document: dict[str, Any], place: tuple[str | int, ...], value: object, fault_path: str
) -> None:
    bad: Any = copy.deepcopy(document)
    target = bad
    for step in place[:-1]:
        target = target[step]
    if value is None:
        del target[place[-1]]
    else:
        target[place[-1]] = value
    with pytest.raises(schema.InvalidSchema) as caught:
        schema.parse(bad)
    assert fault_path in {fault.path for fault in caught.value.faults}


def test_strict_holds_for_older_versions_that_ask_for_it() -> None:
    strict = schema.parse({**VERSION_2, "hushlink": {}})
    assert strict.mode is schema.Mode.STRICT and strict.fingerprint() != schema.parse(VERSION_2).fingerprint()
    with pytest.raises(schema.InvalidSchema, match="xorFolds"):
        schema.parse(VERSION_1, "strict")
