"""What the encoder refuses, as its callers are told: the reason, the place, never a cell or a secret."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

import hushlink_encoder
from hushlink.encoder.v1 import encoder_service_pb2 as pb
from hushlink_domain import errors
from tests.support import encoding

CELL_BYTES = 2000
BATCH_RECORDS = 5000
COLUMNS = 8


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def encoder() -> AsyncIterator[encoding.Encoder]:
    """One encoder for all tests, which says as much as it can."""
    limits = {"max_cell_bytes": CELL_BYTES, "max_batch_records": BATCH_RECORDS, "max_columns": COLUMNS}
    async with encoding.started_encoder(log_level="DEBUG", **limits) as one:
        yield one


GOOD = encoding.batch(0, encoding.records(5))


async def test_frames_out_of_order(encoder: encoding.Encoder) -> None:
    orders: list[tuple[tuple[encoding.Frame, ...], str, str]] = [
        ((), "header", "trailer"),
        ((GOOD,), "header", "batch"),
        ((encoding.header(), encoding.header()), "batch or trailer", "header"),
    ]
    for frames, expected, found in orders:
        refused = await encoding.refusal(encoder, *frames)
        assert refused.reason is errors.Reason.STREAM_ORDER
        assert refused.facts == {"expected": expected, "found": found}


async def test_a_stream_ends_with_a_trailer_that_counts_right(encoder: encoding.Encoder) -> None:
    frames = [frame.SerializeToString() for frame in encoding.encode_frames([encoding.header(), GOOD])]
    wrong = pb.EncodeRequest(trailer=pb.RecordsTrailer(row_count=4)).SerializeToString()
    cases: list[tuple[list[bytes], errors.Reason, dict[str, str]]] = [
        ([], errors.Reason.STREAM_ORDER, {"expected": "header", "found": "the stream's end"}),
        (frames[:2], errors.Reason.STREAM_ORDER, {"expected": "batch or trailer", "found": "the stream's end"}),
        ([*frames[:2], wrong], errors.Reason.COUNT_MISMATCH, {"expected": "4", "found": "5"}),
        ([*frames, frames[1]], errors.Reason.STREAM_ORDER, {"expected": "the stream's end", "found": "batch"}),
    ]
    for sent, reason, facts in cases:
        refused = encoding.refused(await encoding.failure_of_bytes(encoder, *sent))
        assert (refused.reason, refused.facts) == (reason, facts)


async def test_an_empty_frame(encoder: encoding.Encoder) -> None:
    refused = encoding.refused(await encoding.failure_of_bytes(encoder, b""))
    assert refused.facts == {"expected": "header", "found": "an empty frame"}


@pytest.mark.parametrize("first_row", [0, 4, 6])
async def test_rows_that_do_not_follow(encoder: encoding.Encoder, first_row: int) -> None:
    refused = await encoding.refusal(encoder, encoding.header(), GOOD, encoding.batch(first_row, encoding.records(1)))
    assert refused.reason is errors.Reason.CHUNK_OFFSET
    assert refused.facts == {"expected_row": "5", "found_row": str(first_row)}


def _with_cell(column: int, cell: str) -> pb.RecordBatch:
    """A second batch whose third row, row 7 of all, has a wrong cell."""
    rows = [list(row) for row in encoding.records(5, 5)]
    rows[2][column] = cell
    return encoding.batch(5, rows)


def _ragged() -> pb.RecordBatch:
    made = encoding.batch(5, encoding.records(5, 5))
    del made.columns[1].cells[2:]
    return made


def _columns(count: int) -> pb.RecordBatch:
    return encoding.batch(5, [["cell"] * count])


@pytest.mark.parametrize(
    ("batch", "row", "column", "kind"),
    [
        pytest.param(_with_cell(1, "1980-13-01"), 7, "born", "NOT_DATE", id="no date"),
        pytest.param(_with_cell(0, "x" * (CELL_BYTES + 1)), 7, "name", "OVERSIZE", id="long"),
        pytest.param(_with_cell(0, "\u20ac" * (CELL_BYTES // 3 + 1)), 7, "name", "OVERSIZE", id="long in bytes"),
        pytest.param(_with_cell(2, "x" * 10_000), 7, "note", "OVERSIZE", id="long but ignored"),
        pytest.param(_ragged(), 7, "born", "WRONG_CELL_COUNT", id="ragged"),
        pytest.param(_columns(2), 5, None, "WRONG_CELL_COUNT", id="two columns"),
        pytest.param(_columns(4), 5, None, "WRONG_CELL_COUNT", id="four columns"),
        pytest.param(_columns(0), 5, None, "WRONG_CELL_COUNT", id="no column"),
    ],
)
async def test_records_at_fault(
    encoder: encoding.Encoder, batch: pb.RecordBatch, row: int, column: str | None, kind: str
) -> None:
    refused = await encoding.refusal(encoder, encoding.header(), GOOD, batch)
    assert refused.reason is errors.Reason.RECORDS_INVALID
    assert refused.facts.pop("problem")
    named = {"column": column} if column else {}
    assert refused.facts == {"faults": "1", "kind": kind, "row": str(row), **named}
    assert str(row) in refused.message
    assert column is None or column in refused.message


async def test_cells_up_to_the_limit_are_taken(encoder: encoding.Encoder) -> None:
    rows = [("x" * CELL_BYTES, "1980-01-01", ""), ("\u20ac" * (CELL_BYTES // 3), "1980-01-01", "")]
    found = await encoding.encoded(encoder, encoding.header(), encoding.batch(0, rows))
    assert found.rows == hushlink_encoder.Encoder(encoding.schema(), encoding.SECRET).encode(rows).tobytes()


async def test_a_hundred_faults_fit_into_one_refusal(encoder: encoding.Encoder) -> None:
    document = encoding.schema(identifier="\u00e9" * 1000)
    document["features"][0]["format"] = {"type": "integer"}
    refused = await encoding.refusal(encoder, encoding.header(document), encoding.batch(0, encoding.records(500)))
    assert refused.reason is errors.Reason.RECORDS_INVALID
    assert int(refused.facts["faults"]) >= 100


NO_KEYS = [
    "unknown",
    "",
    ".",
    "..",
    "../agreed-2026",
    "/etc/passwd",
    "agreed-2026/",
    ".hidden",
    "folder",
    "x" * 200,
    "a\0b",
]


@pytest.mark.parametrize("name", NO_KEYS)
async def test_a_secret_that_is_not_there(encoder: encoding.Encoder, name: str) -> None:
    (encoder.keys / "folder").mkdir(exist_ok=True)
    (encoder.keys / ".hidden").write_bytes(encoding.SECRET)
    refused = await encoding.refusal(encoder, encoding.header(key=name))
    assert refused.reason is errors.Reason.KEY_UNKNOWN
    assert refused.facts == {"key_name": name if name in ("unknown", "folder") else ""}
    assert str(encoder.keys) not in refused.message


async def test_a_secret_that_cannot_be_used_is_for_the_operator(encoder: encoding.Encoder) -> None:
    (encoder.keys / "empty").write_bytes(b"\n")
    refused = await encoding.refusal(encoder, encoding.header(key="empty"))
    assert refused.reason is errors.Reason.KEY_UNKNOWN
    assert str(encoder.keys) not in refused.message
    assert f"{encoder.keys / 'empty'} is empty" in encoder.process.log.read_text()


async def test_more_records_than_a_batch_holds(encoder: encoding.Encoder) -> None:
    rows = encoding.records(BATCH_RECORDS + 1)
    refused = await encoding.refusal(encoder, encoding.header(), encoding.batch(0, rows))
    assert refused.reason is errors.Reason.LIMIT_EXCEEDED
    assert refused.facts == {"limit": "max_batch_records", "allowed": "5000", "found": "5001"}


async def test_encodings_that_do_not_fit_into_a_message(encoder: encoding.Encoder) -> None:
    document, rows = encoding.schema(16_384), encoding.records(2048)
    refused = await encoding.refusal(encoder, encoding.header(document), encoding.batch(0, rows))
    assert refused.reason is errors.Reason.LIMIT_EXCEEDED
    assert refused.facts == {"limit": "max_batch_records", "allowed": "2047", "found": "2048"}
    found = await encoding.encoded(encoder, encoding.header(document), encoding.batch(0, rows[:2047]))
    assert len(found.rows) == 2047 * 2048


async def test_schemas_beyond_the_limits(encoder: encoding.Encoder) -> None:
    document = encoding.schema()
    document["features"] += [{"identifier": f"more {number}", "ignored": True} for number in range(COLUMNS)]
    refused = await encoding.refusal(encoder, encoding.header(document))
    assert refused.reason is errors.Reason.LIMIT_EXCEEDED
    assert refused.facts == {"limit": "max_columns", "allowed": "8", "found": "11"}
    refused = await encoding.refusal(encoder, encoding.header(encoding.schema(32_768)))
    assert refused.reason is errors.Reason.INVALID_REQUEST
    assert refused.facts["field"] == "width_bits"


async def test_a_message_beyond_the_limit(encoder: encoding.Encoder) -> None:
    batch = encoding.batch(0, [("x" * (5 << 20), "1980-01-01", "")])
    frames = [frame.SerializeToString() for frame in encoding.encode_frames([encoding.header(), batch])]
    error = await encoding.failure_of_bytes(encoder, *frames)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


# ---- nothing personal gets out ------------------------------------------------

CANARY = "Wolkenstein"


def _streams_that_fail() -> list[list[encoding.Frame]]:
    bad = [(CANARY, CANARY, CANARY)] * 3
    header = encoding.header()
    patterned = encoding.schema(format={"type": "string", "pattern": "[0-9]+"})
    members = encoding.schema(format={"type": "enum", "values": ["a"]})
    numbers = encoding.schema(format={"type": "integer"})
    return [
        [header, encoding.batch(0, bad)],
        [encoding.header(patterned), encoding.batch(0, bad)],
        [encoding.header(members), encoding.batch(0, bad)],
        [encoding.header(numbers), encoding.batch(0, bad)],
        [header, encoding.batch(1, bad)],
        [header, encoding.batch(0, [(CANARY * 1000, "1980-01-01", "")])],
        [header, encoding.batch(0, [(CANARY, CANARY)])],
        [header, pb.RecordBatch(columns=[pb.Column(cells=[CANARY] * length) for length in (1, 2, 3)])],
        [header, encoding.batch(0, bad * (1 + BATCH_RECORDS // 3))],
        [encoding.batch(0, bad)],
        [encoding.header(f"{CANARY},{CANARY}\n")],
        [encoding.header(key=f"{CANARY} the secret itself")],
    ]


async def test_no_error_and_no_log_shows_a_cell_or_a_secret(encoder: encoding.Encoder) -> None:
    rows = [(CANARY, "1980-01-01", CANARY)]
    await encoding.encoded(encoder, encoding.header(), encoding.batch(0, rows))
    for frames in _streams_that_fail():
        with pytest.raises(grpc.RpcError) as caught:
            await encoding.encoded(encoder, *frames)
        assert CANARY not in encoding.everything_said(caught.value)
    assert CANARY not in await _said_of_broken_bytes(encoder)
    log = encoder.process.log.read_text()
    assert "serving" in log
    assert CANARY not in log
    assert encoding.SECRET.decode() not in log


async def _said_of_broken_bytes(encoder: encoding.Encoder) -> str:
    """What is said of a frame that is no message, since a cell is no UTF-8."""
    header, batch, _ = encoding.encode_frames([encoding.header(), encoding.batch(0, [(CANARY, CANARY, CANARY)])])
    broken = batch.SerializeToString().replace(CANARY.encode(), CANARY.encode()[:-1] + b"\xff", 1)
    return encoding.everything_said(await encoding.failure_of_bytes(encoder, header.SerializeToString(), broken))
