"""Uploads: the frames of a stream, wherever it starts and however the encodings are cut."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hushlink.coordinator.v1 import upload_service_pb2 as pb
from hushlink_client import uploads
from hushlink_domain import errors
from hushlink_mesh import framing

ROW = 16


async def frames(encoded: uploads.Encodings, first_row: int, message_bytes: int) -> list[pb.UploadEncodingsRequest]:
    sending = uploads.Sending("p", encoded, first_row, message_bytes, lambda _: None)
    return [frame async for frame in sending.frames()]


@given(
    cuts=st.lists(st.integers(0, 40), max_size=6),
    start=st.floats(0, 1),
    room=st.integers(1, 20),
)
async def test_the_rows_from_anywhere_to_the_end(cuts: list[int], start: float, room: int) -> None:
    rows = sum(cuts)
    content = hashlib.shake_256(b"rows").digest(rows * ROW)
    edges = [0, *itertools.accumulate(cuts)]
    chunks = [content[a * ROW : b * ROW] for a, b in itertools.pairwise(edges)]
    first_row = int(start * rows)
    message_bytes = uploads.FRAME_MARGIN + room * ROW
    found = await frames(uploads.Encodings(ROW * 8, b"f" * 32, chunks, b"k" * 16, "e"), first_row, message_bytes)
    header, *middle, trailer = found
    assert header.header == pb.UploadHeader(
        project_id="p",
        schema_fingerprint=b"f" * 32,
        width_bits=ROW * 8,
        key_check=b"k" * 16,
        encoder_version="e",
        first_row=first_row,
    )
    row = first_row
    for frame in middle:
        assert frame.chunk.first_row == row
        assert frame.chunk.crc32c == framing.crc32c(frame.chunk.encodings)
        assert 0 < len(frame.chunk.encodings) <= room * ROW
        row += len(frame.chunk.encodings) // ROW
    assert row == rows
    assert b"".join(frame.chunk.encodings for frame in middle) == content[first_row * ROW :]
    assert trailer.trailer.row_count == rows
    assert trailer.trailer.digest.hash == hashlib.sha256(content).digest()
    assert trailer.trailer.digest.size_bytes == len(content)


async def test_a_chunk_that_is_no_whole_number_of_rows() -> None:
    sending = uploads.Sending("p", uploads.Encodings(ROW * 8, b"", [b"x" * (ROW + 1)]), 0, 1 << 20, lambda _: None)
    with pytest.raises(errors.CallerError) as raised:
        [frame async for frame in sending.frames()]
    assert raised.value.reason is errors.Reason.CHUNK_RAGGED
    assert sending.fault is raised.value


def test_rows_of_an_array() -> None:
    rows = np.arange(6 * ROW, dtype=np.uint8).reshape(6, ROW)
    encoded = uploads.Encodings.of_rows(rows.data, b"f" * 32)
    assert encoded.width_bits == ROW * 8
    assert b"".join(encoded.chunks) == rows.tobytes()
    assert list(uploads.Encodings.of_rows(rows[:0].data, b"").chunks) == []


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(8, np.uint8),
        np.zeros((2, 8), np.uint16),
        np.zeros((4, 8), np.uint8)[:, ::2],
        np.zeros((2, 2, 2), np.uint8),
    ],
)
def test_arrays_that_are_no_encodings(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="C-contiguous"):
        uploads.Encodings.of_rows(wrong.data, b"")
