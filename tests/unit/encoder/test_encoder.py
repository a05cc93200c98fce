"""The encoder's promises: shape, order, determinism, independence of batches and of caches."""

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hushlink_encoder
from hushlink_domain import schema
from hushlink_encoder import bloom, cells, columns, engine, tokens

SECRET = b"a secret of the tests"


def feature(identifier: str, **hashing: Any) -> dict[str, Any]:
    return {
        "identifier": identifier,
        "format": {"type": "string"},
        "hashing": {"comparison": {"type": "ngram", "n": 2}, "strategy": {"bitsPerFeature": 20}, **hashing},
    }


def document(*features: dict[str, Any], l: int = 128, **clk: Any) -> dict[str, Any]:  # noqa: E741
    return {"version": 3, "clkConfig": {"l": l, "kdf": {"type": "HKDF"}, **clk}, "features": list(features)}


TWO = document(feature("one"), feature("two"))
WORDS = st.text(alphabet="abc é", max_size=6)
ROWS = st.lists(st.tuples(WORDS, WORDS), max_size=12)


def test_shape_and_type() -> None:
    encodings = hushlink_encoder.Encoder(TWO, SECRET).encode([["a", "b"], ["", ""]])
    assert encodings.dtype == np.uint8 and encodings.shape == (2, 16) and encodings.flags.c_contiguous
    assert encodings[0].any() and not encodings[1].any()
    assert hushlink_encoder.Encoder(TWO, SECRET).encode([]).shape == (0, 16)


@given(rows=ROWS, cut=st.integers(0, 12))
def test_batches_do_not_matter(rows: list[tuple[str, str]], cut: int) -> None:
    warm = hushlink_encoder.Encoder(TWO, SECRET)
    whole = warm.encode(rows)
    again = np.concatenate([warm.encode(rows[:cut]), warm.encode(rows[cut:])])
    by_column = warm.encode_columns([[row[0] for row in rows], [row[1] for row in rows]])
    alone = [hushlink_encoder.Encoder(TWO, SECRET).encode([row])[0] for row in rows]
    assert (whole == again).all() and (whole == by_column).all()
    assert all((one == row).all() for one, row in zip(alone, whole, strict=True))


def test_many_rows_and_full_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"first {index % 700}", f"second {index % 33}") for index in range(3000)]
    expected = hushlink_encoder.Encoder(TWO, SECRET).encode(rows)
    monkeypatch.setattr(columns, "TOKEN_ENTRIES", 7)
    monkeypatch.setattr(cells, "CELL_ENTRIES", 7)
    monkeypatch.setattr(engine, "STEP_ROWS", 64)
    small = hushlink_encoder.Encoder(TWO, SECRET)
    assert (small.encode(rows) == expected).all()
    assert (small.encode(rows) == expected).all()


def test_a_closed_encoder_is_over() -> None:
    with hushlink_encoder.Encoder(TWO, SECRET) as encoder:
        encoder.encode([["a", "b"]])
    with pytest.raises(ValueError, match="closed"):
        encoder.encode([["a", "b"]])


@given(row=st.tuples(WORDS, WORDS))
def test_a_record_is_the_union_of_its_columns(row: tuple[str, str]) -> None:
    encoder = hushlink_encoder.Encoder(TWO, SECRET)
    both, first, second = encoder.encode([row, (row[0], ""), ("", row[1])])
    assert (both == (first | second)).all()


def test_what_the_bits_depend_on() -> None:
    rows = [["anna", "lee"]]
    plain = hushlink_encoder.Encoder(TWO, SECRET).encode(rows)
    for other in (
        hushlink_encoder.Encoder(TWO, SECRET + b"!").encode(rows),
        hushlink_encoder.Encoder(TWO, SECRET).encode([["lee", "anna"]]),
        hushlink_encoder.Encoder(document(feature("x"), feature("one"), feature("two")), SECRET).encode(
            [["", "anna", "lee"]]
        ),
        hushlink_encoder.Encoder(document(feature("one", hash={"type": "doubleHash"}), feature("two")), SECRET).encode(
            rows
        ),
    ):
        assert (other != plain).any()
    renamed = document(feature("other"), feature("names"))
    assert (hushlink_encoder.Encoder(renamed, hushlink_encoder.Secret(SECRET)).encode(rows) == plain).all()


def test_schemas_already_parsed() -> None:
    parsed = schema.parse(TWO)
    assert hushlink_encoder.Encoder(parsed, SECRET).schema is parsed
    assert hushlink_encoder.Encoder(parsed, SECRET, mode="compat").schema is parsed
    with pytest.raises(ValueError, match="strict"):
        hushlink_encoder.Encoder(parsed, SECRET, mode="strict")


def test_the_engine_needs_no_network_library() -> None:
    check = "import sys, hushlink_encoder; sys.exit(bool({'grpc', 'google.protobuf', 'hushlink'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_parameters_go_by_the_promised_names() -> None:
    encoder = hushlink_encoder.Encoder(schema=TWO, secret=SECRET, mode=None)
    assert (encoder.encode(rows=[["a", "b"]]) == hushlink_encoder.Encoder(TWO, SECRET).encode([["a", "b"]])).all()


def test_an_invalid_schema_is_refused() -> None:
    with pytest.raises(schema.InvalidSchema, match="clkConfig"):
        hushlink_encoder.Encoder({"version": 3, "features": []}, SECRET)


@pytest.mark.parametrize("cells", [[["a"]], [["a"], ["b", "c"]], [["a"], ["b"], ["c"]]])
def test_columns_that_do_not_fit(cells: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="column"):
        hushlink_encoder.Encoder(TWO, SECRET).encode_columns(cells)


@pytest.mark.parametrize(
    ("comparison", "value", "expected"),
    [
        (schema.NumericComparison(8, 2), "25", "88 96 104 112 120"),
        (schema.NumericComparison(8, 2), "-25", "-112 -104 -96 -88 -80"),
        (schema.NumericComparison(2.5, 1), "1", "0 2 4"),
        (schema.NumericComparison(3.5, 1), "1", "0 4 8"),
        (schema.NumericComparison(8, 1), "2.9", "0 8 16"),  # cut to 2; 4 lies halfway and goes up
        (schema.NumericComparison(8, 1), "1.9", "-8 0 8"),  # cut to 1
        (schema.NumericComparison(0.5, 1, 1), "2.25", "40 45 50"),
        (schema.NumericComparison(8, 1), "", ""),
    ],
)
def test_numeric_tokens(comparison: schema.NumericComparison, value: str, expected: str) -> None:
    cut = tokens.numeric(comparison)(value)
    assert isinstance(cut, tuple)
    assert " ".join(cut) == expected


@given(
    left=st.integers(-(10**6), 10**6),
    distance=st.integers(0, 2000),
    resolution=st.integers(1, 20),
    threshold=st.integers(1, 500),
)
def test_numeric_tokens_are_shared_by_neighbours_only(
    left: int, distance: int, resolution: int, threshold: int
) -> None:
    cut = tokens.numeric(schema.NumericComparison(threshold, resolution))
    shared = set(cut(str(left))) & set(cut(str(left + distance)))  # type: ignore[arg-type]
    if distance > threshold * (1 + 1 / resolution):
        assert not shared
    if distance == 0:
        assert len(shared) == 2 * resolution + 1


@given(width=st.integers(1, 40), folds=st.integers(0, 3), data=st.data())
def test_folding_is_repeated_halving(width: int, folds: int, data: st.DataObject) -> None:
    length = width << folds
    bits = np.array(data.draw(st.lists(st.integers(0, 1), min_size=length, max_size=length)), dtype=np.uint8)
    expected = bits
    for _ in range(folds):
        half = len(expected) // 2
        expected = expected[:half] ^ expected[half:]
    folded = bloom.fold(np.packbits(bits[None, :], axis=1), width, folds)
    assert (folded == np.packbits(expected)[None, :]).all()


def test_bits_of_tokens_that_repeat() -> None:
    """Duplicates take their share of the bits, so that the order of tokens decides."""
    repeated = document(feature("x", comparison={"type": "ngram", "n": 1}, strategy={"bitsPerFeature": 3}))
    encoder = hushlink_encoder.Encoder(repeated, SECRET)
    first, second, third = np.unpackbits(encoder.encode([["aab"], ["aba"], ["ab"]]), axis=1).sum(axis=1)
    assert first <= 2 and second <= 2 and third <= 3


def test_a_secret_shows_nothing() -> None:
    secret = hushlink_encoder.Secret(b"canary-7Qx")
    encoder = hushlink_encoder.Encoder(TWO, secret)
    assert "canary" not in f"{secret} {secret!r} {vars(encoder)!r}"
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(secret)
