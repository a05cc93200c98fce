"""Files of encodings: what is written is read, and whatever is cut or changed is noticed."""

from __future__ import annotations

import pathlib
import stat
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hushlink_client import encodings_file, errors
from hushlink_domain import digests

HEADER = encodings_file.Header(bytes(range(32)), 64, b"k" * 16, "test/1")
ROW = 8


def written(folder: pathlib.Path, batches: list[bytes]) -> pathlib.Path:
    path = folder / "some.encodings"
    encodings_file.write(path, HEADER, batches)
    return path


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("encodings")


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.integers(0, 9), max_size=5), content=st.randoms(use_true_random=False))
def test_what_is_written_is_read(scratch: pathlib.Path, rows: list[int], content) -> None:
    batches = [content.randbytes(count * ROW) for count in rows]
    made = encodings_file.write(scratch / "read", HEADER, batches)
    found = encodings_file.read(scratch / "read")
    assert found == made
    assert (found.header, found.row_count) == (HEADER, sum(rows))
    assert found.digest == digests.Digest.of(b"".join(batches))
    assert b"".join(found) == b"".join(batches)
    assert list(found) == list(found), "it can be read again"


def test_every_cut_is_noticed(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path, [b"a" * 16, b"b" * 8])
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(errors.InputError):
            encodings_file.read(path)


def test_every_changed_byte_is_noticed(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path, [b"a" * 16, b"b" * 8])
    whole = path.read_bytes()
    same = encodings_file.read(path)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        path.write_bytes(changed)
        try:
            found = encodings_file.read(path)
        except errors.InputError:
            continue
        # The header is checked by the coordinator, which knows what was agreed; encodings are never taken for others.
        assert found.header != same.header, place
        assert b"".join(found) == b"a" * 16 + b"b" * 8


def frames(content: bytes) -> list[bytes]:
    """The frames of a file, each with its size."""
    rest, found = content.removeprefix(encodings_file.MAGIC), []
    while rest:
        end = 4 + struct.unpack_from("<I", rest)[0]
        found.append(rest[:end])
        rest = rest[end:]
    return found


@pytest.mark.parametrize(
    "order", [(0, 1, 3), (0, 2, 3), (0, 2, 1, 3), (0, 1, 1, 2, 3), (1, 2, 3), (0, 3), (3,), (), (0, 1, 2)]
)
def test_frames_that_are_missing_or_out_of_order_are_noticed(tmp_path: pathlib.Path, order: tuple[int, ...]) -> None:
    path = written(tmp_path, [b"a" * 16, b"b" * 8])
    parts = frames(path.read_bytes())
    assert len(parts) == 4
    path.write_bytes(encodings_file.MAGIC + b"".join(parts[number] for number in order))
    with pytest.raises(errors.InputError):
        encodings_file.read(path)


@pytest.mark.parametrize("content", [b"", b"given_name,surname\n", encodings_file.MAGIC + b"\xff\xff\xff\xff"])
def test_other_files_are_refused(tmp_path: pathlib.Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(errors.InputError, match="other"):
        encodings_file.read(tmp_path / "other")


def test_a_file_that_fails_leaves_what_was_there(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "some.encodings"
    path.write_text("of an earlier time")

    def failing():
        yield b"a" * 8
        raise KeyError

    with pytest.raises(KeyError):
        encodings_file.write(path, HEADER, failing())
    assert path.read_text() == "of an earlier time"
    assert list(tmp_path.iterdir()) == [path]


def test_only_we_may_read_it(tmp_path: pathlib.Path) -> None:
    assert stat.S_IMODE(written(tmp_path, [b"a" * 8]).stat().st_mode) == 0o600


def test_a_folder_that_is_not_there_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.InputError, match="nowhere"):
        encodings_file.write(tmp_path / "nowhere" / "file", HEADER, [])
