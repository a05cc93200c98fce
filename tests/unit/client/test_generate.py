"""``hushlink generate`` from outside."""

from __future__ import annotations

import csv
import json
import pathlib

from hushlink_client import encoding
from tests.support.command_line import CommandLine


def test_files_that_the_shipped_schema_encodes(tmp_path: pathlib.Path, command_line: CommandLine) -> None:
    files, schema = [tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "schema.json"
    options = ("--rows", "300", "--overlap", "0.5", "--seed", "4", "--schema-out", schema, "--json")
    done = command_line("generate", *files, *options)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["rows"], facts["people_in_all"]) == (300, 150)
    truth = []
    for file in files:
        with file.open(newline="", encoding="utf-8") as stream:
            truth.append({row["person"] for row in csv.DictReader(stream)})
    assert len(truth[0] & truth[1]) == 150
    command_line("secret", "new", tmp_path / "secret")
    encoded = command_line(
        *("encode", files[0], "--schema", schema, "--secret-file", tmp_path / "secret", "--out", tmp_path / "out"),
        "--json",
    )
    assert encoded.returncode == 0, encoded.stderr
    assert json.loads(encoded.stdout)["rows"] == 300
    assert tuple(facts["columns"]) == encoding.read_schema(schema).identifiers


def test_refusals(tmp_path: pathlib.Path, command_line: CommandLine) -> None:
    file = tmp_path / "a.csv"
    for options, said in (
        ((file, file), "named twice"),
        ((file, "--columns", "surname,shoe_size"), "the columns are some of"),
        ((file, "--overlap", "2"), "--overlap"),
        ((tmp_path / "none" / "a.csv",), "cannot write"),
    ):
        done = command_line("generate", *options)
        assert done.returncode == 2
        assert said in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
