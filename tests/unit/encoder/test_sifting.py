"""Records at fault: all are found, the others become what they would have become without them, no value shows."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hushlink_encoder
from hushlink_encoder import BadRows, Header, Kind

CANARY = "canary-7Qx"
SECRET = b"a secret of the tests"


def document(columns: int = 2) -> dict[str, Any]:
    exact = {"comparison": {"type": "exact"}, "strategy": {"bitsPerToken": 3}}
    return {
        "version": 3,
        "clkConfig": {"l": 64, "kdf": {"type": "HKDF"}},
        "features": [
            {"identifier": "note", "ignored": True},
            *(
                {"identifier": f"born {column}", "format": {"type": "integer", "minimum": 0}, "hashing": exact}
                for column in range(columns)
            ),
        ],
    }


@pytest.fixture(scope="module")
def encoder() -> hushlink_encoder.Encoder:
    return hushlink_encoder.Encoder(document(), SECRET)


def reader(rows: list[list[str]], columns: int = 2, **options: Any) -> hushlink_encoder.CsvReader:
    content = "".join(",".join(row) + "\n" for row in rows).encode("utf-8", "surrogateescape")
    names = ("note", *(f"born {column}" for column in range(columns)))
    return hushlink_encoder.CsvReader(
        io.BytesIO(content), names, header=Header.NONE, keep_going=True, name="people.csv", **options
    )


GOOD = st.tuples(st.just("x"), *[st.integers(0, 99).map(str)] * 2).map(list)
BAD = {
    Kind.NOT_INTEGER: ["x", "1", CANARY],
    Kind.BELOW_MINIMUM: ["x", "-7", "2"],
    Kind.WRONG_CELL_COUNT: ["x", CANARY],
    Kind.NOT_UTF8: ["x", "1\udcff", "2"],
    Kind.OVERSIZE: ["x", "1" * 101, "2"],
}


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(GOOD | st.sampled_from(list(BAD)), max_size=40),
    batch_rows=st.integers(1, 50),
    bad_rows=st.sampled_from([BadRows.SKIP, BadRows.EMPTY]),
    limit=st.sampled_from([1, 2, 100]),
)
def test_good_records_are_encoded_as_ever_and_bad_ones_told(
    encoder: hushlink_encoder.Encoder,
    rows: list[list[str] | Kind],
    batch_rows: int,
    bad_rows: BadRows,
    limit: int,
) -> None:
    given_rows = [BAD[row] if isinstance(row, Kind) else row for row in rows]
    good = [row for row in rows if not isinstance(row, Kind)]
    kept = [number for number, row in enumerate(rows) if not isinstance(row, Kind)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(hushlink_encoder.faults, "COLLECTED_FAULTS", limit)
        batches = reader(given_rows, batch_rows=batch_rows, max_cell=100)
        parts = list(hushlink_encoder.encoded(encoder, batches, bad_rows))
    numbers = [int(number) for part in parts for number in part.rows]
    encodings = np.concatenate([part.encodings for part in parts]) if parts else np.zeros((0, 8), np.uint8)
    wanted = encoder.encode(good)
    if bad_rows is BadRows.SKIP:
        assert numbers == kept
        assert (encodings == wanted).all()
    else:
        assert numbers == list(range(len(rows)))
        assert (encodings[kept] == wanted).all()
        assert not np.delete(encodings, kept, axis=0).any()
    told = [(fault.row, fault.kind) for part in parts for fault in part.faults]
    assert told == [(number, row) for number, row in enumerate(rows) if isinstance(row, Kind)]
    assert [part.end for part in parts] == [
        min(len(rows), end) for end in range(batch_rows, len(rows) + batch_rows, batch_rows)
    ]


def refused(encoder: hushlink_encoder.Encoder, batches: hushlink_encoder.CsvReader) -> hushlink_encoder.InvalidRecords:
    parts = hushlink_encoder.encoded(encoder, batches, BadRows.FAIL)
    with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
        list(parts)
    assert CANARY not in str(caught.value)
    assert caught.value.source == "people.csv"
    return caught.value


def test_failing_tells_all_faults_over_all_batches(encoder: hushlink_encoder.Encoder) -> None:
    rows: list[list[str]] = [["x", "1", "2"]] * 100
    for place, kind in zip((3, 40, 41, 70, 99), BAD, strict=True):
        rows[place] = BAD[kind]
    error = refused(encoder, reader(rows, batch_rows=7, max_cell=100))
    assert [(fault.row, fault.kind) for fault in error.faults] == list(zip((3, 40, 41, 70, 99), BAD, strict=True))


def test_failing_stops_after_a_hundred_faults(encoder: hushlink_encoder.Encoder) -> None:
    error = refused(encoder, reader([["x", "1", CANARY]] * 1000, batch_rows=150))
    assert [fault.row for fault in error.faults] == list(range(100))
    assert "perhaps more" in str(error)


@pytest.mark.parametrize("bad_rows", BadRows)
def test_what_hides_where_rows_begin_ends_the_reading(encoder: hushlink_encoder.Encoder, bad_rows: BadRows) -> None:
    content = b"x,1,2\nx,1,z\nx,1,2\n" + f'x,"{CANARY},2\nx,1,2\n'.encode()
    names = ("note", "born 0", "born 1")
    batches = hushlink_encoder.CsvReader(io.BytesIO(content), names, header=Header.NONE, keep_going=True)
    with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
        list(hushlink_encoder.encoded(encoder, batches, bad_rows))
    found = [(fault.row, fault.kind) for fault in caught.value.faults]
    assert found == ([(1, Kind.NOT_INTEGER)] if bad_rows is BadRows.FAIL else []) + [(3, Kind.OPEN_QUOTE)]
    assert CANARY not in str(caught.value)


def test_a_record_with_more_faults_than_are_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hushlink_encoder.faults, "COLLECTED_FAULTS", 20)
    wide = hushlink_encoder.Encoder(document(50), SECRET)
    rows = [["x", *["1"] * 50], ["x", *["no"] * 50], ["x", *["2"] * 50]]
    parts = list(hushlink_encoder.encoded(wide, reader(rows, columns=50), BadRows.SKIP))
    assert [part.rows.tolist() for part in parts] == [[0, 2]]
    assert {fault.row for fault in parts[0].faults} == {1}


def test_thousands_of_records_at_fault(encoder: hushlink_encoder.Encoder) -> None:
    chance = random.Random(9)
    bad = {number for number in range(8000) if chance.random() < 0.5}
    rows = [["x", "1", CANARY if number in bad else "2"] for number in range(8000)]
    [part] = hushlink_encoder.encoded(encoder, reader(rows), BadRows.SKIP)
    assert set(part.rows.tolist()) == set(range(8000)) - bad
    assert [fault.row for fault in part.faults] == sorted(bad)
