"""``hushlink block`` from outside."""

from __future__ import annotations

import csv
import itertools
import json
import pathlib
from collections import defaultdict
from typing import Any

import pytest

import hushlink_encoder
from hushlink_client import blocking, encoding
from tests.support import people
from tests.support.command_line import CommandLine

CONFIGURATION: dict[str, Any] = {
    "type": "p-sig",
    "version": 1,
    "config": {
        "blocking-features": ["surname"],
        "filter": {"type": "count", "min": 1, "max": 50},
        "blocking-filter": {"type": "bloom filter", "number-hash-functions": 10, "bf-len": 2048},
        "signatureSpecs": [[{"type": "characters-at", "feature": "surname", "config": {"pos": [":3"]}}]],
    },
}


@pytest.fixture
def files(tmp_path: pathlib.Path) -> list[pathlib.Path]:
    (tmp_path / "blocking.json").write_text(json.dumps(CONFIGURATION))
    return people.files(tmp_path, 2, rows=200)


def expected(file: pathlib.Path) -> dict[str, list[int]]:
    """Rows by the beginning of the surname, as the configuration has it."""
    found = defaultdict(list)
    with file.open(newline="", encoding="utf-8") as stream:
        for row, record in enumerate(csv.DictReader(stream)):
            if record["surname"]:
                found[record["surname"][:3]].append(row)
    return {key: rows for key, rows in found.items() if len(rows) <= 50}


def test_blocks_of_two_parties(files: list[pathlib.Path], tmp_path: pathlib.Path, command_line: CommandLine) -> None:
    common = [*people.agreement(tmp_path), "--blocking", str(tmp_path / "blocking.json"), "--json"]
    outs = [tmp_path / "0.blocks", tmp_path / "1.blocks"]
    first = command_line("block", files[0], *common, "--out", outs[0])
    second = command_line("block", files[1], *common, "--out", outs[1], "--against", outs[0])
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    facts = json.loads(second.stdout)
    left, right = map(expected, files)
    assert facts["block_count"] == len(right)
    assert facts["mode"] == "keyed"
    assert facts["comparisons_within"] == sum(len(list(itertools.combinations(rows, 2))) for rows in right.values())
    assert facts["comparisons_between"] == sum(len(left[key]) * len(right[key]) for key in left.keys() & right.keys())
    assert facts["comparisons_between"] > 0
    assert json.loads(first.stdout)["comparisons_between"] is None
    written = outs[0].read_text()
    assert json.loads(written.splitlines()[0])["configuration_fingerprint"] == facts["configuration_fingerprint"]
    assert not [key for key in left if not set(key) <= set("0123456789abcdef") and key in written.partition("\n")[2]]
    assert outs[0].stat().st_mode & 0o077 == 0


def test_statistics_alone_write_nothing(
    files: list[pathlib.Path], tmp_path: pathlib.Path, command_line: CommandLine
) -> None:
    before = sorted(tmp_path.iterdir())
    options = ("--schema", tmp_path / "schema.json", "--blocking", tmp_path / "blocking.json")
    people.agreement(tmp_path)
    done = command_line("block", files[0], *options, "--stats-only", "--mode", "compat")
    assert done.returncode == 0, done.stderr
    assert "200" in done.stdout and "comparisons within" in done.stdout
    assert done.stderr.startswith("warning: ") and done.stderr.count("\n") == 1
    assert set(tmp_path.iterdir()) - set(before) == {tmp_path / "schema.json", tmp_path / "secret"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--stats-only"], "give --out, or --stats-only"),
        (["--secret-file", "none"], "cannot read the secret file"),
        (["--blocking", "none"], "cannot read the blocking configuration"),
        (["--against", "none"], "cannot read none"),
    ],
)
def test_refusals(
    files: list[pathlib.Path], tmp_path: pathlib.Path, change: list[str], said: str, command_line: CommandLine
) -> None:
    common = [*people.agreement(tmp_path), "--blocking", str(tmp_path / "blocking.json")]
    done = command_line("block", files[0], *common, "--out", tmp_path / "out", *change)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_records_need_the_schema(files: list[pathlib.Path], tmp_path: pathlib.Path, command_line: CommandLine) -> None:
    done = command_line("block", files[0], "--blocking", tmp_path / "blocking.json", "--stats-only")
    assert done.returncode == 2
    assert "give the linkage schema" in done.stderr and done.stderr.count("\n") == 1


def test_encodings_are_blocked_by_their_bits(files: list[pathlib.Path], tmp_path: pathlib.Path) -> None:
    people.agreement(tmp_path)
    agreed = encoding.read_schema(tmp_path / "schema.json")
    secret = hushlink_encoder.read_secret(tmp_path / "secret")
    encoding.encode_file(files[0], tmp_path / "encodings", agreed, secret)
    fold = {
        **{"blocking-features": [0], "Lambda": 7, "bf-len": 1, "num-hash-funcs": 1, "K": 5, "input-clks": True},
        "random_state": 3,
    }
    (tmp_path / "fold.json").write_text(json.dumps({"type": "lambda-fold", "version": 1, "config": fold}))
    request = blocking.Request(tmp_path / "encodings", tmp_path / "fold.json", None, secret, out=tmp_path / "blocks")
    outcome = blocking.block(request)
    assert outcome.statistics.memberships == 7 * 200
    assert outcome.statistics.coverage == 1
    again = blocking.block(
        blocking.Request(tmp_path / "encodings", tmp_path / "fold.json", None, secret, against=tmp_path / "blocks")
    )
    assert again.comparisons_between == outcome.statistics.comparisons_with_its_like
