"""Blocks: what keys depend on, what statistics say, what is refused, and how they are kept."""

from __future__ import annotations

import copy
import hashlib
import hmac
import io
import itertools
import json
import pathlib
import random
import re
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives import ciphers
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

import hushlink_encoder
from hushlink_domain import errors
from hushlink_encoder import blocking, people
from hushlink_encoder.blocking import filters, lambda_fold

COLUMNS = ("given", "surname", "born")
SECRET = hushlink_encoder.Secret(b"a secret of the tests")
OTHER = hushlink_encoder.Secret(b"another of the tests!")
P_SIG: dict[str, Any] = {
    "type": "p-sig",
    "version": 1,
    "config": {
        "blocking-features": ["surname"],
        "filter": {"type": "count", "min": 1, "max": 1000},
        "blocking-filter": {"type": "bloom filter", "number-hash-functions": 10, "bf-len": 2048},
        "signatureSpecs": [
            [{"type": "feature-value", "feature": "surname"}],
            [
                {"type": "characters-at", "feature": "given", "config": {"pos": [0]}},
                {"type": "feature-value", "feature": "born"},
            ],
        ],
    },
}
LAMBDA_FOLD: dict[str, Any] = {
    "type": "lambda-fold",
    "version": 1,
    "config": {
        **{"blocking-features": ["given", "surname"], "Lambda": 5, "bf-len": 256, "num-hash-funcs": 4, "K": 20},
        **{"input-clks": False, "random_state": 0},
    },
}
DOCUMENTS = {"p-sig": P_SIG, "lambda-fold": LAMBDA_FOLD}

cells = st.text(st.sampled_from("ab_ é"), max_size=3)
records = st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=25)


def blocked(
    document: dict[str, Any], rows: list[tuple[str, str, str]], secret: hushlink_encoder.Secret = SECRET
) -> blocking.Blocks:
    blocker = blocking.blocker(blocking.parse(document, COLUMNS), secret)
    blocker.add(list(zip(*rows, strict=True)))
    return blocker.finish()


def somebody(count: int) -> list[tuple[str, str, str]]:
    draw = random.Random(count)
    return [(draw.choice("abcdefg") * 3, draw.choice("hijklmn") * 4, str(draw.randint(1, 40))) for _ in range(count)]


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_keys_are_of_secret_and_configuration(kind: str) -> None:
    document, rows = DOCUMENTS[kind], somebody(200)
    first, again, other = (blocked(document, rows, secret) for secret in (SECRET, SECRET, OTHER))
    assert first.by_key() == again.by_key()
    assert not set(first.keys) & set(other.keys)
    assert sorted(first.by_key().values()) == sorted(other.by_key().values())
    assert all(len(key) == 32 and set(key) <= set("0123456789abcdef") for key in first.keys)
    assert len(set(first.keys)) == len(first.keys)
    further = copy.deepcopy(document)
    further["config"]["null-sentinel"] = "none of them"
    further["config"]["random_state"] = 1
    assert not set(first.keys) & set(blocked(further, rows).keys)
    assert "secret" not in repr(blocking.blocker(blocking.parse(document, COLUMNS), SECRET))


def hkdf(secret: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869 with SHA-256 and no salt, by the book."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    output = block = b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(extracted, block + info + bytes([counter]), "sha256")
        output += block
    return output[:length]


def test_keys_by_the_book() -> None:
    """What the data owners' guide says of them, without the code that makes them."""
    for document in (P_SIG, LAMBDA_FOLD):
        agreed = blocking.parse(document, COLUMNS)
        material = hkdf(SECRET.reveal(), b"hushlink blocking v1\0" + agreed.fingerprint(), 64)
        if document is P_SIG:
            expected = {
                hashlib.blake2b(text, key=material[:32], digest_size=16).hexdigest() for text in (b"0_li", b"1_a_x")
            }
        else:
            cipher = ciphers.Cipher(algorithms.AES(material[32:]), modes.ECB())
            bits = compat_samples([("abc", "li", "x")])
            plain = [
                number.to_bytes(4, "big") + int(sample.ljust(96, "0"), 2).to_bytes(12, "big")
                for number, sample in enumerate(bits)
            ]
            expected = {cipher.encryptor().update(block).hex() for block in plain}
        assert set(blocked(document, [("abc", "li", "x")]).keys) == expected


def compat_samples(rows: list[tuple[str, str, str]]) -> list[str]:
    """The sampled bits of each table for one record, out of the texts of unkeyed keys."""
    blocker = blocking.blocker(blocking.parse(LAMBDA_FOLD, COLUMNS, "compat"))
    blocker.add(list(zip(*rows, strict=True)))
    return [key[1:] for key in sorted(blocker.finish().keys)]


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_without_a_secret_there_are_no_keyed_blocks(kind: str) -> None:
    with pytest.raises(hushlink_encoder.InvalidSecret, match="needs the linkage secret"):
        blocking.blocker(blocking.parse(DOCUMENTS[kind], COLUMNS))
    assert blocking.blocker(blocking.parse(DOCUMENTS[kind], COLUMNS, "compat"))


@settings(max_examples=60, deadline=None)
@given(records)
def test_equal_values_are_in_equal_blocks(rows: list[tuple[str, str, str]]) -> None:
    document = copy.deepcopy(P_SIG)
    document["config"]["signatureSpecs"] = [[{"type": "feature-value", "feature": 1}]]
    document["config"]["null-sentinel"] = None
    surnames = {row[1] for row in rows}
    expected = {tuple(n for n, row in enumerate(rows) if row[1] == surname) for surname in surnames}
    assert {tuple(rows) for rows in blocked(document, rows).by_key().values()} == expected
    in_tables = [tuple(rows) for rows in blocked(LAMBDA_FOLD, rows).by_key().values()]
    for pair in itertools.combinations(range(len(rows)), 2):
        if len({rows[n][0] + rows[n][1] for n in pair}) == 1:
            assert sum(set(pair) <= set(block) for block in in_tables) == 5
    assert sum(map(len, in_tables)) == 5 * len(rows)


@settings(max_examples=60, deadline=None)
@given(records, records)
def test_statistics_are_what_counting_finds(
    left: list[tuple[str, str, str]], right: list[tuple[str, str, str]]
) -> None:
    for document in (P_SIG | {"config": P_SIG["config"] | {"null-sentinel": None}}, LAMBDA_FOLD):
        one, two = blocked(document, left), blocked(document, right)
        blocks = one.by_key()
        found = blocking.Statistics.of(one)
        pairs = sum(len(list(itertools.combinations(rows, 2))) for rows in blocks.values())
        assert found.comparisons_within == pairs
        assert found.comparisons_with_its_like == sum(len(rows) ** 2 for rows in blocks.values())
        assert found.covered_rows == len({row for rows in blocks.values() for row in rows})
        sizes = sorted(map(len, blocks.values()))
        assert (found.least_size, found.most_size, found.block_count) == (sizes[0], sizes[-1], len(sizes))
        assert found.median_size == np.median(sizes)
        assert found.mean_size == pytest.approx(sum(sizes) / len(sizes))
        everything = len(left) * (len(left) - 1) / 2
        assert found.reduction_within == pytest.approx(1 - pairs / everything if everything else 0)
        others = two.by_key()
        expected = sum(len(blocks[key]) * len(others[key]) for key in blocks.keys() & others.keys())
        assert blocking.comparisons_between(one, two) == expected


def test_blocks_of_other_configurations_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different configurations"):
        blocking.comparisons_between(blocked(P_SIG, somebody(9)), blocked(LAMBDA_FOLD, somebody(9)))


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_file_holds_what_was_written(kind: str) -> None:
    made = blocked(DOCUMENTS[kind], [*somebody(300), ("", "", "")])
    stream = io.BytesIO()
    digest = blocking.write(stream, made)
    stream.seek(0)
    found = blocking.read(stream, "kept")
    assert found.by_key() == made.by_key()
    assert (found.kind, found.mode, found.fingerprint, found.row_count) == (
        *(made.kind, made.mode, made.fingerprint),
        made.row_count,
    )
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[0]["format"] == "hushlink blocks" and lines[0]["version"] == 1
    assert lines[-1] == {"sha256": digest}
    keys = {line["block"]: line["key"] for line in lines if "key" in line}
    assert list(keys.values()) == sorted(made.keys)
    named = [line["row"] for line in lines if "row" in line]
    assert named == sorted({row for rows in made.by_key().values() for row in rows})


def test_a_file_that_is_cut_or_changed_is_refused() -> None:
    stream = io.BytesIO()
    blocking.write(stream, blocked(P_SIG, somebody(40)))
    whole = stream.getvalue()
    for size in range(0, len(whole), 37):
        with pytest.raises(blocking.DamagedBlocks, match="kept"):
            blocking.read(io.BytesIO(whole[:size]), "kept")
    draw = random.Random(3)
    for _ in range(300):
        place = draw.randrange(len(whole))
        changed = whole[:place] + bytes([whole[place] ^ 1 << draw.randrange(7)]) + whole[place + 1 :]
        with pytest.raises(blocking.DamagedBlocks):
            blocking.read(io.BytesIO(changed), "kept")
    with pytest.raises(blocking.DamagedBlocks):
        blocking.read(io.BytesIO(whole + b"\n"), "kept")


def changed(path: str, value: object, document: dict[str, Any] = P_SIG) -> dict[str, Any]:
    """A document with another value at a place such as "config.filter.min"; None takes it away."""
    copied: Any = copy.deepcopy(document)
    *way, last = path.split(".")
    at = copied
    for step in way:
        at = at[int(step) if step.isdigit() else step]
    if value is None:
        del at[last]
    else:
        at[int(last) if last.isdigit() else last] = value
    return copied


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], "$"),
        (changed("type", "q-sig"), "$.type"),
        (changed("version", "1"), "$.version"),
        (changed("config", None), "$"),
        (changed("config", 3), "$.config"),
        (changed("config.filter", None), "$.config"),
        (changed("config.filter.type", "size"), "$.config.filter.type"),
        (changed("config.filter.min", -1), "$.config.filter.min"),
        (changed("config.filter.min", 2000), "$.config.filter"),
        (changed("config.filter", {"type": "ratio", "max": 1.5}), "$.config.filter.max"),
        (changed("config.filter", {"type": "ratio", "max": True}), "$.config.filter.max"),
        (changed("config.blocking-filter.bf-len", 0), '$.config["blocking-filter"]["bf-len"]'),
        (changed("config.blocking-filter.bf-len", 1 << 40), '$.config["blocking-filter"]["bf-len"]'),
        (changed("config.blocking-features", ["none"]), '$.config["blocking-features"][0]'),
        (changed("config.blocking-features", ["born", 1]), '$.config["blocking-features"]'),
        (changed("config.blocking-features", []), '$.config["blocking-features"]'),
        (changed("config.null-sentinel", 7), '$.config["null-sentinel"]'),
        (changed("config.record-id-col", 3), '$.config["record-id-col"]'),
        (changed("config.signatureSpecs", []), "$.config.signatureSpecs"),
        (changed("config.signatureSpecs.0", []), "$.config.signatureSpecs[0]"),
        (changed("config.signatureSpecs.0.0", "x"), "$.config.signatureSpecs[0][0]"),
        (changed("config.signatureSpecs.0.0.feature", 3), "$.config.signatureSpecs[0][0].feature"),
        (changed("config.signatureSpecs.0.0.feature", 1.5), "$.config.signatureSpecs[0][0].feature"),
        (changed("config.signatureSpecs.0.0.type", "soundex"), "$.config.signatureSpecs[0][0].type"),
        (changed("config.signatureSpecs.1.0.config", None), "$.config.signatureSpecs[1][0]"),
        (changed("config.signatureSpecs.1.0.config.pos", [":"]), "$.config.signatureSpecs[1][0].config.pos[0]"),
        (changed("config.signatureSpecs.1.0.config.pos", [0, "4:2"]), "$.config.signatureSpecs[1][0].config.pos[1]"),
        (changed("config.signatureSpecs.1.0.config.pos", [-1]), "$.config.signatureSpecs[1][0].config.pos[0]"),
        (changed("config.signatureSpecs.1.0.config.pos", ["x"]), "$.config.signatureSpecs[1][0].config.pos[0]"),
        (changed("config.K", 300, LAMBDA_FOLD), "$.config.K"),
        (changed("config.Lambda", 0, LAMBDA_FOLD), "$.config.Lambda"),
        (changed("config.input-clks", None, LAMBDA_FOLD), "$.config"),
        (
            changed("config", LAMBDA_FOLD["config"] | {"K": 60_000, "Lambda": 4000, "bf-len": 65_536}, LAMBDA_FOLD),
            "$.config",
        ),
        (changed("config.random_state", "0", LAMBDA_FOLD), "$.config.random_state"),
        (P_SIG | {"hushlink": {"mode": "open"}}, "$.hushlink.mode"),
        (P_SIG | {"hushlink": {"modus": "keyed"}}, "$.hushlink.modus"),
    ],
)
def test_a_faulty_configuration_is_refused_by_place(document: object, place: str) -> None:
    with pytest.raises(blocking.InvalidBlocking) as caught:
        blocking.parse(document, COLUMNS)
    assert place in [fault.path for fault in caught.value.faults]
    assert caught.value.reason is errors.Reason.SCHEMA_INVALID


def test_every_fault_is_told_at_once() -> None:
    document = changed("config.filter.min", -1)
    document["config"]["signatureSpecs"][0][0]["feature"] = "nobody"
    document["config"]["blocking-filter"]["bf-len"] = "long"
    with pytest.raises(blocking.InvalidBlocking) as caught:
        blocking.parse(document, COLUMNS)
    assert len(caught.value.faults) == 3
    assert "3 faults" in str(caught.value) and "nobody" in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff{}", b'{"version": NaN}', b"[" * 100_000, b"null", b'"x"'])
def test_what_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(blocking.InvalidBlocking) as caught:
        blocking.parse_json(text, COLUMNS)
    assert caught.value.faults[0].path == "$"


def test_fingerprints_are_of_what_is_meant() -> None:
    by_number = changed("config.signatureSpecs.0.0.feature", 1)
    by_number["config"]["blocking-features"] = [1]
    by_number["remark"] = "ignored"
    agreed = blocking.parse(P_SIG, COLUMNS)
    assert agreed.fingerprint() == blocking.parse(by_number, COLUMNS).fingerprint()
    others = [
        blocking.parse(P_SIG, COLUMNS, "compat"),
        blocking.parse(changed("config.filter.max", 999), COLUMNS),
        blocking.parse(changed("config.signatureSpecs.0.0.feature", "given"), COLUMNS),
        blocking.parse(LAMBDA_FOLD, COLUMNS),
    ]
    assert len({each.fingerprint() for each in (agreed, *others)}) == 5
    assert blocking.parse(P_SIG | {"hushlink": {"mode": "compat"}}, COLUMNS) == others[0]
    assert agreed.fingerprint().hex() == "fe5b806aed9bbccf84894ef223acad1aa5917c1daa10c9fe8ef9b93c0f0960af"


def test_a_cell_too_short_is_told_by_row_and_never_shown() -> None:
    document = changed("config.signatureSpecs.1.0.config.pos", ["-3"])
    with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
        blocked(document, [("abc", "x", "1"), ("zq", "y", "2"), ("", "y", "2")])
    assert [(fault.row, fault.column) for fault in caught.value.faults] == [(1, "given")]
    assert "zq" not in str(caught.value)


def test_where_nothing_is_left_that_is_said() -> None:
    with pytest.raises(errors.CallerError, match="leaves no block"):
        blocked(changed("config.filter.min", 500), somebody(20))
    with pytest.raises(errors.CallerError, match="no record"):
        blocking.blocker(blocking.parse(LAMBDA_FOLD, COLUMNS), SECRET).finish()


def test_encodings_and_records_are_not_mistaken_for_one_another() -> None:
    of_records = blocking.parse(LAMBDA_FOLD, COLUMNS)
    of_encodings = blocking.parse(changed("config.input-clks", True, LAMBDA_FOLD), ())
    rows = np.zeros((2, 2), np.uint8)
    with pytest.raises(ValueError, match="records, not encodings"):
        blocking.encodings_blocker(of_records, SECRET).add_encodings(rows)
    with pytest.raises(ValueError, match="encodings, not records"):
        blocking.blocker(of_encodings, SECRET).add([["a"], ["b"], ["c"]])
    with pytest.raises(errors.CallerError, match="samples 20 of 16 bits"):
        blocking.encodings_blocker(of_encodings, SECRET).add_encodings(rows)
    with pytest.raises(ValueError, match="p-sig"):
        blocking.encodings_blocker(blocking.parse(P_SIG, COLUMNS), SECRET)


def test_blocking_by_sound_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "metaphone", None)
    document = changed("config.signatureSpecs.0.0.type", "metaphone")
    with pytest.raises(errors.CallerError, match=r"hushlink-encoder\[phonetic\]"):
        blocking.blocker(blocking.parse(document, COLUMNS), SECRET)


def test_steps_and_what_is_remembered_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = somebody(300)
    whole = blocked(LAMBDA_FOLD, rows).by_key()
    for name, size in (("_STEP_BYTES", 2000), ("_KNOWN_BYTES", 700)):
        monkeypatch.setattr(filters, name, size)
    monkeypatch.setattr(lambda_fold, "_STEP_BYTES", 1000)
    assert blocked(LAMBDA_FOLD, rows).by_key() == whole


def test_the_guides_example_is_sound() -> None:
    guide = (pathlib.Path(__file__).parents[3] / "docs" / "data-owners.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    agreed = blocking.parse_json(example, people.COLUMNS)
    assert agreed.mode is blocking.Mode.KEYED
    assert isinstance(agreed.method, blocking.PSig) and len(agreed.method.strategies) == 2
