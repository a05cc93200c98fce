"""Uploads over the wire: wrong ones are refused and change nothing, cut ones go on, right ones are sealed once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import grpc
import hypothesis
import pytest
from hypothesis import strategies as st

from hushlink.coordinator.v1 import upload_service_pb2 as pb
from hushlink.mesh.v1 import digest_pb2
from tests.support import encodings, repository, wire

_Code = grpc.StatusCode

CHUNK_ROWS = 8192
"""Rows of a full chunk of the width below: two mebibytes."""
WIDE = 256


# ---- one faulty stream ---------------------------------------------------------

Frames = list[wire.Frame]
Spoil = Callable[[Frames], object]


def _spoilt(at: int, kind: str, **fields: Any) -> Spoil:
    """Change fields of the frame at a place."""

    def spoil(frames: Frames) -> None:
        for name, value in fields.items():
            setattr(getattr(frames[at], kind), name, value)

    return spoil


def _flip(frames: Frames) -> None:
    """A bit that changed on the way."""
    data = bytearray(frames[2].chunk.encodings)
    data[5] ^= 1
    frames[2].chunk.encodings = bytes(data)


def _flip_unseen(frames: Frames) -> None:
    """A bit that changed before the checksum was made."""
    _flip(frames)
    frames[2] = wire.chunk(frames[2].chunk.first_row, frames[2].chunk.encodings)


def _ragged(frames: Frames) -> None:
    """A last record that is cut short."""
    last = frames[-2].chunk
    frames[-2] = wire.chunk(last.first_row, last.encodings[:-1])


def _short_hash(frames: Frames) -> None:
    frames[-1].trailer.digest.hash = frames[-1].trailer.digest.hash[:31]


def _no_rows(frames: Frames) -> None:
    frames[1:] = [wire.trailer(b"", 0)]


def _twice(at: int) -> Spoil:
    return lambda frames: frames.insert(at, frames[at])


def _without(at: int) -> Spoil:
    return lambda frames: frames.pop(at)


def _order(expected: str, found: str) -> dict[str, str]:
    return {"expected": expected, "found": found}


FAULTS: dict[str, tuple[Spoil, grpc.StatusCode, str, dict[str, str]]] = {
    "width 0": (_spoilt(0, "header", width_bits=0), _Code.INVALID_ARGUMENT, "INVALID_REQUEST", {"field": "width_bits"}),
    "no whole bytes": (
        _spoilt(0, "header", width_bits=127),
        _Code.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        {"field": "width_bits", "found": "127"},
    ),
    "too wide": (
        _spoilt(0, "header", width_bits=2**32 - 8),
        _Code.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        {"field": "width_bits"},
    ),
    "another width": (
        _spoilt(0, "header", width_bits=120),
        _Code.INVALID_ARGUMENT,
        "CHUNK_RAGGED",
        {"first_row": "0", "bytes": "320", "width_bytes": "15"},
    ),
    "ragged record": (
        _ragged,
        _Code.INVALID_ARGUMENT,
        "CHUNK_RAGGED",
        {"first_row": "40", "bytes": "319", "width_bytes": "16"},
    ),
    "short fingerprint": (
        _spoilt(0, "header", schema_fingerprint=b"x" * 31),
        _Code.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        {"field": "schema_fingerprint", "found": "31"},
    ),
    "short key check": (
        _spoilt(0, "header", key_check=b"x" * 17),
        _Code.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        {"field": "key_check", "found": "17"},
    ),
    "count too small": (
        _spoilt(-1, "trailer", row_count=59),
        _Code.DATA_LOSS,
        "COUNT_MISMATCH",
        {"expected": "59", "found": "60"},
    ),
    "count too large": (
        _spoilt(-1, "trailer", row_count=2**64 - 1),
        _Code.DATA_LOSS,
        "COUNT_MISMATCH",
        {"expected": str(2**64 - 1), "found": "60"},
    ),
    "lost chunk": (_without(3), _Code.DATA_LOSS, "COUNT_MISMATCH", {"expected": "60", "found": "40"}),
    "changed rows": (_flip_unseen, _Code.DATA_LOSS, "DIGEST_MISMATCH", {}),
    "short digest": (_short_hash, _Code.DATA_LOSS, "DIGEST_MISMATCH", {}),
    "no digest": (lambda frames: frames[-1].trailer.ClearField("digest"), _Code.DATA_LOSS, "DIGEST_MISMATCH", {}),
    "damaged chunk": (_flip, _Code.DATA_LOSS, "CHUNK_CORRUPT", {"first_row": "20"}),
    "no checksum": (_spoilt(1, "chunk", crc32c=0), _Code.DATA_LOSS, "CHUNK_CORRUPT", {"first_row": "0"}),
    "no row": (_no_rows, _Code.INVALID_ARGUMENT, "UPLOAD_EMPTY", {}),
    "gap": (_without(2), _Code.OUT_OF_RANGE, "CHUNK_OFFSET", {"expected_row": "20", "found_row": "40"}),
    "overlap": (
        _spoilt(2, "chunk", first_row=19),
        _Code.OUT_OF_RANGE,
        "CHUNK_OFFSET",
        {"expected_row": "20", "found_row": "19"},
    ),
    "chunk twice": (_twice(2), _Code.OUT_OF_RANGE, "CHUNK_OFFSET", {"expected_row": "40", "found_row": "20"}),
    "far row": (
        _spoilt(1, "chunk", first_row=2**64 - 1),
        _Code.OUT_OF_RANGE,
        "CHUNK_OFFSET",
        {"expected_row": "0", "found_row": str(2**64 - 1)},
    ),
    "start behind what is kept": (
        _spoilt(0, "header", first_row=2**63),
        _Code.OUT_OF_RANGE,
        "CHUNK_OFFSET",
        {"expected_row": "0", "found_row": str(2**63)},
    ),
    "nothing": (
        lambda frames: frames.clear(),
        _Code.INVALID_ARGUMENT,
        "STREAM_ORDER",
        _order("header", "the stream's end"),
    ),
    "empty frame first": (
        lambda frames: frames.insert(0, wire.Frame()),
        _Code.INVALID_ARGUMENT,
        "STREAM_ORDER",
        _order("header", "an empty frame"),
    ),
    "empty frame": (
        lambda frames: frames.insert(2, wire.Frame()),
        _Code.INVALID_ARGUMENT,
        "STREAM_ORDER",
        _order("chunk or trailer", "an empty frame"),
    ),
    "no header": (_without(0), _Code.INVALID_ARGUMENT, "STREAM_ORDER", _order("header", "chunk")),
    "trailer first": (
        lambda frames: frames.insert(0, frames[-1]),
        _Code.INVALID_ARGUMENT,
        "STREAM_ORDER",
        _order("header", "trailer"),
    ),
    "two headers": (_twice(0), _Code.INVALID_ARGUMENT, "STREAM_ORDER", _order("chunk or trailer", "header")),
    "no trailer": (
        _without(-1),
        _Code.INVALID_ARGUMENT,
        "STREAM_ORDER",
        _order("chunk or trailer", "the stream's end"),
    ),
    "chunk behind the trailer": (
        lambda frames: frames.append(frames[1]),
        _Code.INVALID_ARGUMENT,
        "STREAM_ORDER",
        _order("the stream's end", "chunk"),
    ),
    "two trailers": (_twice(-1), _Code.INVALID_ARGUMENT, "STREAM_ORDER", _order("the stream's end", "trailer")),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_faulty_upload_is_refused_and_changes_nothing(coordinator: wire.Coordinator, fault: str) -> None:
    spoil, code, reason, facts = FAULTS[fault]
    project = await coordinator.create()
    datasets = wire.people(2)
    frames = wire.upload(project.project_id, datasets[0], (20,))
    spoil(frames)
    async with project.unharmed(datasets):
        refusal = await wire.refusal(project.sending(0, frames))
        assert (refusal.code, refusal.reason) == (code, reason), refusal
        assert facts.items() <= refusal.facts.items()


@hypothesis.settings(
    max_examples=25, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(places=st.lists(st.integers(0, 6), max_size=9))
async def test_frames_in_any_order(coordinator: wire.Coordinator, places: list[int]) -> None:
    """Only the right frames in their right order seal a dataset; anything else is foreseen and said."""
    project = await coordinator.create()
    (rows,) = wire.people(1)
    right = wire.upload(project.project_id, rows, (20,))
    pool = [*right, wire.Frame(), wire.chunk(0, b"")]
    frames = [pool[place] for place in places]
    try:
        receipt = (await project.sending(0, frames)).upload
    except grpc.aio.AioRpcError as error:
        assert wire.refusal_of(error).reason in {"STREAM_ORDER", "CHUNK_OFFSET", "COUNT_MISMATCH", "UPLOAD_EMPTY"}
        assert not (await project.described()).parties[0].sealed
        receipt = await project.upload(0, rows)
    else:
        assert [frame for frame in frames if frame != pool[6]] == right
    assert receipt.digest.hash == hashlib.sha256(rows.tobytes()).digest()


async def test_a_message_beyond_the_limit_is_refused(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    rows = encodings.encodings((5 << 20) // WIDE, WIDE, 1)
    async with project.unharmed():
        refusal = await wire.refusal(project.sending(0, wire.upload(project.project_id, rows, (len(rows),))))
        assert refusal.code is _Code.RESOURCE_EXHAUSTED
        assert (await project.upload_of(0)).committed_rows == 0


# ---- what the parties agree on ---------------------------------------------------

FIRST, OTHER = b"f" * 32, b"o" * 32


DIFFERENCES: list[tuple[dict[str, Any], dict[str, Any], str, dict[str, str]]] = [
    ({}, {"width_bits": 64}, "WIDTH_MISMATCH", {"expected_bits": "128", "found_bits": "64"}),
    (
        {"schema_fingerprint": FIRST},
        {"schema_fingerprint": OTHER},
        "FINGERPRINT_MISMATCH",
        {"expected": FIRST.hex(), "found": OTHER.hex()},
    ),
    ({"schema_fingerprint": FIRST}, {}, "FINGERPRINT_MISMATCH", {"expected": FIRST.hex(), "found": ""}),
    ({"key_check": b"k" * 16}, {"key_check": b"l" * 16}, "KEY_CHECK_MISMATCH", {}),
]


@pytest.mark.parametrize(("agreed", "offered", "reason", "facts"), DIFFERENCES)
async def test_a_party_that_differs_from_the_first_is_told_so(
    coordinator: wire.Coordinator, agreed: dict[str, Any], offered: dict[str, Any], reason: str, facts: dict[str, str]
) -> None:
    project = await coordinator.create()
    datasets = wire.people(2)
    await project.upload(0, datasets[0], **agreed)
    async with project.unharmed(datasets, **agreed):
        refusal = await wire.refusal(project.upload(1, datasets[1], **offered))
        assert (refusal.code, refusal.reason) == (_Code.FAILED_PRECONDITION, reason)
        assert refusal.facts == facts
    described = await project.described()
    assert described.width_bits == 128
    assert described.schema_fingerprint == agreed.get("schema_fingerprint", b"")


@pytest.mark.parametrize(("agreed", "offered", "reason", "facts"), DIFFERENCES)
async def test_a_party_that_was_overtaken_by_a_different_one_is_told_so(
    coordinator: wire.Coordinator, agreed: dict[str, Any], offered: dict[str, Any], reason: str, facts: dict[str, str]
) -> None:
    """Both were right when they began; whoever seals first fixes what is agreed."""
    project = await coordinator.create()
    datasets = wire.people(2)
    late_rows = wire.people(2, width_bytes=offered.get("width_bits", 128) // 8)[1]
    async with wire.Stream(project, 1) as late:
        first, *others = wire.upload(project.project_id, late_rows, **offered)
        await late.begun(first)
        await project.upload(0, datasets[0], **agreed)
        async with project.unharmed(datasets, **agreed):
            refusal = await late.refused(*others)
            assert (refusal.code, refusal.reason) == (_Code.FAILED_PRECONDITION, reason)
            assert refusal.facts == facts


@pytest.mark.parametrize(
    ("offered", "reason", "facts"),
    [
        ({"schema_fingerprint": OTHER}, "FINGERPRINT_MISMATCH", {"found": OTHER.hex()}),
        ({}, "FINGERPRINT_MISMATCH", {"found": ""}),
        ({"width_bits": 128}, "WIDTH_MISMATCH", {"expected_bits": "1024", "found_bits": "128"}),
    ],
)
async def test_a_party_that_differs_from_the_projects_schema_is_told_so(
    coordinator: wire.Coordinator, offered: dict[str, Any], reason: str, facts: dict[str, str]
) -> None:
    schema = repository.ROOT / "services/encoder/src/hushlink_encoder/schemas/febrl4.json"
    project = await coordinator.create(schema_json=schema.read_text())
    fingerprint = (await project.described()).schema_fingerprint
    datasets = wire.people(2, width_bytes=128)
    async with project.unharmed(datasets, schema_fingerprint=fingerprint):
        refusal = await wire.refusal(project.upload(0, datasets[0], **offered))
        assert (refusal.code, refusal.reason) == (_Code.FAILED_PRECONDITION, reason)
        expected = {"expected": fingerprint.hex()} if reason == "FINGERPRINT_MISMATCH" else {}
        assert refusal.facts == facts | expected


async def test_a_party_without_a_key_check_is_not_compared(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create(3)
    datasets = wire.people(3)
    await project.upload(0, datasets[0])
    await project.upload(1, datasets[1], key_check=b"k" * 16)
    refusal = await wire.refusal(project.upload(2, datasets[2], key_check=b"l" * 16))
    assert refusal.reason == "KEY_CHECK_MISMATCH"
    assert (b"k" * 16).hex() not in repr(refusal), "it helps to guess a secret"
    async with project.unharmed(datasets):
        pass


@pytest.mark.parametrize("first_row", [0, 60])
async def test_a_sealed_dataset_is_sealed(coordinator: wire.Coordinator, first_row: int) -> None:
    project = await coordinator.create()
    datasets = wire.people(2)
    receipt = await project.upload(0, datasets[0])
    async with project.unharmed(datasets):
        for rows in (datasets[0], datasets[1]):
            refusal = await wire.refusal(project.upload(0, rows, first_row=first_row))
            assert (refusal.code, refusal.reason) == (_Code.ALREADY_EXISTS, "DATASET_SEALED")
            assert refusal.facts == {"party": "0"}
    assert await project.upload_of(0) == receipt


# ---- right ones -----------------------------------------------------------------


async def test_a_receipt_says_what_was_sealed(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    (rows,) = wire.people(1)
    awaited = pb.Upload(party=1, state=pb.UPLOAD_STATE_AWAITED)
    assert await project.upload_of(1) == awaited
    receipt = await project.upload(1, rows, 7, encoder_version="ünknown\0" * 10_000)
    assert receipt == await project.upload_of(1)
    assert (receipt.party, receipt.state, receipt.committed_rows) == (1, wire.SEALED, len(rows))
    assert receipt.digest == digest_pb2.Digest(hash=hashlib.sha256(rows.tobytes()).digest(), size_bytes=rows.nbytes)
    assert receipt.upload_id
    assert receipt.seal_time.seconds
    shown = (await project.described()).parties
    assert [(party.sealed, party.row_count) for party in shown] == [(False, 0), (True, len(rows))]


@hypothesis.settings(
    max_examples=6, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(sizes=st.lists(st.sampled_from([1, 37, 800, 4095, 8191, 8192, 8193]), min_size=1, max_size=5))
async def test_however_it_is_cut_an_upload_is_the_same(coordinator: wire.Coordinator, sizes: list[int]) -> None:
    rows, others = encodings.overlapping(CHUNK_ROWS + 300, 200, WIDE, seed=7)
    project = await coordinator.create()
    if max(sizes) == 1:
        sizes = [*sizes, 500]
    receipt = await project.upload(0, rows, *sizes)
    assert receipt.digest.hash == hashlib.sha256(rows.tobytes()).digest()
    await project.upload(1, others)
    assert await project.groups(await project.run(0.8)) == wire.oracle([rows, others], 0.8)


@pytest.mark.parametrize("first_row", [2 * CHUNK_ROWS, CHUNK_ROWS, 0])
async def test_a_cut_upload_goes_on_or_starts_anew(coordinator: wire.Coordinator, first_row: int) -> None:
    """It goes on where it stopped, or where it stood when somebody asked before."""
    project = await coordinator.create()
    rows, others = encodings.overlapping(3 * CHUNK_ROWS + 100, 200, WIDE, seed=3)
    frames = wire.upload(project.project_id, rows, (3000,))
    async with wire.Stream(project) as cut:
        cut.send(*frames[:-3])
        await cut.committed(2 * CHUNK_ROWS)
    kept = await project.upload_of(0)
    assert (kept.state, kept.committed_rows) == (pb.UPLOAD_STATE_OPEN, 2 * CHUNK_ROWS)
    assert not kept.HasField("digest")
    for wrong in (CHUNK_ROWS - 1, 2 * CHUNK_ROWS + 1, 3 * CHUNK_ROWS):
        refusal = await wire.refusal(project.upload(0, rows, first_row=wrong))
        assert (refusal.code, refusal.reason) == (_Code.OUT_OF_RANGE, "CHUNK_OFFSET")
        assert refusal.facts == {"expected_row": str(2 * CHUNK_ROWS), "found_row": str(wrong)}
    assert await project.upload_of(0) == kept
    receipt = await project.upload(0, rows, 1234, first_row=first_row)
    assert (receipt.upload_id == kept.upload_id) == (first_row > 0)
    assert receipt.committed_rows == len(rows)
    assert receipt.digest.hash == hashlib.sha256(rows.tobytes()).digest()
    await project.upload(1, others)
    assert await project.groups(await project.run(0.8)) == wire.oracle([rows, others], 0.8)


async def test_an_upload_goes_on_only_as_it_began(coordinator: wire.Coordinator) -> None:
    project = await coordinator.create()
    rows = encodings.encodings(CHUNK_ROWS + 1, WIDE, 1)
    async with wire.Stream(project) as cut:
        cut.send(*wire.upload(project.project_id, rows)[:-1])
        await cut.committed(CHUNK_ROWS)
    refusal = await wire.refusal(project.upload(0, rows, first_row=CHUNK_ROWS, width_bits=8 * WIDE - 8))
    assert refusal.reason == "WIDTH_MISMATCH"
    assert refusal.facts == {"expected_bits": str(8 * WIDE), "found_bits": str(8 * WIDE - 8)}
    receipt = await project.upload(0, rows, first_row=CHUNK_ROWS)
    assert receipt.committed_rows == len(rows)


async def test_an_upload_that_lost_its_count_goes_on(coordinator: wire.Coordinator) -> None:
    """A refused trailer costs no full chunk."""
    project = await coordinator.create()
    rows = encodings.encodings(CHUNK_ROWS + 1, WIDE, 1)
    frames = wire.upload(project.project_id, rows)
    frames[-1].trailer.row_count += 1
    assert (await wire.refusal(project.sending(0, frames))).reason == "COUNT_MISMATCH"
    assert (await project.upload_of(0)).committed_rows == CHUNK_ROWS
    receipt = await project.upload(0, rows, first_row=CHUNK_ROWS)
    assert receipt.digest.hash == hashlib.sha256(rows.tobytes()).digest()


@pytest.mark.parametrize("goes_on", [True, False])
async def test_the_newest_stream_wins(coordinator: wire.Coordinator, goes_on: bool) -> None:
    project = await coordinator.create()
    rows, others = encodings.overlapping(2 * CHUNK_ROWS + 5, 100, WIDE, seed=4)
    frames = wire.upload(project.project_id, rows, (CHUNK_ROWS,))
    rest = wire.upload(project.project_id, rows, (CHUNK_ROWS,), CHUNK_ROWS) if goes_on else frames
    async with wire.Stream(project) as older, wire.Stream(project) as newer:
        older.send(*frames[:2])
        await older.committed(CHUNK_ROWS)
        newer.send(*rest[:-2])
        await newer.committed(2 * CHUNK_ROWS)
        refusal = await older.refused(*frames[2:])
        assert (refusal.code, refusal.reason, refusal.facts) == (_Code.ABORTED, "UPLOAD_SUPERSEDED", {})
        newer.send(*rest[-2:], None)
        assert (await newer.call).upload.digest.hash == hashlib.sha256(rows.tobytes()).digest()
    await project.upload(1, others)
    assert await project.groups(await project.run(0.8)) == wire.oracle([rows, others], 0.8)
