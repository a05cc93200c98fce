"""``hushlink encode`` from outside: files of every kind give the same encodings; records at fault; memory; start."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv as arrow_csv

from hushlink_client import cli, forms
from tests.support import mesh as meshes
from tests.support import people

CANARY = "Wolkenstein"


def encode(folder: pathlib.Path, records: pathlib.Path, *options: object) -> subprocess.CompletedProcess[str]:
    out = () if "--out" in options else ("--out", folder / "out.parquet")
    agreed = people.agreement(folder) if "--schema" not in options else ()
    return meshes.hushlink(*map(str, ("encode", records, *agreed, *out, *options)))


class Ended(NamedTuple):
    """How a command ended that ran in this process, which starts none."""

    status: int
    said: str


Hushlink = Callable[..., Ended]


@pytest.fixture
def hushlink(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Hushlink:
    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["hushlink", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Ended(int(ended.value.code or 0), capsys.readouterr().err)

    return run


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_files_of_every_kind_give_the_same_encodings(hushlink: Hushlink, tmp_path: pathlib.Path) -> None:
    records = people.files(tmp_path, 1, rows=300)[0]
    rows = list(csv.reader(records.read_text().splitlines()))
    with (tmp_path / "other.csv").open("w", newline="", encoding="utf-8-sig") as stream:
        csv.writer(stream, delimiter="\t", quotechar="'", quoting=csv.QUOTE_ALL).writerows(rows)
    with (tmp_path / "more.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, delimiter=";").writerows([["more", *reversed(row)] for row in rows])
    as_text = arrow_csv.ConvertOptions(column_types=dict.fromkeys(rows[0], pa.string()))
    table = arrow_csv.read_csv(records, convert_options=as_text)
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=70)
    with pa.ipc.new_file(tmp_path / "x.arrow", table.schema) as writer:
        writer.write_table(table)
    first = told(encode(tmp_path, records, "--json"))["sha256"]
    agreed, out = people.agreement(tmp_path), tmp_path / "again.parquet"
    for path, *options in (
        (tmp_path / "other.csv", "--delimiter", "tab", "--quote", "'"),
        (tmp_path / "more.csv", "--delimiter", ";", "--header", "match"),
        (tmp_path / "x.parquet",),
        (tmp_path / "x.arrow", "--records-form", "arrow"),
    ):
        assert hushlink("encode", path, *agreed, "--out", out, *options) == (0, f"300 records encoded: {out}\n")
        assert forms.read(out).digest.hex == first


@pytest.fixture
def faulty(tmp_path: pathlib.Path) -> pathlib.Path:
    """Twelve records, three of them at fault."""
    records = people.files(tmp_path, 1, rows=10)[0]
    lines = records.read_text().splitlines()
    lines.insert(3, f"{CANARY},only two")
    lines.insert(9, "")
    (tmp_path / "people.csv").write_bytes("\n".join([*lines, ""]).encode() + b"1,\xff" + CANARY.encode() + b"," * 9)
    return tmp_path / "people.csv"


FAULTS = [
    ("4", "2", "", "wrong_cell_count", "has the wrong number of cells (2 cells, 11 expected)"),
    ("10", "8", "", "blank_line", "is a blank line: remove it"),
    ("14", "12", "given_name", "not_utf8", "holds a byte that is not UTF-8: save the file as UTF-8"),
]


def listed(report: pathlib.Path) -> list[tuple[str, ...]]:
    header, *lines = list(csv.reader(report.read_text().splitlines()))
    assert header == ["file", "line", "row", "column", "kind", "problem"]
    return [tuple(line[1:]) for line in lines]


def test_faults_fail_together_and_nothing_is_written(tmp_path: pathlib.Path, faulty: pathlib.Path) -> None:
    report = tmp_path / "report.csv"
    refused = encode(tmp_path, faulty, "--report", report)
    assert refused.returncode == 2
    *lines, last = refused.stderr.splitlines()
    assert [line.split("data ")[1].split()[1] for line in lines] == ["2", "8", "12"]
    assert last.startswith(f"hushlink: {faulty}: line 4, data row 2") and "and 2 more" in last
    assert not (tmp_path / "out.parquet").exists()
    assert listed(report) == FAULTS
    assert CANARY not in refused.stdout + refused.stderr + report.read_text()


def test_faulty_records_are_left_out_and_reported(tmp_path: pathlib.Path, faulty: pathlib.Path) -> None:
    report = tmp_path / "report.csv"
    done = encode(tmp_path, faulty, "--bad-rows", "skip", "--report", report)
    assert done.returncode == 0, done.stderr
    assert "3 records are at fault" in done.stderr
    assert "1 x column 'given_name' holds a byte that is not UTF-8" in done.stderr
    assert listed(report) == FAULTS
    rows = pq.read_table(tmp_path / "out.parquet")["row"].to_pylist()
    assert rows == [0, 1, 3, 4, 5, 6, 7, 9, 10, 11]
    assert CANARY not in done.stdout + done.stderr + report.read_text()


def test_faulty_records_become_encodings_without_a_bit(tmp_path: pathlib.Path, faulty: pathlib.Path) -> None:
    facts = told(encode(tmp_path, faulty, "--bad-rows", "empty", "--json"))
    assert (facts["rows"], facts["rows_at_fault"]) == (13, 3)
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["row"].to_pylist() == list(range(13))
    assert [row for row, each in enumerate(table["encoding"].to_pylist()) if not any(each)] == [2, 8, 12]


def test_a_quote_that_is_never_closed_ends_it_whatever_is_asked_for(hushlink: Hushlink, tmp_path: pathlib.Path) -> None:
    records = people.files(tmp_path, 1, rows=10)[0]
    records.write_text(records.read_text() + f'1,"{CANARY}\n' * 5)
    for bad_rows in ("fail", "skip", "empty"):
        out = ("--out", tmp_path / "out.parquet", "--bad-rows", bad_rows)
        status, said = hushlink("encode", records, *people.agreement(tmp_path), *out)
        assert status == 2
        assert "data row 10" in said
        assert CANARY not in said
        assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("rec_id;given_name\n", (), "is the delimiter ';'?"),
        ("rec_id,given_name\n", (), "expected: 'rec_id', 'given_name', 'surname'"),
        ("rec_id,given_name\n", (), "found: 'rec_id', 'given_name'"),
        ("", ("--bad-rows", "skip", "--form", "clkhash-json"), "--bad-rows empty"),
        ("", ("--delimiter", ";;"), "see --delimiter"),
        ("", ("--quote", ","), "see --delimiter"),
        ("", ("--encoder", "localhost:1", "--key-name", "k"), "give --secret-file, or"),
    ],
)
def test_what_is_wrong_is_said_on_one_line(
    hushlink: Hushlink, tmp_path: pathlib.Path, content: str, options: tuple[str, ...], said: str
) -> None:
    (tmp_path / "x.csv").write_text(content)
    out = ("--out", tmp_path / "out.parquet")
    ended = hushlink("encode", tmp_path / "x.csv", *people.agreement(tmp_path), *out, *options)
    assert ended.status == 2
    assert said in ended.said
    assert len(ended.said.splitlines()) == 1


def test_uploads_of_what_is_not_said_or_said_wrongly(hushlink: Hushlink, tmp_path: pathlib.Path) -> None:
    records, agreed = people.files(tmp_path, 1, rows=5)[0], people.agreement(tmp_path)
    container, ours = tmp_path / "x.parquet", tmp_path / "ours.json"
    assert hushlink("encode", records, *agreed, "--out", container).status == 0
    assert hushlink("encode", records, *agreed, "--out", ours, "--form", "clkhash-json").status == 0
    schema = json.loads((tmp_path / "schema.json").read_text())
    schema["clkConfig"]["l"] = 512
    (tmp_path / "other.json").write_text(json.dumps(schema))
    for arguments, said in (
        ((ours,), "--form clkhash-json"),
        ((container, "--form", "clkhash-json"), "not clkhash's JSON"),
        ((container, "--form", "raw"), "width and count"),
        ((container, "--form", "raw", "--width", 1024, "--count", 5), "and 5 were named"),
        ((container, "--count", 6), "count 5, and 6 was named"),
        ((container, "--schema", tmp_path / "other.json"), "not encoded with the schema"),
        ((ours, "--form", "clkhash-json", "--schema", tmp_path / "other.json"), "not encoded with the schema"),
        ((ours, "--form", "clkhash-json", *agreed[2:]), "give --schema"),
    ):
        ended = hushlink("upload", *arguments, "--project", "p", "--party", 0, "--coordinator", "localhost:1")
        assert (ended.status, len(ended.said.splitlines())) == (2, 1), arguments
        assert said in ended.said


_MEASURED = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:])
_, status, used = os.wait4(child.pid, 0)
print(used.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is counted in other units there")
@pytest.mark.parametrize("form", ["container", "clkhash-json"])
def test_memory_does_not_grow_with_the_number_of_records(tmp_path: pathlib.Path, form: str) -> None:
    hashing = {"comparison": {"type": "exact"}, "strategy": {"bitsPerToken": 3}}
    schema = {
        "version": 3,
        "clkConfig": {"l": 1024, "kdf": {"type": "HKDF"}},
        "features": [{"identifier": "n", "format": {"type": "integer"}, "hashing": hashing}],
    }
    (tmp_path / "s.json").write_text(json.dumps(schema))
    (tmp_path / "secret").write_text("a secret of the tests")
    agreed = ("--schema", tmp_path / "s.json", "--secret-file", tmp_path / "secret", "--form", form)
    peaks = []
    for count in (90_000, 300_000):  # from the first whole row group on
        records = tmp_path / "x.csv"
        records.write_text("n\n" + "".join(f"{number % 1000}\n" for number in range(count)))
        command = (*meshes.COMMAND, "encode", records, *agreed, "--out", tmp_path / "out", "--quiet")
        measured = subprocess.run(
            [sys.executable, "-c", _MEASURED, *map(str, command)], capture_output=True, check=True, text=True
        )
        peak, status = map(int, measured.stdout.split())
        assert status == 0, measured.stderr
        peaks.append(peak >> 10)
    assert (tmp_path / "out").stat().st_size > 38_000_000
    assert peaks[1] < peaks[0] + 24, "MiB"
    assert peaks[1] < 300


def test_commands_start_without_loading_what_tables_need() -> None:
    script = (
        "import importlib, sys\n"
        "from hushlink_client import cli\n"
        "for name in cli._COMMANDS:\n"
        "    if name != 'bench': importlib.import_module(f'hushlink_client.commands.{name}')\n"
        "assert not {'pyarrow', 'numpy', 'rich'} & sys.modules.keys(), sorted(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
