"""Columns that are read all at once: what is read is what the rules for one cell say, and no fault gets through."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hushlink_domain import schema
from hushlink_encoder import canonical, cells, texts, whole_columns


def feature(form: dict[str, Any], **hashing: Any) -> tuple[schema.LinkageSchema, schema.Feature]:
    hashing = {"comparison": {"type": "exact"}, "strategy": {"bitsPerToken": 1}, **hashing}
    column = {"identifier": "x", "format": form, "hashing": hashing}
    agreed = schema.parse({"version": 3, "clkConfig": {"l": 64, "kdf": {"type": "HKDF"}}, "features": [column]})
    [(_, found)] = agreed.features()
    return agreed, found


def values(read: texts.Texts) -> list[str]:
    text, found, at = read.points.decode(texts.CODE_POINTS), [], 0
    for length in read.lengths:
        found.append(text[at : at + length])
        at += length
    return found


FORMS: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "encoding": "ascii", "minLength": 1},
    {"type": "string", "case": "upper"},
    {"type": "string", "case": "lower", "maxLength": 4},
    {"type": "integer"},
    {"type": "integer", "minimum": 10, "maximum": 2_000_000},
    {"type": "date", "format": "%Y-%m-%d"},
    {"type": "date", "format": "%d%m%Y"},
    {"type": "date", "format": "%m/%d//%Y"},
]
ANY_CELL = st.one_of(
    st.text(st.characters(), max_size=6),
    st.sampled_from(["ΑΣ", "ας", "ß", "STRASSE", "İ", "anna", "0", "007", "-5", "12", " 12", "١٢", "9" * 19, "²"]),
    st.integers(0, 10**7).map(str),
    st.dates(datetime.date(1, 1, 1)).flatmap(
        lambda date: st.sampled_from(
            [f"{date:%Y-%m-%d}".zfill(10), f"{date:%d%m%Y}", f"{date:%m/%d//%Y}", f"{date:%Y}-{date.month}-{date.day}"]
        )
    ),
    st.sampled_from(["1999-02-29", "2000-02-29", "31042000", "0000-01-01", "2001-00-10", "2001-13-01", "2001-01-32"]),
)


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_what_is_read_at_once_is_what_each_cell_is(form: dict[str, Any]) -> None:
    agreed, found = feature(form)
    canonicalise, whole = canonical.canonicaliser(found, agreed.mode), whole_columns.reader(found)
    assert whole is not None

    @given(column=st.lists(ANY_CELL, min_size=1, max_size=4))
    def compare(column: list[str]) -> None:
        try:
            read = whole(column)
        except UnicodeEncodeError:
            read = None
        if read is not None:
            assert values(read) == [canonicalise(cell) for cell in column]

    compare()


@pytest.mark.parametrize(
    ("form", "column", "expected"),
    [
        (FORMS[0], ["", "Łukasz", "\U0001f600"], ["", "Łukasz", "\U0001f600"]),
        (FORMS[2], ["ANNA", "A-1"], ["ANNA", "A-1"]),
        (FORMS[5], ["10", "2000000"], ["10", "2000000"]),
        (FORMS[6], ["2000-02-29", "1000-12-31"], ["20000229", "10001231"]),
        (FORMS[8], ["12/31//1999"], ["19991231"]),
    ],
)
def test_columns_as_they_mostly_are_need_no_closer_look(
    form: dict[str, Any], column: list[str], expected: list[str]
) -> None:
    whole = whole_columns.reader(feature(form)[1])
    assert whole is not None
    read = whole(column)
    assert read is not None and values(read) == expected


@pytest.mark.parametrize(
    "template", ["%Y %m %d", "%y-%m-%d", "%Y-%m", "%d1%m1%Y", "%Y-%m-%d %H", "%Y-%m-%m", "%d %B %Y"]
)
def test_templates_that_are_read_cell_by_cell(template: str) -> None:
    try:
        found = feature({"type": "date", "format": template})[1]
    except schema.InvalidSchema:
        return
    assert whole_columns.reader(found) is None


def test_missing_values_in_a_column_that_is_read_at_once() -> None:
    agreed, found = feature({"type": "integer"}, missingValue={"sentinel": "NA", "replaceWith": "none"})
    reader = cells.Cells(found, agreed, 1 << 20)
    read = reader.read(["5", "NA", "12"])
    assert read is not None and [(list(part.rows), values(part)) for part in read if part.rows is not None] == [
        ([1], ["none"]),
        ([0, 2], ["5", "12"]),
    ]
    every = reader.read(["NA", "NA"])
    assert every is not None and [values(part) for part in every] == [["none", "none"]]
    assert reader.read(["5", "x"]) is None


def test_what_is_remembered_is_bounded() -> None:
    agreed, found = feature({"type": "string", "pattern": "[a-z0-9]*"})
    reader = cells.Cells(found, agreed, 10 * cells.CELL_BYTES)
    for number in range(200):
        assert reader.read([f"cell{number}", "x" * 1000]) is not None
    assert reader._values is not None and 0 < len(reader._values) <= 10
    assert all(len(cell) <= cells.CELL_CHARACTERS for cell in reader._values)
    reader.forget()
    assert not reader._values
