"""clkhash's JSON and raw encodings: what is read and written, and what is refused where."""

from __future__ import annotations

import base64
import json
import pathlib
import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hushlink_client import clkhash_json, encodings_file, errors, forms
from hushlink_domain import digests

HEADER = encodings_file.Header(bytes(range(32)), 64, b"k" * 16, "test/1")
JSON = forms.Form.CLKHASH_JSON
ROWS = [b"abcdefgh", bytes([251, 255, 254, 250]) * 2, b"\0" * 8]


def read(folder: pathlib.Path, content: bytes) -> encodings_file.EncodingsFile:
    (folder / "clks.json").write_bytes(content)
    return forms.read(folder / "clks.json", JSON)


def refusal(folder: pathlib.Path, content: bytes) -> str:
    with pytest.raises(errors.InputError) as refused:
        read(folder, content)
    assert str(folder / "clks.json") in str(refused.value)
    assert len(str(refused.value)) < 500
    return str(refused.value)


def texts(rows: list[bytes]) -> list[str]:
    return [base64.b64encode(row).decode() for row in rows]


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("json")


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 30),
    width=st.integers(1, 40),
    chance=st.randoms(use_true_random=False),
    indent=st.sampled_from([None, 0, 4]),
    bom=st.booleans(),
    read_bytes=st.integers(1, 300),
)
def test_any_layout_is_read(
    scratch: pathlib.Path, count: int, width: int, chance: random.Random, indent: int | None, bom: bool, read_bytes: int
) -> None:
    rows = [chance.randbytes(width) for _ in range(count)]
    content = (b"\xef\xbb\xbf" if bom else b"") + json.dumps({"clks": texts(rows)}, indent=indent).encode()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clkhash_json, "_READ_BYTES", read_bytes)
        found = read(scratch, content)
        assert b"".join(found) == b"".join(rows)
        assert b"".join(found) == b"".join(rows), "it can be read again"
    assert (found.row_count, found.header.width_bits) == (count, width * 8)
    assert found.digest == digests.Digest.of(b"".join(rows))
    assert found.row_numbers == encodings_file.RowNumbers(count)


@pytest.mark.parametrize("batches", [[], [ROWS], [ROWS[:1], [], ROWS[1:]]])
def test_what_is_written_any_parser_reads(tmp_path: pathlib.Path, batches: list[list[bytes]]) -> None:
    rows = [row for batch in batches for row in batch]
    with forms.writing(tmp_path / "x", HEADER, JSON) as writer:
        for batch in batches:
            writer.add(b"".join(batch))
        made = writer.finish()
    assert json.loads((tmp_path / "x").read_text()) == {"clks": texts(rows)}
    assert (made.header, made.row_count) == (HEADER, len(rows))
    if rows:
        found = forms.read(tmp_path / "x", JSON)
        assert (found.digest, b"".join(found)) == (made.digest, b"".join(made))


def test_other_spellings_of_the_same_bytes(tmp_path: pathlib.Path) -> None:
    encoding = ROWS[1] * 60
    lines = base64.encodebytes(encoding).decode()
    assert "/" in lines and lines.count("\n") > 1
    escaped = json.dumps(lines).replace("/", "\\/").replace("+", "\\u002b")
    assert b"".join(read(tmp_path, b'{"clks":[' + escaped.encode() + b"]}")) == encoding


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "byte 0"),
        (b"[]", "byte 0"),
        (b'{"clks": {}}', "byte 0"),
        (b'{"clknblocks": [["AAAA", "b"]]}', "blocks are not taken"),
        (b'{"CLKS": ["AAAA"]}', '"clks" is expected'),
        (b'{"clks": []}', "no encodings"),
        (b'{"clks": ["AAAA", 7]}', "before byte 17, encoding 1"),
        (b'{"clks": ["AAAA",]}', "encoding 1"),
        (b'{"clks": ["AAAA" "AAAA"]}', "encoding 0"),
        (b'{"clks": ["AAAA", "A', "before byte 17, encoding 1"),
        (b'{"clks": ["AAAA"', "encoding 0"),
        (b'{"clks": ["AAAA"]', "end of the object"),
        (b'{"clks": ["AAAA"]} more', "end of the object"),
        (b'{"clks": ["AAAA"], "more": 1}', "another key"),
        (b'{"clks": ["AAAA", "AAA"]}', "encoding 1 (from 0) is no base64"),
        (b'{"clks": ["AA=AAA=="]}', "encoding 0 (from 0) is no base64"),
        (b'{"clks": ["A-_A"]}', "no base64"),
        (b'{"clks": ["AA\\qAA"]}', "no base64"),
        (b'{"clks": ["AA\xff\\n"]}', "no base64"),
        (b'{"clks": ["\xc3\xa9\\n"]}', "no base64"),
        (b'{"clks": ["AAAA", "AAAAAAAA"]}', "encoding 1 (from 0) has 6 bytes"),
        (b'{"clks": ["AAAA", ""]}', "encoding 1 (from 0) has 0 bytes"),
        (b'{"clks": [""]}', "encoding 0 (from 0) has 0 bytes"),
        (b'{"clks": ["' + b"A" * 4_000_000 + b'"]}', "encoding 0"),
        (b'{"clks": ["AAAA"]' + b" " * 4_000_000, "end of the object"),
        (b" " * 4_000_000, "byte 0"),
    ],
)
def test_what_is_refused(tmp_path: pathlib.Path, content: bytes, said: str) -> None:
    assert said in refusal(tmp_path, content)


def test_every_cut_is_noticed(tmp_path: pathlib.Path) -> None:
    content = json.dumps({"clks": texts(ROWS)}).encode()
    for size in range(len(content)):
        refusal(tmp_path, content[:size])


def test_no_mutation_breaks_out(tmp_path: pathlib.Path) -> None:
    content = json.dumps({"clks": texts(ROWS)}).encode()
    chance = random.Random(4)
    for _ in range(700):
        mutant = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            mutant[chance.randrange(len(mutant))] = chance.choice([*b'"\\,[]{}:= \n/', chance.randrange(256)])
        try:
            found = read(tmp_path, bytes(mutant))
        except errors.InputError as error:
            assert len(str(error)) < 500
            continue
        # What is taken is what any parser finds there.
        entries = json.loads(mutant)["clks"]
        assert b"".join(found) == b"".join(base64.b64decode(entry, validate=True) for entry in entries)


def test_memory_does_not_grow_with_the_file(tmp_path: pathlib.Path) -> None:
    content = b'{"clks": [' + b",\n".join([b'"' + base64.b64encode(b"x" * 1024) + b'"'] * 20_000) + b"]}"
    (tmp_path / "clks.json").write_bytes(content)
    del content
    tracemalloc.start()
    try:
        assert forms.read(tmp_path / "clks.json", JSON).row_count == 20_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


def test_a_gap_is_refused_where_there_is_no_place_for_row_numbers(tmp_path: pathlib.Path) -> None:
    with (
        pytest.raises(errors.InputError, match="--bad-rows empty"),
        forms.writing(tmp_path / "x", HEADER, JSON) as writer,
    ):
        writer.add(ROWS[0] + ROWS[1], [0, 2])
    assert not (tmp_path / "x").exists()


def test_raw_encodings(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"".join(ROWS))
    found = forms.read(path, forms.Form.RAW, width_bits=64, count=3)
    assert (found.row_count, found.header.width_bits) == (3, 64)
    assert found.digest == digests.Digest.of(b"".join(ROWS))
    assert b"".join(found) == b"".join(ROWS) == b"".join(found)
    for width_bits, count, said in (
        (64, 2, "3 encodings, and 2"),
        (56, 3, "3 encodings and 3 bytes"),
        (63, 3, "multiple"),
    ):
        with pytest.raises(errors.InputError, match=said):
            forms.read(path, forms.Form.RAW, width_bits=width_bits, count=count)
    with pytest.raises(errors.InputError, match="width and count"):
        forms.read(path, forms.Form.RAW)


def test_a_width_or_count_that_is_named_is_checked(tmp_path: pathlib.Path) -> None:
    read(tmp_path, json.dumps({"clks": texts(ROWS)}).encode())
    path = tmp_path / "clks.json"
    assert forms.read(path, JSON, width_bits=64, count=3).row_count == 3
    for named in ({"width_bits": 128}, {"count": 4}):
        with pytest.raises(errors.InputError, match="was named"):
            forms.read(path, JSON, **named)
