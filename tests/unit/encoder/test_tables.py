"""Parquet and Arrow files: the same records as CSV, columns by name, and what cannot be text is refused."""

from __future__ import annotations

import datetime
import pathlib
import random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hushlink_encoder
from hushlink_domain import schema
from hushlink_encoder import Form, Kind

CANARY = "canary-7Qx"


def agreed(template: str = "%Y-%m-%d") -> schema.LinkageSchema:
    hashing = {"comparison": {"type": "exact"}, "strategy": {"bitsPerToken": 3}}
    return schema.parse(
        {
            "version": 3,
            "clkConfig": {"l": 64, "kdf": {"type": "HKDF"}},
            "features": [
                {"identifier": "id", "ignored": True},
                {"identifier": "name", "format": {"type": "string", "encoding": "utf-8"}, "hashing": hashing},
                {"identifier": "born", "format": {"type": "date", "format": template}, "hashing": hashing},
                {"identifier": "postcode", "format": {"type": "integer"}, "hashing": hashing},
            ],
        }
    )


def write(path: pathlib.Path, table: pa.Table, form: Form, **options: Any) -> pathlib.Path:
    if form is Form.PARQUET:
        pq.write_table(table, path, **options)
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=options.get("row_group_size"))
    return path


def rows_of(path: pathlib.Path, form: Form, template: str = "%Y-%m-%d", **options: Any) -> list[tuple[str, ...]]:
    reader = hushlink_encoder.TableReader(path, agreed(template), form, **options)
    found: list[tuple[str, ...]] = []
    for batch in reader:
        assert batch.first_row == len(found)
        assert batch.columns[0] == (), "what is ignored is not read"
        found += zip(*batch.columns[1:], strict=True)
    return found


def refusal(path: pathlib.Path, form: Form, **options: Any) -> hushlink_encoder.RecordFault:
    with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
        rows_of(path, form, **options)
    assert CANARY not in str(caught.value)
    assert caught.value.source == str(path)
    assert caught.value.__context__ is None and caught.value.__cause__ is None
    [fault] = caught.value.faults
    return fault


PEOPLE = pa.table(
    {
        "postcode": pa.array([1010, None, 3], pa.int16()),
        "further": [1.5, None, 2.5],
        "name": ["Łukasz", None, CANARY],
        "born": pa.array([datetime.date(1980, 2, 3), None, datetime.date(987, 1, 1)], pa.date32()),
    }
)
ROWS = [("Łukasz", "1980-02-03", "1010"), ("", "", ""), (CANARY, "0987-01-01", "3")]


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_records_are_read_by_name_in_batches(tmp_path: pathlib.Path, form: Form, size: int) -> None:
    path = write(tmp_path / "x", PEOPLE, form, row_group_size=2)
    assert rows_of(path, form, batch_rows=size) == ROWS


@pytest.mark.parametrize("form", Form)
def test_dates_are_written_as_the_schema_wants_them(tmp_path: pathlib.Path, form: Form) -> None:
    path = write(tmp_path / "x", PEOPLE, form)
    assert [row[1] for row in rows_of(path, form, "%d.%m.%Y")] == ["03.02.1980", "", "01.01.0987"]


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()), pa.null()],
    ids=str,
)
def test_text_of_every_type(tmp_path: pathlib.Path, form: Form, kind: pa.DataType) -> None:
    if kind == pa.string_view() and form is Form.PARQUET:
        kind = pa.string()
    cells = [None, None] if kind == pa.null() else ["a", None]
    table = pa.table(
        {
            "name": pa.array(cells, pa.string()).cast(kind) if kind != pa.null() else pa.nulls(2),
            "born": ["x"] * 2,
            "postcode": [1, 2],
        }
    )
    path = write(tmp_path / "x", table, form)
    assert [row[0] for row in rows_of(path, form)] == ["" if cell is None else cell for cell in cells]


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(
    "column",
    [
        pa.array([1.5]),
        pa.array([True]),
        pa.array([datetime.datetime(1980, 1, 1)]),
        pa.array([[CANARY]]),
        pa.array([CANARY.encode()]),
    ],
    ids=lambda column: str(column.type),
)
def test_types_that_are_no_text(tmp_path: pathlib.Path, form: Form, column: pa.Array) -> None:
    table = pa.table({"name": column, "born": ["x"], "postcode": ["1"]})
    fault = refusal(write(tmp_path / "x", table, form), form)
    assert (fault.kind, fault.column) == (Kind.COLUMN_TYPE, "name")
    assert str(column.type).partition("<")[0] in fault.note


@pytest.mark.parametrize("form", Form)
def test_columns_that_are_missing_or_there_twice(tmp_path: pathlib.Path, form: Form) -> None:
    fault = refusal(write(tmp_path / "x", PEOPLE.drop_columns(["born"]), form), form)
    assert fault.kind is Kind.MISSING_COLUMNS
    assert fault.note == "expected: 'name', 'born', 'postcode'; found: 'postcode', 'further', 'name'"
    twice = pa.Table.from_arrays([pa.array(["1"])] * 4, names=["name", "born", "postcode", "name"])
    fault = refusal(write(tmp_path / "x", twice, form), form)
    assert fault.kind is Kind.MISSING_COLUMNS
    assert fault.note.endswith("more than once: 'name'")


@pytest.mark.parametrize("form", Form)
def test_cells_at_fault_are_named(tmp_path: pathlib.Path, form: Form) -> None:
    raw = pa.array([b"fine", CANARY.encode() + b"\xff", b"x" * 200, b"fine"])
    names = pa.Array.from_buffers(pa.string(), 4, raw.buffers())
    table = pa.table({"name": names, "born": ["x"] * 4, "postcode": [1] * 4})
    path = write(tmp_path / "x", table, form)
    fault = refusal(path, form, max_cell=100)
    assert (fault.kind, fault.row, fault.column) == (Kind.NOT_UTF8, 1, "name")
    batches = list(hushlink_encoder.TableReader(path, agreed(), form, max_cell=100, keep_going=True))
    assert [(fault.row, fault.kind) for batch in batches for fault in batch.faults] == [
        (1, Kind.NOT_UTF8),
        (2, Kind.OVERSIZE),
    ]
    assert [cell for batch in batches for cell in batch.columns[1]] == ["fine", "", "", "fine"]


@pytest.mark.parametrize("form", Form)
def test_files_that_are_none(tmp_path: pathlib.Path, form: Form) -> None:
    for path, kind in ((tmp_path / "missing", Kind.UNREADABLE), (tmp_path, Kind.UNREADABLE)):
        assert refusal(path, form).kind is kind
    for content in (b"", b"PAR1", b"name,born\n" + CANARY.encode(), b"ARROW1\0\0" * 9):
        (tmp_path / "x").write_bytes(content)
        assert refusal(tmp_path / "x", form).kind is Kind.NOT_TABLE


@pytest.mark.parametrize("form", Form)
def test_no_mutation_breaks_out(tmp_path: pathlib.Path, form: Form) -> None:
    whole = write(tmp_path / "x", PEOPLE, form).read_bytes()
    chance = random.Random(3)
    for _ in range(400):
        mutant = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        (tmp_path / "x").write_bytes(mutant[: chance.choice([len(mutant), chance.randrange(len(mutant))])])
        try:
            rows_of(tmp_path / "x", form)
        except hushlink_encoder.InvalidRecords as refused:
            assert refused.faults


@pytest.mark.parametrize(("content", "what"), [(b"PAR1\x15\x00,", "Parquet"), (b"ARROW1\0\0name", "Arrow")])
def test_a_table_that_is_read_as_csv_is_named(tmp_path: pathlib.Path, content: bytes, what: str) -> None:
    (tmp_path / "x").write_bytes(content + b"\n")
    with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
        list(hushlink_encoder.CsvReader(tmp_path / "x", ("name", "born")))
    assert caught.value.faults[0].kind is Kind.NOT_CSV
    assert what in caught.value.faults[0].note
