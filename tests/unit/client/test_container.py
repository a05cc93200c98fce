"""Containers: what is written is read, by other tools too, and whatever is cut, changed or foreign is noticed."""

from __future__ import annotations

import hashlib
import pathlib
import random
import stat

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hushlink_client import container, encodings_file, errors, forms
from hushlink_domain import digests

HEADER = encodings_file.Header(bytes(range(32)), 64, b"k" * 16, "test/1")
ROW = 8
RELEASES = pathlib.Path(__file__).parents[2] / "vectors" / "containers"


def written(
    path: pathlib.Path, batches: list[bytes], numbers: list[list[int]] | None = None
) -> encodings_file.EncodingsFile:
    with forms.writing(path, HEADER) as writer:
        for place, batch in enumerate(batches):
            writer.add(batch, numbers[place] if numbers else None)
        return writer.finish()


def metadata(path: pathlib.Path) -> dict[str, str]:
    found = pq.read_metadata(path).metadata
    return {name.decode(): fact.decode() for name, fact in found.items()}


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("containers")


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 9), max_size=5),
    gaps=st.sets(st.integers(0, 60)),
    content=st.randoms(use_true_random=False),
    group_bytes=st.sampled_from([8, 24, 1 << 20]),
)
def test_what_is_written_is_read(
    scratch: pathlib.Path, sizes: list[int], gaps: set[int], content: random.Random, group_bytes: int
) -> None:
    batches = [content.randbytes(count * ROW) for count in sizes]
    free = [number for number in range(200) if number not in gaps]
    numbers = [[free.pop(0) for _ in range(count)] for count in sizes]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(container, "GROUP_BYTES", group_bytes)
        made = written(scratch / "read", batches, numbers)
    found = forms.read(scratch / "read")
    assert found == made
    assert (found.header, found.row_count) == (HEADER, sum(sizes))
    assert found.digest == digests.Digest.of(b"".join(batches))
    assert b"".join(found) == b"".join(batches)
    assert b"".join(found) == b"".join(batches), "it can be read again"
    flat = [number for part in numbers for number in part]
    assert [found.row_numbers[place] for place in range(found.row_count)] == flat
    assert found.row_numbers.missing == (flat[-1] + 1 if flat else 0) - len(flat)


def test_another_tool_reads_it_with_all_that_is_known(tmp_path: pathlib.Path) -> None:
    rows = [bytes([255] * count + [0] * (ROW - count)) for count in (1, 2, 2, 8)]
    made = written(tmp_path / "x.parquet", [b"".join(rows)], [[0, 3, 4, 9]])
    table = pq.read_table(tmp_path / "x.parquet")
    assert table.schema.types == [pa.int64(), pa.binary(ROW)]
    assert table.to_pydict() == {"row": [0, 3, 4, 9], "encoding": rows}
    facts = metadata(tmp_path / "x.parquet")
    assert facts.pop("hushlink.facts_sha256")
    numbers = np.array([0, 3, 4, 9], "<i8").tobytes()
    assert facts == {
        "hushlink.format": "encodings",
        "hushlink.format_version": "1",
        "hushlink.encoder_version": "test/1",
        "hushlink.schema_fingerprint": bytes(range(32)).hex(),
        "hushlink.key_check": b"kkkkkkkkkkkkkkkk".hex(),
        "hushlink.width_bits": "64",
        "hushlink.row_count": "4",
        "hushlink.sha256": made.digest.hex,
        "hushlink.rows_sha256": hashlib.sha256(numbers).hexdigest(),
        "hushlink.popcount_min": "8",
        "hushlink.popcount_median": "16",
        "hushlink.popcount_mean": "26",
        "hushlink.popcount_max": "64",
    }


def test_the_same_encodings_make_the_same_file_however_they_come(tmp_path: pathlib.Path) -> None:
    content = random.Random(1).randbytes(100 * ROW)
    written(tmp_path / "one", [content])
    written(tmp_path / "many", [content[start : start + ROW] for start in range(0, len(content), ROW)])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "many").read_bytes()


def test_an_empty_one(tmp_path: pathlib.Path) -> None:
    assert written(tmp_path / "x", []) == forms.read(tmp_path / "x")
    assert b"".join(forms.read(tmp_path / "x")) == b""
    assert "hushlink.popcount_min" not in metadata(tmp_path / "x")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, bytes]:
    path = tmp_path_factory.mktemp("sound") / "x.parquet"
    written(path, [b"abcdefgh" * 2, b"hgfedcba"], [[0, 1], [5]])
    return path, path.read_bytes()


def test_every_cut_is_noticed(sound: tuple[pathlib.Path, bytes], tmp_path: pathlib.Path) -> None:
    path, whole = tmp_path / "cut", sound[1]
    for size in range(0, len(whole), 3):
        path.write_bytes(whole[:size])
        with pytest.raises(errors.InputError, match="cut"):
            forms.read(path)


def test_every_changed_byte_is_noticed_or_changes_nothing(
    sound: tuple[pathlib.Path, bytes], tmp_path: pathlib.Path
) -> None:
    path, whole = tmp_path / "changed", sound[1]
    same = forms.read(sound[0])
    harmless = 0
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        path.write_bytes(changed)
        try:
            found = forms.read(path)
        except errors.InputError as refusal:
            assert str(path) in str(refusal)
            continue
        assert (found.header, found.row_numbers, found.digest) == (same.header, same.row_numbers, same.digest)
        assert b"".join(found) == b"".join(same)
        harmless += 1
    assert harmless < len(whole) / 2, "most of a file matters"


def test_no_mutation_gets_through_or_breaks_out(sound: tuple[pathlib.Path, bytes], tmp_path: pathlib.Path) -> None:
    path, whole = tmp_path / "mutant", sound[1]
    same = forms.read(sound[0])
    chance = random.Random(20)
    for _ in range(1000):
        mutant = bytearray(whole)
        for _ in range(chance.randint(1, 5)):
            start = chance.randrange(len(mutant))
            end = min(len(mutant), start + chance.randint(0, 6))
            mutant[start:end] = chance.choice(
                [chance.randbytes(end - start), b"", b"\xff" * (end - start), b"\x00\x7f"]
            )
        path.write_bytes(mutant)
        try:
            found = forms.read(path)
        except errors.InputError as refusal:
            assert len(str(refusal)) < 500
            continue
        assert (found.header, found.row_numbers, b"".join(found)) == (same.header, same.row_numbers, b"".join(same))


def forged(path: pathlib.Path, table: pa.Table, **changed: str | None) -> None:
    """A container with other columns or facts, whose digest of facts is right."""
    written(path, [b"abcdefgh" * 3], [[0, 1, 5]])
    facts = {name.removeprefix("hushlink."): fact for name, fact in metadata(path).items()} | changed
    kept = {name: fact for name, fact in facts.items() if fact is not None and name != "facts_sha256"}
    lines = "".join(f"{name}={fact}\n" for name, fact in sorted(kept.items()))
    kept["facts_sha256"] = hashlib.sha256(lines.encode()).hexdigest()
    with pq.ParquetWriter(path, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({f"hushlink.{name}": fact for name, fact in kept.items()})


def columns(rows: list[int | None], encodings: list[bytes | None], kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"row": pa.array(rows, pa.int64()), "encoding": pa.array(encodings, kind or pa.binary(ROW))})


SOUND = columns([0, 1, 5], [b"abcdefgh"] * 3)


@pytest.mark.parametrize(
    ("table", "changed", "said"),
    [
        (SOUND, {"format": None}, "no container"),
        (SOUND, {"format_version": "2"}, "format version 2, and this release reads up to 1"),
        (SOUND, {"format_version": "0"}, "facts"),
        (SOUND, {"format_version": "one"}, "format_version"),
        (SOUND, {"schema_fingerprint": "ab"}, "schema_fingerprint"),
        (SOUND, {"key_check": "zz" * 16}, "key_check"),
        (SOUND, {"width_bits": "128"}, "fixed-size binary of 16 bytes"),
        (SOUND, {"width_bits": "63"}, "facts"),
        (SOUND, {"width_bits": "9" * 7}, "facts"),
        (SOUND, {"row_count": "4"}, "row_count"),
        (SOUND, {"sha256": "0" * 64}, "hushlink.sha256"),
        (SOUND, {"rows_sha256": "0" * 64}, "rows_sha256"),
        (SOUND, {"popcount_mean": "1"}, "popcount_mean"),
        (SOUND, {"encoder_version": "a\nb"}, "encoder_version"),
        (columns([0, 1, 6], [b"abcdefgh"] * 3), {}, "rows_sha256"),
        (columns([0, 5, 1], [b"abcdefgh"] * 3), {}, "do not ascend"),
        (columns([0, 5, 5], [b"abcdefgh"] * 3), {}, "do not ascend"),
        (columns([-1, 0, 1], [b"abcdefgh"] * 3), {}, "do not ascend"),
        (columns([-(2**63), 2**63 - 1, 3], [b"abcdefgh"] * 3), {}, "do not ascend"),
        (columns([0, 1, None], [b"abcdefgh"] * 3), {}, "after encoding 0"),
        (columns([0, 1, 5], [b"abcdefgh", None, b"abcdefgh"]), {}, "after encoding 0"),
        (columns([0, 1], [b"abcdefgh"] * 2), {}, "row_count"),
        (columns([0, 1, 5], [b"abcdefgh"] * 3, pa.binary()), {}, "columns"),
        (columns([0, 1, 5], [b"abcdefgh"] * 3).drop_columns(["row"]), {}, "columns"),
        (columns(list(range(9999)), [b"abcdefgh"] * 9999), {}, "more encodings than it has room for"),
    ],
)
def test_forgeries(tmp_path: pathlib.Path, table: pa.Table, changed: dict[str, str | None], said: str) -> None:
    forged(tmp_path / "x.parquet", table, **changed)
    with pytest.raises(errors.InputError, match=said) as refused:
        forms.read(tmp_path / "x.parquet")
    assert str(tmp_path / "x.parquet") in str(refused.value)


def test_facts_of_later_releases_are_read_over(tmp_path: pathlib.Path) -> None:
    forged(tmp_path / "x", SOUND, colour="blue")
    assert forms.read(tmp_path / "x").row_count == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "hushlink encode"),
        (b"given_name,surname\n", "hushlink encode"),
        (b'{"clks": []}', "--form clkhash-json"),
        (b"PAR1", "cut"),
    ],
)
def test_other_files_are_refused(tmp_path: pathlib.Path, content: bytes, said: str) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(errors.InputError, match="other") as refused:
        forms.read(tmp_path / "other")
    assert said in str(refused.value)


def test_a_table_that_is_no_container_is_refused(tmp_path: pathlib.Path) -> None:
    pq.write_table(pa.table({"name": ["anna"]}), tmp_path / "people.parquet")
    with pytest.raises(errors.InputError, match="no container of encodings"):
        forms.read(tmp_path / "people.parquet")


@pytest.mark.parametrize("form", forms.WRITTEN)
def test_a_file_that_fails_leaves_what_was_there(tmp_path: pathlib.Path, form: forms.Form) -> None:
    path = tmp_path / "some.encodings"
    path.write_text("of an earlier time")
    with pytest.raises(KeyError), forms.writing(path, HEADER, form) as writer:
        writer.add(b"a" * 8)
        raise KeyError
    assert path.read_text() == "of an earlier time"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("form", forms.WRITTEN)
def test_only_we_may_read_it(tmp_path: pathlib.Path, form: forms.Form) -> None:
    with forms.writing(tmp_path / "x", HEADER, form) as writer:
        writer.add(b"a" * 8)
        writer.finish()
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600


def test_a_folder_that_is_not_there_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.InputError, match="nowhere"), forms.writing(tmp_path / "nowhere" / "file", HEADER):
        pass
    with pytest.raises(errors.InputError, match="nowhere"):
        forms.read(tmp_path / "nowhere")


@pytest.mark.parametrize("path", sorted(RELEASES.glob("*.parquet")), ids=lambda path: path.name)
def test_containers_of_every_format_version_are_read(path: pathlib.Path) -> None:
    found = forms.read(path)
    assert found.header == HEADER
    assert found.digest == digests.Digest.of(bytes(range(5 * ROW)))
    assert [found.row_numbers[place] for place in range(5)] == [0, 1, 2, 7, 8]


def test_there_is_a_container_of_every_format_version() -> None:
    versions = {int(metadata(path)["hushlink.format_version"]) for path in RELEASES.glob("*.parquet")}
    assert versions == set(range(1, container.FORMAT_VERSION + 1))
