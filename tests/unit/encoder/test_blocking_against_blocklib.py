"""Unkeyed blocks are blocklib's, and keyed ones the same under other names, over random data and configurations."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import hushlink_encoder
from hushlink_encoder import blocking
from tests.support import blocklib_oracle

COLUMNS = ("id", "given", "surname", "born", "note")
SECRET = hushlink_encoder.Secret(b"a secret of the tests")
_PIECES = ("an", "be", "o", "Smith", "schm", "ł", "ü", "_", "x ", "ja", "'", "mac", "th", "\U0001f600", "cz", "gh", "ç")


@pytest.fixture(autouse=True, scope="module")
def oracle() -> None:
    blocklib_oracle.loaded()


def people(draw: random.Random, count: int) -> list[tuple[str, ...]]:
    """Records of few different values, some of them empty or missing."""

    def word(most: int) -> str:
        return "".join(draw.choices(_PIECES, k=draw.randint(0, most)))

    given, surnames, notes = ([word(most) for _ in range(size)] for most, size in ((2, 12), (4, 30), (3, 400)))
    return [
        (
            *(str(number), draw.choice(given), draw.choice(surnames)),
            *(f"{draw.randint(1990, 1994)}-{draw.randint(1, 3):02}", draw.choice([*notes, "NA"])),
        )
        for number in range(count)
    ]


def part_of_signature(draw: random.Random, columns: Sequence[str | int]) -> dict[str, Any]:
    feature = draw.choice(columns)
    kind = draw.choice(["feature-value", "characters-at", "metaphone"])
    if kind != "characters-at":
        return {"type": kind, "feature": feature}
    positions: list[int | str] = [0, 1, 7, "2", "-1", ":3", "1:", "1:3", "-3:-1", "-2:", ":-1", "4:9"]
    return {"type": kind, "feature": feature, "config": {"pos": draw.choices(positions, k=draw.randint(1, 3))}}


def p_sig(draw: random.Random) -> dict[str, Any]:
    columns: Sequence[str | int] = COLUMNS[1:] if draw.random() < 0.5 else (1, 2, 3, 4)
    count = draw.random() < 0.5
    sizes = {"type": "count", "min": draw.randint(0, 3), "max": draw.randint(3, 60)}
    shares = {"type": "ratio", "min": draw.choice([0, 0.0, 0.02]), "max": draw.choice([0.1, 0.5, 1])}
    config: dict[str, Any] = {
        "blocking-features": draw.sample(columns, draw.randint(1, 3)),
        "filter": sizes if count else shares,
        "blocking-filter": {
            "type": "bloom filter",
            "number-hash-functions": draw.randint(1, 25),
            "bf-len": draw.choice([1, 2, 7, 64, 100, 1024, 2048]),
        },
        "signatureSpecs": [
            [part_of_signature(draw, columns) for _ in range(draw.randint(1, 3))] for _ in range(draw.randint(1, 4))
        ],
    }
    if draw.random() < 0.5:
        config["null-sentinel"] = draw.choice(["", "NA", None])
    return {"type": "p-sig", "version": 1, "config": config}


def lambda_fold(draw: random.Random, *, clks: bool = False) -> dict[str, Any]:
    bits = draw.choice([8, 50, 64, 200, 1024])
    config = {
        "blocking-features": draw.sample(COLUMNS[1:], draw.randint(1, 4)),
        "Lambda": draw.randint(1, 12),
        "bf-len": bits,
        "num-hash-funcs": draw.randint(1, 12),
        "K": draw.randint(1, min(bits, draw.choice([8, 30, 40, 70, 120]))),
        "input-clks": clks,
        "random_state": draw.randint(-5, 1000),
    }
    return {"type": "lambda-fold", "version": 1, "config": config}


def made(document: dict[str, Any], rows: Sequence[tuple[str, ...]], mode: str, batch: int) -> blocking.Blocks:
    blocker = blocking.blocker(blocking.parse(document, COLUMNS, mode), SECRET)
    for start in range(0, len(rows), batch):
        blocker.add(list(zip(*rows[start : start + batch], strict=True)))
    return blocker.finish()


def partition(blocks: dict[str, list[int]]) -> set[tuple[int, ...]]:
    return {tuple(rows) for rows in blocks.values()}


@pytest.mark.parametrize("seed", range(220))
def test_p_sig(seed: int) -> None:
    draw = random.Random(seed)
    document, rows = p_sig(draw), people(draw, draw.randint(20, 120))
    try:
        theirs = blocklib_oracle.candidate_blocks(rows, document, COLUMNS)
    except (ValueError, IndexError) as error:
        expected: type[Exception] = hushlink_encoder.InvalidRecords if isinstance(error, IndexError) else Exception
        with pytest.raises(expected):
            made(document, rows, "compat", 50)
        return
    ours = made(document, rows, "compat", draw.choice([1, 7, 1000]))
    assert ours.by_key() == theirs.blocks
    statistics = blocking.Statistics.of(ours)
    assert statistics.coverage == theirs.stats["coverage"]
    assert statistics.block_count == theirs.stats["num_of_blocks"]
    assert statistics.least_size == theirs.stats["min_size"]
    assert statistics.most_size == theirs.stats["max_size"]
    assert statistics.mean_size == pytest.approx(theirs.stats["avg_size"])
    assert int(statistics.median_size) == theirs.stats["med_size"]
    bloom = document["config"]["blocking-filter"]
    if bloom["bf-len"] >= 1024 and bloom["number-hash-functions"] >= 5:  # where no two signatures share a key
        keyed = made(document, rows, "keyed", 50).by_key()
        assert partition(keyed) == partition(theirs.blocks)
        assert not set(keyed) & set(theirs.blocks)


@pytest.mark.parametrize("seed", range(80))
def test_lambda_fold_of_records(seed: int) -> None:
    draw = random.Random(1000 + seed)
    document, rows = lambda_fold(draw), people(draw, draw.randint(1, 60))
    theirs = blocklib_oracle.candidate_blocks(rows, document, COLUMNS)
    assert made(document, rows, "compat", draw.choice([1, 7, 1000])).by_key() == theirs.blocks
    keyed = made(document, rows, "keyed", 9).by_key()
    assert sorted(keyed.values()) == sorted(theirs.blocks.values())
    assert not set(keyed) & set(theirs.blocks)


@pytest.mark.parametrize("seed", range(30))
def test_lambda_fold_of_encodings(seed: int) -> None:
    draw = random.Random(2000 + seed)
    document = lambda_fold(draw, clks=True)
    width = draw.choice([16, 33, 128])
    encodings = np.frombuffer(draw.randbytes(40 * width), np.uint8).reshape(40, width)[draw.choices(range(40), k=60)]
    texts = [base64.b64encode(row.tobytes()).decode() for row in encodings]
    theirs = blocklib_oracle.candidate_blocks(texts, document, ["clk"])
    blocker = blocking.encodings_blocker(blocking.parse(document, (), "compat"))
    blocker.add_encodings(encodings[:23])
    blocker.add_encodings(encodings[23:])
    assert blocker.finish().by_key() == theirs.blocks


def test_an_empty_part_and_a_missing_one_make_one_signature() -> None:
    document = p_sig(random.Random(0))
    document["config"] |= {
        "null-sentinel": "NA",
        "filter": {"type": "count", "min": 1, "max": 9},
        "signatureSpecs": [[{"type": "characters-at", "feature": 1, "config": {"pos": [":-3"]}}]],
    }
    rows = [("0", "", "", "", ""), ("1", "ab", "", "", ""), ("2", "abcd", "", "", "")]
    theirs = blocklib_oracle.candidate_blocks(rows, document, COLUMNS)
    assert sorted(made(document, rows, "compat", 9).by_key().values()) == sorted(theirs.blocks.values())


def test_final_blocks_are_the_keys_that_both_parties_have() -> None:
    """What blocklib leaves when it has seen both parties: so equality of keys is all that a linkage unit needs."""
    draw = random.Random(7)
    document = p_sig(draw)
    document["config"] |= {"filter": {"type": "count", "min": 1, "max": 1000}}
    document["config"]["blocking-filter"]["bf-len"] = 2048
    everybody = people(draw, 200)
    left, right = everybody[:140], everybody[60:]
    results = [blocklib_oracle.candidate_blocks(rows, document, COLUMNS) for rows in (left, right)]
    ours = [made(document, rows, "compat", 50).by_key() for rows in (left, right)]
    shared = ours[0].keys() & ours[1].keys()
    final = blocklib_oracle.loaded().generate_blocks(results, K=2)
    assert final == [{key: blocks[key] for key in blocks if key in shared} for blocks in ours]
    assert shared
