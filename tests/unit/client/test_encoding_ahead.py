"""Encoding a file while it is read: which fault is told when several are met."""

from __future__ import annotations

import pathlib

import pytest

import hushlink_encoder
from hushlink_client import encoding
from hushlink_domain import schema
from hushlink_encoder import records

HASHING = {"comparison": {"type": "exact"}, "strategy": {"bitsPerToken": 5}}
AGE = {"identifier": "age", "format": {"type": "integer"}, "hashing": HASHING}
SCHEMA = schema.parse({"version": 3, "clkConfig": {"l": 64, "kdf": {"type": "HKDF"}}, "features": [AGE]})
SECRET = hushlink_encoder.Secret(b"a secret of the tests")


def encoded(tmp_path: pathlib.Path, lines: list[str]) -> bytes:
    people = tmp_path / "people.csv"
    people.write_text("age\n" + "\n".join(lines) + "\n")
    return b"".join(encoding.encode_file(people, tmp_path / "people.parquet", SCHEMA, SECRET))


def test_batches_keep_their_order(tmp_path: pathlib.Path) -> None:
    lines = [str(number) for number in range(3 * records.BATCH_ROWS + 5)]
    expected = hushlink_encoder.Encoder(SCHEMA, SECRET).encode([[line] for line in lines])
    assert encoded(tmp_path, lines) == expected.tobytes()
    assert encoded(tmp_path, ["1"]) == expected[1].tobytes()


@pytest.mark.parametrize("behind", ["8,9", "x"])
def test_faults_are_told_in_the_order_of_the_file(tmp_path: pathlib.Path, behind: str) -> None:
    lines = ["7"] * (records.BATCH_ROWS + 20)
    lines[-1] = behind
    lines[9] = "x"
    with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
        encoded(tmp_path, lines)
    assert [fault.row for fault in caught.value.faults] == [9, len(lines) - 1]
    assert [file.name for file in tmp_path.iterdir()] == ["people.csv"]
