"""Cells that cannot be encoded: kind, row and column are named, the value never."""

import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hushlink_encoder
from hushlink_encoder import Kind, faults

SECRET = b"a secret of the tests"
CANARY = "canary-7Qx"


def column(form: dict[str, Any], identifier: str = "field", **hashing: Any) -> dict[str, Any]:
    return {
        "identifier": identifier,
        "format": form,
        "hashing": {"comparison": {"type": "ngram", "n": 2}, "strategy": {"bitsPerToken": 3}, **hashing},
    }


def encoder(*columns: dict[str, Any], mode: Any = None, **clk: Any) -> hushlink_encoder.Encoder:
    document = {"version": 3, "clkConfig": {"l": 64, "kdf": {"type": "HKDF"}, **clk}, "features": list(columns)}
    return hushlink_encoder.Encoder(document, SECRET, mode=mode)


def kind_of(form: dict[str, Any], cell: Any, **hashing: Any) -> Kind | None:
    try:
        encoder(column(form, **hashing)).encode([[cell]])
    except hushlink_encoder.InvalidRecords as refused:
        [fault] = refused.faults
        assert (fault.row, fault.column) == (0, "field")
        return fault.kind
    return None


TEXT = {"type": "string"}
DATE = {"type": "date", "format": "%d/%m/%Y"}
NUMERIC = {"comparison": {"type": "numeric", "thresholdDistance": 2, "resolution": 1, "fractional_precision": 1}}


@pytest.mark.parametrize(
    ("form", "cell", "kind"),
    [
        (TEXT, "", None),
        (TEXT, "a\0b", None),
        (TEXT, "x" * 200_000, None),
        (TEXT, "\ud800", Kind.NOT_ENCODABLE),
        (TEXT, None, Kind.NOT_TEXT),
        (TEXT, 5, Kind.NOT_TEXT),
        (TEXT, ["a"], Kind.NOT_TEXT),
        (TEXT, b"a", Kind.NOT_TEXT),
        ({"type": "string", "encoding": "ascii"}, "é", Kind.NOT_ENCODABLE),
        ({"type": "string", "encoding": "utf-16"}, "\udfff", Kind.NOT_ENCODABLE),
        ({"type": "string", "minLength": 2}, "\U0001f600", Kind.TOO_SHORT),
        ({"type": "string", "minLength": 2}, "", Kind.TOO_SHORT),
        ({"type": "string", "maxLength": 2}, "abc", Kind.TOO_LONG),
        ({"type": "string", "maxLength": 2}, "\U0001f600b", None),
        ({"type": "string", "case": "upper"}, "ANNA-1", None),
        ({"type": "string", "case": "upper"}, "STRAßE", Kind.CASE),
        ({"type": "string", "case": "lower"}, "Anna", Kind.CASE),
        ({"type": "string", "pattern": "[a-z]+"}, "anna", None),
        ({"type": "string", "pattern": "[a-z]+"}, "anna\n", Kind.PATTERN),
        ({"type": "string", "pattern": "[a-z]+"}, "", Kind.PATTERN),
        ({"type": "integer"}, " -1_000 ", None),
        ({"type": "integer"}, "\u0661\u0662", None),
        ({"type": "integer"}, "", Kind.NOT_INTEGER),
        ({"type": "integer"}, "1.0", Kind.NOT_INTEGER),
        ({"type": "integer"}, "9" * 5000, Kind.NOT_INTEGER),
        ({"type": "integer", "minimum": 5}, "4", Kind.BELOW_MINIMUM),
        ({"type": "integer", "maximum": 5}, "6", Kind.ABOVE_MAXIMUM),
        ({"type": "integer", "minimum": 5, "maximum": 5}, "5", None),
        (DATE, "29/02/2000", None),
        (DATE, "29/02/1900", Kind.NOT_DATE),
        (DATE, "1/1/0000", Kind.NOT_DATE),
        (DATE, "01/01/1999 ", Kind.NOT_DATE),
        (DATE, "", Kind.NOT_DATE),
        ({"type": "enum", "values": ["M", "F"]}, "M", None),
        ({"type": "enum", "values": ["M", "F"]}, "m", Kind.NOT_MEMBER),
        ({"type": "enum", "values": ["M", "F"]}, "", Kind.NOT_MEMBER),
    ],
)
def test_kinds(form: dict[str, Any], cell: Any, kind: Kind | None) -> None:
    assert kind_of(form, cell) is kind


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("12.5", None),
        ("", None),
        (" 1e3 ", None),
        ("nan", Kind.NOT_NUMBER),
        ("inf", Kind.NOT_NUMBER),
        ("1e400", Kind.NOT_NUMBER),
        ("twelve", Kind.NOT_NUMBER),
        ("9" * 4300, Kind.NOT_NUMBER),
    ],
)
def test_numbers_in_text_columns(cell: str, kind: Kind | None) -> None:
    assert kind_of(TEXT, cell, **NUMERIC) is kind


def test_faults_are_collected_by_row_and_column() -> None:
    subject = encoder(
        column({"type": "integer"}, "age"), {"identifier": "id", "ignored": True}, column({"type": "integer"}, "zip")
    )
    rows = [["1", "x", "1"], ["x", "y", "x"], ["2", "\ud800", "2"], ["3", "z", "?"]]
    with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
        subject.encode(rows, first_row=100, source="people")
    assert [(fault.row, fault.column) for fault in caught.value.faults] == [(101, "age"), (101, "zip"), (103, "zip")]
    assert "people" in str(caught.value) and "data row 103" in str(caught.value)
    assert caught.value.facts == {"count": "3", "kind": "NOT_INTEGER", "row": "101", "column": "age"}


def test_collecting_ends() -> None:
    with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
        encoder(column({"type": "integer"})).encode([["x"]] * 50_000)
    assert len(caught.value.faults) == faults.COLLECTED_FAULTS
    assert "perhaps more" in str(caught.value)


@pytest.mark.parametrize("row", [[], ["a"], ["a", "b", "c"], "ab", CANARY])
def test_rows_of_the_wrong_shape(row: Any) -> None:
    subject = encoder(column(TEXT, "one"), column(TEXT, "two"))
    with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
        subject.encode([["a", "b"], row])
    [fault] = caught.value.faults
    assert (fault.kind, fault.row, fault.column) == (Kind.WRONG_CELL_COUNT, 1, None)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "form",
    [
        {"type": "string", "encoding": "ascii"},
        {"type": "string", "maxLength": 3},
        {"type": "string", "case": "upper"},
        {"type": "string", "pattern": "x"},
        {"type": "integer"},
        DATE,
        {"type": "enum", "values": ["M"]},
    ],
)
def test_no_error_shows_a_value(form: dict[str, Any]) -> None:
    cell = f"é{CANARY}"
    with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
        encoder(column(form)).encode([[cell]])
    error = caught.value
    everything = "".join(traceback.format_exception(error)) + repr(error) + repr(error.faults) + repr(error.facts)
    assert CANARY not in everything
    assert error.__context__ is None and error.__cause__ is None


def test_ignored_columns_are_never_looked_at() -> None:
    subject = encoder({"identifier": "id", "ignored": True}, column(TEXT))
    rows: Any = [[None, "anna"], [["x"], "anna"], ["\ud800", "anna"]]
    encodings = subject.encode(rows)
    assert (encodings == encodings[0]).all() and encodings.any()


def test_missing_values() -> None:
    form = {"type": "integer", "minimum": 5}
    replaced = encoder(column(form, missingValue={"sentinel": "NA", "replaceWith": "none"}))
    kept = encoder(column(form, missingValue={"sentinel": "NA"}))
    empty = encoder(column(form, missingValue={"sentinel": ""}))
    assert (replaced.encode([["NA"]]) == encoder(column(TEXT)).encode([["none"]])).all()
    assert (kept.encode([["NA"]]) == encoder(column(TEXT)).encode([["NA"]])).all()
    assert not empty.encode([[""]]).any()
    with pytest.raises(hushlink_encoder.InvalidRecords):
        replaced.encode([["NA "]])


def test_years_before_1000() -> None:
    early = [["12/1/0123"]]
    form = column(DATE, comparison={"type": "exact"})
    text = column(TEXT, comparison={"type": "exact"})
    assert (encoder(form).encode(early) == encoder(text).encode([["1230112"]])).all()
    assert (encoder(form, mode="strict").encode(early) == encoder(text).encode([["01230112"]])).all()


def test_strict_strips_cells_and_compat_does_not() -> None:
    padded, plain = [[" anna\t"]], [["anna"]]
    strict, compat = encoder(column(TEXT), mode="strict"), encoder(column(TEXT))
    assert (strict.encode(padded) == compat.encode(plain)).all()
    assert (compat.encode(padded) != compat.encode(plain)).any()


@given(cell=st.text(alphabet=st.characters(), max_size=30))
def test_any_text_is_encoded_or_refused(cell: str) -> None:
    for form in (TEXT, {"type": "integer"}, DATE, {"type": "string", "encoding": "utf-32"}):
        kind_of(form, cell)
