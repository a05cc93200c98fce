"""Linkage schemas: what is read, what is refused and where, what identifies a schema."""

import copy
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hushlink_domain import errors, schema

CANARY = "canary-7Qx"


def text_column(identifier: str = "name", **hashing: Any) -> dict[str, Any]:
    return {
        "identifier": identifier,
        "format": {"type": "string"},
        "hashing": {
            "comparison": {"type": "ngram", "n": 2},
            "strategy": {"bitsPerToken": 3},
            **hashing,
        },
    }


def document(*columns: dict[str, Any], **clk: Any) -> dict[str, Any]:
    return {
        "version": 3,
        "clkConfig": {"l": 64, "kdf": {"type": "HKDF"}, **clk},
        "features": list(columns) or [text_column()],
    }


def faults(bad: object, mode: str | None = None) -> dict[str, str]:
    with pytest.raises(schema.InvalidSchema) as caught:
        schema.parse(bad, mode)
    assert caught.value.faults
    assert all(fault.remedy and fault.problem for fault in caught.value.faults)
    return {fault.path: fault.problem for fault in caught.value.faults}


def with_member(path: str, value: object) -> dict[str, Any]:
    """A sound document with one member replaced; the path counts from `features[0]` or the top."""
    whole = document()
    place: Any = whole if path.startswith("clkConfig") else whole["features"][0]
    *parents, last = path.split(".")
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = value
    return whole


def test_defaults_are_filled_in() -> None:
    read = schema.parse(document())
    assert read == schema.LinkageSchema(
        width_bits=64,
        columns=(
            schema.Feature(
                "name",
                schema.StringFormat(),
                schema.NgramComparison(2),
                schema.BitsPerToken(3),
            ),
        ),
        kdf=schema.KeyDerivation(schema.KdfHash.SHA256, b"", b"", 64),
    )
    assert (read.width_bytes, read.working_bits, read.identifiers) == (8, 64, ("name",))
    assert read.mode is schema.Mode.COMPAT


def test_every_construct_of_version_3() -> None:
    exact = {"comparison": {"type": "exact"}, "strategy": {"bitsPerFeature": 9}}
    read = schema.parse(
        document(
            {"identifier": "a", "ignored": True, "description": "row number"},
            {
                "identifier": "b",
                "format": {"type": "string", "encoding": "utf-16", "pattern": "[a-z]+"},
                "hashing": {
                    **exact,
                    "hash": {"type": "doubleHash", "prevent_singularity": True},
                    "missingValue": {"sentinel": "NA", "replaceWith": "none"},
                },
            },
            {
                "identifier": "c",
                "format": {"type": "integer", "minimum": -5, "maximum": 5.0},
                "hashing": {
                    **exact,
                    "comparison": {
                        "type": "numeric",
                        "thresholdDistance": 2.5,
                        "resolution": 4,
                        "fractional_precision": 1,
                    },
                },
            },
            {"identifier": "d", "format": {"type": "date", "format": "%d/%m/%Y"}, "hashing": exact},
            {
                "identifier": "e",
                "format": {"type": "enum", "values": ["M", "F"]},
                "hashing": {**exact, "comparison": {"type": "ngram", "n": 1, "positional": True}},
            },
            {**text_column("f"), "ignored": True},
            xor_folds=2,
            kdf={
                "type": "HKDF",
                "hash": "SHA512",
                "salt": "c2FsdA==",
                "info": "aW5mbw==",
                "keySize": 20,
            },
        )
    )
    assert read.kdf == schema.KeyDerivation(schema.KdfHash.SHA512, b"salt", b"info", 20)
    assert read.working_bits == 256
    a, b, c, d, e, f = read.columns
    assert isinstance(a, schema.IgnoredColumn) and isinstance(f, schema.IgnoredColumn)
    assert isinstance(b, schema.Feature) and b.encoding is schema.TextEncoding.UTF_16
    assert b.format == schema.PatternFormat("[a-z]+", schema.TextEncoding.UTF_16)
    assert b.hash == schema.DoubleHash(prevent_singularity=True)
    assert b.missing_value == schema.MissingValue("NA", "none")
    assert isinstance(c, schema.Feature) and c.format == schema.IntegerFormat(-5, 5)
    assert isinstance(c.comparison, schema.NumericComparison) and c.comparison.step == 25
    assert isinstance(d, schema.Feature) and d.format == schema.DateFormat("%d/%m/%Y")
    assert isinstance(e, schema.Feature) and e.format == schema.EnumFormat(("M", "F"))
    assert [position for position, _ in read.features()] == [1, 2, 3, 4]
    assert schema.parse_json(read.canonical_json()) == read


@pytest.mark.parametrize(
    ("path", "value", "fault_path"),
    [
        ("clkConfig.l", 0, "$.clkConfig.l"),
        ("clkConfig.l", True, "$.clkConfig.l"),
        ("clkConfig.l", "64", "$.clkConfig.l"),
        ("clkConfig.l", 1 << 40, "$.clkConfig.l"),
        ("clkConfig.l", 63, "$.features[0].hashing.hash"),
        ("clkConfig.xor_folds", -1, "$.clkConfig.xor_folds"),
        ("clkConfig.xor_folds", 20, "$.clkConfig.xor_folds"),
        ("clkConfig.kdf", 1, "$.clkConfig.kdf"),
        ("clkConfig.kdf", {}, "$.clkConfig.kdf"),
        ("clkConfig.kdf.type", "PBKDF2", "$.clkConfig.kdf.type"),
        ("clkConfig.kdf.hash", "MD5", "$.clkConfig.kdf.hash"),
        ("clkConfig.kdf.salt", "abc", "$.clkConfig.kdf.salt"),
        ("clkConfig.kdf.keySize", 65, "$.features[0].hashing.hash"),
        ("clkConfig.kdf.keySize", 8160, "$.features"),
        ("identifier", 5, "$.features[0].identifier"),
        ("ignored", "yes", "$.features[0].ignored"),
        ("format", [], "$.features[0].format"),
        ("format.type", "text", "$.features[0].format.type"),
        ("format.encoding", "latin-1", "$.features[0].format.encoding"),
        ("format.case", "Upper", "$.features[0].format.case"),
        ("format.maxLength", 0, "$.features[0].format.maxLength"),
        ("format.surprise", 0, "$.features[0].format.surprise"),
        ("format", {"type": "string", "minLength": 3, "maxLength": 2}, "$.features[0].format.maxLength"),
        ("format", {"type": "string", "pattern": "("}, "$.features[0].format.pattern"),
        ("format", {"type": "string", "pattern": "a", "case": "upper"}, "$.features[0].format.case"),
        ("format", {"type": "integer", "minimum": 1.5}, "$.features[0].format.minimum"),
        ("format", {"type": "integer", "minimum": 2, "maximum": 1}, "$.features[0].format.maximum"),
        ("format", {"type": "date"}, "$.features[0].format"),
        ("format", {"type": "date", "format": "%Y-%Q"}, "$.features[0].format.format"),
        ("format", {"type": "date", "format": "%Y %Y"}, "$.features[0].format.format"),
        ("format", {"type": "enum", "values": "MF"}, "$.features[0].format.values"),
        ("format", {"type": "enum", "values": ["M", 1]}, "$.features[0].format.values[1]"),
        ("hashing.surprise", 0, "$.features[0].hashing.surprise"),
        ("hashing.comparison.type", "fuzzy", "$.features[0].hashing.comparison.type"),
        ("hashing.comparison.n", 0, "$.features[0].hashing.comparison.n"),
        ("hashing.comparison.positional", 1, "$.features[0].hashing.comparison.positional"),
        (
            "hashing.comparison",
            {"type": "numeric", "thresholdDistance": 0.4, "resolution": 1},
            "$.features[0].hashing.comparison.thresholdDistance",
        ),
        (
            "hashing.comparison",
            {"type": "numeric", "thresholdDistance": 0, "resolution": 1},
            "$.features[0].hashing.comparison.thresholdDistance",
        ),
        (
            "hashing.comparison",
            {"type": "numeric", "thresholdDistance": 1e300, "resolution": 1, "fractional_precision": 300},
            "$.features[0].hashing.comparison.thresholdDistance",
        ),
        ("hashing.strategy", {}, "$.features[0].hashing.strategy"),
        ("hashing.strategy", {"bitsPerToken": 1, "bitsPerFeature": 1}, "$.features[0].hashing.strategy"),
        ("hashing.strategy", {"k": 1}, "$.features[0].hashing.strategy.k"),
        ("hashing.strategy.bitsPerToken", 15.5, "$.features[0].hashing.strategy.bitsPerToken"),
        ("hashing.hash", {"type": "md5"}, "$.features[0].hashing.hash.type"),
        (
            "hashing.hash",
            {"type": "blakeHash", "prevent_singularity": False},
            "$.features[0].hashing.hash.prevent_singularity",
        ),
        ("hashing.missingValue", {"replaceWith": "x"}, "$.features[0].hashing.missingValue"),
        (
            "hashing.missingValue",
            {"sentinel": "NA", "replaceWith": "\ud800"},
            "$.features[0].hashing.missingValue.replaceWith",
        ),
    ],
)
def test_each_fault_is_named_at_its_place(path: str, value: object, fault_path: str) -> None:
    schema.parse(document())
    assert fault_path in faults(with_member(path, value))


def test_one_bit_has_no_second_stride() -> None:
    double = text_column(hash={"type": "doubleHash", "prevent_singularity": True})
    assert "$.features[0].hashing.hash" in faults(document(double, l=1))
    schema.parse(document(double, l=1, xor_folds=1))


def test_all_faults_come_together_and_only_once() -> None:
    bad = document(text_column(hash=[]), {"identifier": "b", "ignored": True, "extra": 1}, l=0)
    del bad["features"][0]["hashing"]["strategy"]
    bad["clkConfig"]["kdf"]["hash"] = "SHA1"
    with pytest.raises(schema.InvalidSchema) as caught:
        schema.parse(bad)
    assert sorted(fault.path for fault in caught.value.faults) == [
        "$.clkConfig.kdf.hash",
        "$.clkConfig.l",
        "$.features[0].hashing",
        "$.features[0].hashing.hash",
        "$.features[1].extra",
    ]
    assert isinstance(caught.value, errors.CallerError)
    assert caught.value.reason is errors.Reason.SCHEMA_INVALID


@pytest.mark.parametrize("version", [0, 4, "3", None, True, 3.5])
def test_unknown_versions_are_refused(version: object) -> None:
    assert "$.version" in faults({**document(), "version": version})


@pytest.mark.parametrize("bad", [None, [], "x", 3, {}, {"version": 3}, {1: 2}])
def test_what_is_no_schema_at_all_is_refused(bad: object) -> None:
    assert faults(bad)


def test_keys_that_clkhash_ignores_are_ignored() -> None:
    noisy = document({**text_column(), "weight": 2}, xorFolds=3, unknown=1)
    noisy["note"] = "x"
    noisy["version"] = 3.0
    noisy["features"][0]["hashing"]["comparison"]["fractionalPrecision"] = 2
    assert schema.parse(noisy) == schema.parse(document())


STRICT = {"mode": "strict"}


@pytest.mark.parametrize(
    ("change", "fault_path"),
    [
        (lambda d: d["clkConfig"].update(xorFolds=1), "$.clkConfig.xorFolds"),
        (lambda d: d["clkConfig"].update(surprise=1), "$.clkConfig.surprise"),
        (lambda d: d["clkConfig"]["kdf"].update(salt="ab*cd"), "$.clkConfig.kdf.salt"),
        (lambda d: d["clkConfig"].update(l=1 << 17), "$.features[0].hashing.hash"),
        (
            lambda d: d["features"][0]["hashing"]["comparison"].update(fractionalPrecision=1),
            "$.features[0].hashing.comparison.fractionalPrecision",
        ),
        (lambda d: d["features"].append(text_column()), "$.features[1].identifier"),
        (lambda d: d.update(features=[{"identifier": "a", "ignored": True}]), "$.features"),
        (lambda d: d["hushlink"].update(speed=1), "$.hushlink.speed"),
        (lambda d: d["hushlink"].update(mode="loose"), "$.hushlink.mode"),
    ],
)
def test_strict_refuses_what_would_be_silent(change: Any, fault_path: str) -> None:
    bad = {**document(), "hushlink": dict(STRICT)}
    schema.parse(copy.deepcopy(bad))
    change(bad)
    assert fault_path in faults(bad)


def test_modes() -> None:
    double = document(text_column(hash={"type": "doubleHash"}))
    compat = schema.parse(double)
    for strict in (
        schema.parse(double, "strict"),
        schema.parse({**double, "hushlink": {}}),
        schema.parse({**double, "hushlink": STRICT}),
    ):
        assert strict.mode is schema.Mode.STRICT and strict.strip_cells
        assert next(strict.features())[1].hash == schema.DoubleHash(prevent_singularity=True)
        assert strict.fingerprint() != compat.fingerprint()
    assert not compat.strip_cells
    assert schema.parse({**double, "hushlink": STRICT}, "compat") == compat
    stripping = schema.parse({**double, "hushlink": {"mode": "compat", "stripCells": True}})
    assert stripping.strip_cells and stripping.mode is schema.Mode.COMPAT
    with pytest.raises(ValueError, match="loose"):
        schema.parse(double, "loose")


def test_cautions() -> None:
    assert schema.cautions(document()) == ()
    doubtful = document(
        text_column(missingValue={"sentinel": "NA"}, hash={"type": "doubleHash"}),
        text_column(missingValue={"sentinel": ""}),
        text_column("c", missingValue={"sentinel": "NA", "replaceWith": ""}),
        xorFolds=1,
    )
    assert sorted(caution.path for caution in schema.cautions(doubtful)) == [
        "$.clkConfig.xorFolds",
        "$.features[0].hashing.hash",
        "$.features[0].hashing.missingValue",
    ]
    doubtful = {**document(text_column(), text_column()), "hushlink": {"mode": "compat"}}
    assert [caution.path for caution in schema.cautions(doubtful)] == ["$.features[1].identifier"]
    with pytest.raises(schema.InvalidSchema):
        schema.cautions(document(l=0))


def test_fingerprint_ignores_what_has_no_meaning() -> None:
    plain = schema.parse(document())
    dressed = document(text_column(hash={"type": "blakeHash"}), xor_folds=0)
    dressed["features"][0]["description"] = "family name"
    dressed["features"][0]["format"] = {"case": "mixed", "type": "string", "minLength": 0.0}
    dressed["clkConfig"]["kdf"].update(keySize=64, hash="SHA256", salt="", info="")
    assert schema.parse(dressed).fingerprint() == plain.fingerprint()
    assert len(plain.fingerprint()) == 32


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["clkConfig"].update(l=128),
        lambda d: d["clkConfig"].update(xor_folds=1),
        lambda d: d["clkConfig"]["kdf"].update(salt="c2FsdA=="),
        lambda d: d["features"][0].update(identifier="other"),
        lambda d: d["features"][0]["hashing"]["comparison"].update(n=3),
        lambda d: d["features"][0]["hashing"].update(strategy={"bitsPerFeature": 3}),
        lambda d: d["features"][0]["hashing"].update(missingValue={"sentinel": ""}),
        lambda d: d["features"].append({"identifier": "x", "ignored": True}),
    ],
)
def test_fingerprint_tells_schemas_apart(change: Any) -> None:
    other = document()
    change(other)
    assert schema.parse(other).fingerprint() != schema.parse(document()).fingerprint()


def test_fingerprint_is_the_same_in_every_release() -> None:
    canonical = (
        b'{"clkConfig":{"kdf":{"hash":"SHA256","info":"","keySize":64,"salt":"","type":"HKDF"},"l":64,"xor_folds":0},'
        b'"features":[{"format":{"case":"mixed","encoding":"utf-8","minLength":0,"type":"string"},'
        b'"hashing":{"comparison":{"n":2,"positional":false,"type":"ngram"},"hash":{"type":"blakeHash"},'
        b'"strategy":{"bitsPerToken":3}},"identifier":"name"}],'
        b'"hushlink":{"mode":"compat","stripCells":false},"version":3}'
    )
    read = schema.parse(document())
    assert read.canonical_json() == canonical
    assert read.fingerprint() == hashlib.sha256(canonical).digest()


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe{}",
        b"{",
        f'{{"{CANARY}": '.encode(),
        f"{CANARY},1980-01-01\n".encode(),
        b'{"version": 3, "version": 3}',
        b'{"version": NaN}',
        b"[" * 100_000,
        b'"' + b"x" * (2 << 20) + b'"',
        b'{"version": ' + b"1" * 5000 + b"}",
    ],
)
def test_text_that_is_no_schema_is_one_fault_without_the_text(text: bytes) -> None:
    with pytest.raises(schema.InvalidSchema) as caught:
        schema.parse_json(text)
    assert [fault.path for fault in caught.value.faults] == ["$"]
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_byte_order_mark_is_skipped() -> None:
    text = json.dumps(document())
    assert schema.parse_json(b"\xef\xbb\xbf" + text.encode()) == schema.parse_json(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PLACES = st.sampled_from(
    [
        "clkConfig.l",
        "clkConfig.xor_folds",
        "clkConfig.kdf",
        "clkConfig.kdf.salt",
        "format",
        "format.type",
        "format.encoding",
        "format.maxLength",
        "hashing",
        "hashing.comparison",
        "hashing.comparison.n",
        "hashing.strategy",
        "hashing.hash",
        "hashing.missingValue",
    ]
)


@given(place=PLACES, value=JSON)
def test_any_value_anywhere_is_read_or_refused(place: str, value: object) -> None:
    try:
        read = schema.parse(with_member(place, value))
    except schema.InvalidSchema as refused:
        assert refused.faults
    else:
        assert schema.parse_json(read.canonical_json()) == read
