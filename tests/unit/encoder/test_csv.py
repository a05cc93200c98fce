"""CSV files: what is read, and how everything that is wrong is named without showing a cell."""

import csv
import io
import pathlib
import traceback
import tracemalloc
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import hushlink_encoder
from hushlink_encoder import Header, Kind, plain_records, records

CANARY = "canary-7Qx"
COLUMNS = ("name", "born")


def rows_of(content: bytes, columns: tuple[str, ...] = COLUMNS, **options: Any) -> list[tuple[str, ...]]:
    reader = hushlink_encoder.CsvReader(io.BytesIO(content), columns, **options)
    return [row for batch in reader for row in zip(*batch.columns, strict=True)]


def refusal(content: bytes, columns: tuple[str, ...] = COLUMNS, **options: Any) -> hushlink_encoder.RecordFault:
    with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
        rows_of(content, columns, name="people.csv", **options)
    error = caught.value
    everything = "".join(traceback.format_exception(error)) + repr(error) + repr(error.facts)
    assert CANARY not in everything
    assert error.__context__ is None and error.__cause__ is None
    assert str(error).startswith("people.csv: ") and len(str(error)) < 5000
    [fault] = error.faults
    return fault


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"name,born\n", []),
        (b"name,born", []),
        (b"name,born\nanna,1980\n", [("anna", "1980")]),
        (b"name,born\r\nanna,1980\r\n,", [("anna", "1980"), ("", "")]),
        (b"\xef\xbb\xbfname,born\n a ,\tb\n", [(" a ", "\tb")]),
        (b'\xef\xbb\xbf"name",born\n"a,""b""\nc","d"\n', [('a,"b"\nc', "d")]),
        ("name,born\nŁukasz,\U0001f600\n".encode(), [("Łukasz", "\U0001f600")]),
        (b"name,born\na\0b,\xef\xbb\xbf\n", [("a\0b", "\ufeff")]),
        (b"name,born\n5\" pipe,6'\n", [('5" pipe', "6'")]),
        (b'name,born\n"a\r\nb",c\r\n', [("a\r\nb", "c")]),
    ],
)
def test_what_is_read(content: bytes, rows: list[tuple[str, ...]]) -> None:
    assert rows_of(content) == rows


def test_other_headers_and_delimiters() -> None:
    assert rows_of(b"x;y\n1;2\n", header=Header.SKIP, delimiter=";") == [("1", "2")]
    assert rows_of(b"x\ty\n1\t2\n", header=Header.NONE, delimiter="\t") == [("x", "y"), ("1", "2")]
    assert rows_of(b"", header=Header.NONE) == []


BIG = b"x" * 10_000_000


@pytest.mark.parametrize(
    ("content", "kind", "row", "column", "line"),
    [
        (b"", Kind.NO_HEADER, None, None, None),
        (b"\xef\xbb\xbf", Kind.NO_HEADER, None, None, None),
        (b"name,born\nanna,1,canary-7Qx\n", Kind.WRONG_CELL_COUNT, 0, None, 2),
        (b'name,born\n"a\nb",c\ncanary-7Qx\n', Kind.WRONG_CELL_COUNT, 1, None, 4),
        (b"name,born\na,b\n\nc,d\n", Kind.BLANK_LINE, 1, None, 3),
        (b"name,born\na,b\n\n", Kind.BLANK_LINE, 1, None, 3),
        (b"name,born\ncanary-7Qx,\xff\n", Kind.NOT_UTF8, 0, "born", 2),
        (b"name,born\n\xe9canary-7Qx,b\n", Kind.NOT_UTF8, 0, "name", 2),
        (b'name,born\na,b\n"canary-7Qx,\n",\xff\n', Kind.NOT_UTF8, 1, "born", 3),
        (b"name,born\na,\xed\xa0\x80\n", Kind.NOT_UTF8, 0, "born", 2),
        (b"name\xff,born\na,b\n", Kind.NOT_UTF8, None, None, 1),
        ("name,born\na,b\n".encode("utf-16"), Kind.NOT_UTF8, None, None, 1),
        (b'name,born\na,b\n"canary-7Qx,b\nc,d\n', Kind.OPEN_QUOTE, 1, None, 3),
        (b'name,born\n"canary-7Qx"x,b\n', Kind.BAD_QUOTE, 0, None, 2),
        (b"name,born\rcanary-7Qx,b\r", Kind.LONE_CARRIAGE_RETURN, None, None, 1),
        (b"name,born\na\rcanary-7Qx,b\n", Kind.LONE_CARRIAGE_RETURN, 0, None, 2),
        (b"name,born\na,canary-7Qx" + b"x" * 70_000 + b"\n", Kind.OVERSIZE, 0, "born", 2),
        (b"name,born\na,canary-7Qx" + b"x" * 200_000 + b"\n", Kind.OVERSIZE, 0, "born", 2),
        (b"name,born\na,b\nc,canary-7Qx" + BIG + b"\nd,e\n", Kind.OVERSIZE, 1, "born", 3),
        (b"name,born\na,b\ncanary-7Qx" + BIG + b",c\nd,e\n", Kind.OVERSIZE, 1, "name", 3),
        (b"name,born\na,b\n" + b"a,b,canary-7Qx" + BIG, Kind.OVERSIZE, 1, "number 3", 3),
        (b'name,born\na,b\n"canary-7Qx' + b"x\n" * 5_000_000 + b'",c\n', Kind.OVERSIZE, 1, "name", 3),
        (b"name,born\na,b\nc," + "é".encode() * 5_000_000, Kind.OVERSIZE, 1, "born", 3),
        (BIG, Kind.OVERSIZE, None, None, 1),
    ],
)
def test_what_is_refused(content: bytes, kind: Kind, row: int | None, column: str | None, line: int | None) -> None:
    fault = refusal(content)
    assert (fault.kind, fault.row, fault.column, fault.line) == (kind, row, column, line)


def test_every_cell_may_be_as_long_as_the_limit() -> None:
    cells = ["\U0001f600" * 100, '"' * 100]
    out = io.StringIO()
    csv.writer(out).writerows([COLUMNS, cells])
    content = out.getvalue().encode()
    assert rows_of(content, max_cell=100) == [tuple(cells)]
    assert refusal(content, max_cell=99).kind is Kind.OVERSIZE


def test_a_lower_limit_of_the_process_is_raised() -> None:
    before = csv.field_size_limit(10)
    try:
        assert rows_of(b"name,born\n" + b"x" * 60_000 + b",y\n") == [("x" * 60_000, "y")]
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("name", ["'name', 'born'", "found: 'name'"]),
        ("born,name", ["found: 'born', 'name'"]),
        ("Name,Born", ["found: 'Name', 'Born'"]),
        ("name,birthday", ["expected: 'name', 'born'", "'birthday'"]),
        (f"{CANARY},1980", ["expected: 'name', 'born'", "2 cells", "header missing"]),
        ("", ["0 cells"]),
        ("name," + "x" * 1000, ["'" + "x" * 64 + "'"]),
    ],
)
def test_wrong_headers(header: str, shown: list[str]) -> None:
    fault = refusal(header.encode() + b"\na,b\n")
    assert fault.kind is Kind.WRONG_HEADER
    assert all(text in fault.note for text in shown)


def test_unreadable_files(tmp_path: pathlib.Path) -> None:
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
            list(hushlink_encoder.CsvReader(path, COLUMNS))
        assert str(path) in str(caught.value) and caught.value.faults[0].kind is Kind.UNREADABLE


def test_batches(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("name,born\n" + "".join(f"n{index},{index}\n" for index in range(25)))
    reader = hushlink_encoder.CsvReader(path, COLUMNS, batch_rows=10)
    batches = list(reader)
    assert [(batch.first_row, batch.count) for batch in batches] == [(0, 10), (10, 10), (20, 5)]
    assert [batch.columns for batch in reader] == [batch.columns for batch in batches]
    assert batches[2].columns[1] == ("20", "21", "22", "23", "24")
    assert "n20" not in repr(batches[2])


def test_batches_end_by_size_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "BATCH_BYTES", 1000)
    content = b"name,born\n" + b"x" * 400 + b",y\n" + b"a,b\n" * 500
    reader = hushlink_encoder.CsvReader(io.BytesIO(content), COLUMNS)
    assert max(batch.count for batch in reader) < 260


def test_faults_of_later_batches_count_rows_from_the_start() -> None:
    fault = refusal(b"name,born\n" + b"a,b\n" * 25 + b"c\n", batch_rows=10)
    assert (fault.row, fault.line) == (25, 27)


def test_cell_faults_name_file_and_row() -> None:
    document: dict[str, Any] = {
        "version": 3,
        "clkConfig": {"l": 64, "kdf": {"type": "HKDF"}},
        "features": [
            {"identifier": "name", "ignored": True},
            {
                "identifier": "born",
                "format": {"type": "integer"},
                "hashing": {"comparison": {"type": "exact"}, "strategy": {"bitsPerToken": 3}},
            },
        ],
    }
    encoder = hushlink_encoder.Encoder(document, b"a secret of the tests")
    content = b"name,born\n" + b"a,1\n" * 15 + f"a,{CANARY}\n".encode()
    reader = hushlink_encoder.CsvReader(io.BytesIO(content), COLUMNS, batch_rows=10, name="people.csv")
    batches = iter(reader)
    assert encoder.encode_batch(next(batches)).shape == (10, 8)
    with pytest.raises(hushlink_encoder.InvalidRecords) as caught:
        encoder.encode_batch(next(batches))
    [fault] = caught.value.faults
    assert (fault.row, fault.column, caught.value.source) == (15, "born", "people.csv")
    assert CANARY not in str(caught.value)


class _Endless(io.RawIOBase):
    """A file that never ends: one line, or lines without number."""

    def __init__(self, piece: bytes) -> None:
        super().__init__()
        self._piece = piece
        self._start = b"name,born\n"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._start or self._piece
        self._start = b""
        size = min(len(buffer), len(piece))
        buffer[:size] = piece[:size]
        return size


def test_memory_does_not_grow_with_the_file() -> None:
    reader = hushlink_encoder.CsvReader(io.BufferedReader(_Endless(b"someone,19800203\n" * 481)), COLUMNS)
    tracemalloc.start()
    try:
        for number, batch in enumerate(reader):
            assert batch.count
            if number == 3:
                tracemalloc.reset_peak()
                early, _ = tracemalloc.get_traced_memory()
            if number == 20:
                break
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < early + (8 << 20)


def test_memory_does_not_grow_with_a_cell() -> None:
    reader = hushlink_encoder.CsvReader(io.BufferedReader(_Endless(b"x" * 8192)), COLUMNS)
    tracemalloc.start()
    try:
        with pytest.raises(hushlink_encoder.InvalidRecords):
            next(iter(reader))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize(
    "options", [{"batch_rows": 0}, {"max_cell": 0}, {"delimiter": ";;"}, {"delimiter": '"'}, {"delimiter": "\n"}]
)
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"delimiter|at least"):
        hushlink_encoder.CsvReader(io.BytesIO(b""), COLUMNS, **options)


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=10),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_csv_writer_wrote_is_read_back(rows: list[tuple[str, str]], quoting: Any, line_end: str) -> None:
    # Python's writer leaves a lone carriage return unquoted, which no reader can tell from a line end.
    assume(quoting == csv.QUOTE_ALL or not any("\r" in cell for row in rows for cell in row))
    out = io.StringIO(newline="")
    csv.writer(out, quoting=quoting, lineterminator=line_end).writerows([COLUMNS, *rows])
    assert rows_of(out.getvalue().encode(), batch_rows=3) == rows


@given(content=st.binary(max_size=80), header=st.sampled_from(Header))
def test_any_bytes_are_read_or_refused(content: bytes, header: Header) -> None:
    try:
        rows = rows_of(content, header=header)
    except hushlink_encoder.InvalidRecords as refused:
        assert refused.faults
    else:
        assert all(len(row) == 2 for row in rows)


class NothingPlain(plain_records.PlainRecords):
    def read(self, lines: memoryview, most_rows: int) -> None:
        return None


def outcome(content: bytes, width: int, batch_rows: int, delimiter: str) -> Any:
    """The records of a file, or what is wrong with it and how many records came before."""
    columns = tuple(f"c{number}" for number in range(width))
    options: dict[str, Any] = {"header": Header.SKIP, "max_cell": 9, "batch_rows": batch_rows, "delimiter": delimiter}
    rows: list[tuple[str, ...]] = []
    try:
        for batch in hushlink_encoder.CsvReader(io.BytesIO(content), columns, **options):
            assert batch.first_row == len(rows) and batch.count <= batch_rows
            rows += zip(*batch.columns, strict=True)
    except hushlink_encoder.InvalidRecords as error:
        return error.faults
    return rows


PIECES = st.sampled_from(
    [b"a", b"bc", b",", b",", b";", b"\n", b"\n", b"\r\n", b'"', b"\r", b"\0", b" ", "é日".encode(), b"\xff", b"x" * 9]
)
PLAIN_LINES = st.sampled_from([b"a,b\n", b"cd,\n", b",\r\n", "é,日本\n".encode(), b"123456789,0\n", b'"q",r\n'])


@given(
    content=st.one_of(
        st.lists(PIECES, max_size=40), st.lists(PLAIN_LINES, max_size=40), st.lists(PIECES | PLAIN_LINES)
    ),
    width=st.integers(1, 3),
    batch_rows=st.integers(1, 7),
    delimiter=st.sampled_from(",;"),
    block=st.integers(1, 40),
)
def test_plain_blocks_are_read_as_the_csv_library_reads_them(
    content: list[bytes], width: int, batch_rows: int, delimiter: str, block: int
) -> None:
    arguments = (b"header\n" + b"".join(content), width, batch_rows, delimiter)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "BLOCK_BYTES", block)
        found = outcome(*arguments)
        patch.setattr(plain_records, "PlainRecords", NothingPlain)
        assert outcome(*arguments) == found


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, as a pipe does."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found, self._content = self._content[:3], self._content[3:]
        return found


def test_streams_that_give_little_at_a_time() -> None:
    lines = [f"name {number},{1900 + number}\n" for number in range(200)]
    content = "name,born\n" + "".join(lines) + '"quoted, cell",x\nlast,line'
    reader = hushlink_encoder.CsvReader(Trickle(content.encode()), COLUMNS, batch_rows=50)  # type: ignore[arg-type]
    rows = [row for batch in reader for row in zip(*batch.columns, strict=True)]
    expected = [tuple(line.strip().split(",")) for line in lines] + [("quoted, cell", "x"), ("last", "line")]
    assert rows == expected
