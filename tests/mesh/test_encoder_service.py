"""The encoder's service from outside: a real process, callers that know nothing but the protos."""

from __future__ import annotations

import asyncio
import json
import pathlib
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

import hushlink_encoder
from hushlink.encoder.v1 import encoder_service_pb2 as pb
from hushlink.mesh.v1 import server_service_pb2, server_service_pb2_grpc
from hushlink_domain import errors
from hushlink_domain import schema as schemas
from hushlink_mesh import channel, protocol
from tests.support import encoding, mesh


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def encoder() -> AsyncIterator[encoding.Encoder]:
    """One encoder for all tests that leave it as it is."""
    async with encoding.started_encoder() as one:
        yield one


def in_this_process(
    rows: list[encoding.Record], document: dict[str, Any] | None = None, secret: bytes = encoding.SECRET
) -> bytes:
    """What the engine makes of records."""
    return hushlink_encoder.Encoder(document or encoding.schema(), secret).encode(rows).tobytes()


async def answer(call: Any) -> pb.EncodeResponse:
    """The next answer of a stream."""
    found = await call.read()
    assert isinstance(found, pb.EncodeResponse)
    return found


# ---- encoding -----------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 700, 5000])
async def test_batches_are_answered_in_order(encoder: encoding.Encoder, size: int) -> None:
    rows = encoding.records(5000 if size > 1 else 20)
    batches = encoding.batches(rows, size)
    found = await encoding.encoded(encoder, encoding.header(), *batches)
    assert len(found.batches) == len(batches)
    assert found.rows == in_this_process(rows)


async def test_known_answers(encoder: encoding.Encoder) -> None:
    """One of the vectors that other implementations give too; the engine's own tests have them all."""
    hashing = {"comparison": {"type": "ngram", "n": 2}, "strategy": {"bitsPerToken": 3}}
    value = {"identifier": "value", "format": {"type": "string"}, "hashing": hashing}
    document = {"version": 3, "clkConfig": {"l": 64, "kdf": {"type": "HKDF"}}, "features": [value]}
    encoder.add_key("vectors", b"secret")
    batch = encoding.batch(0, [["anna"], ["\u0141ukasz"], [""]])
    found = await encoding.encoded(encoder, encoding.header(document, key="vectors"), batch)
    assert found.rows.hex() == "0130280043241821541151a7424003040000000000000000"


async def test_the_header_says_what_the_encodings_are(encoder: encoding.Encoder) -> None:
    found = await encoding.encoded(encoder, encoding.header(project="p-1"))
    fingerprint = schemas.parse(encoding.schema()).fingerprint()
    assert found.header.schema_fingerprint == fingerprint
    assert found.header.width_bits == 1024
    assert found.header.key_check == hushlink_encoder.key_check(encoding.SECRET, fingerprint, "p-1")
    assert found.header.encoder_version == f"hushlink-encoder/{protocol.VERSION}"


async def test_without_a_project_there_is_no_key_check(encoder: encoding.Encoder) -> None:
    found = await encoding.encoded(encoder, encoding.header())
    assert found.header.key_check == b""


async def test_a_width_is_rounded_up_to_whole_bytes(encoder: encoding.Encoder) -> None:
    hashing = {"comparison": {"type": "exact"}, "strategy": {"bitsPerToken": 9}, "hash": {"type": "doubleHash"}}
    document = encoding.schema(50, hashing=hashing)
    document["features"][1]["hashing"] = hashing
    rows = encoding.records(3)
    found = await encoding.encoded(encoder, encoding.header(document), encoding.batch(0, rows))
    assert found.header.width_bits == 56
    assert found.rows == in_this_process(rows, document)


async def test_a_stream_may_be_empty_and_so_may_a_batch(encoder: encoding.Encoder) -> None:
    assert (await encoding.encoded(encoder, encoding.header())).trailer.row_count == 0
    rows = encoding.records(2)
    batches = [encoding.batch(0, []), encoding.batch(0, rows), encoding.batch(2, [])]
    found = await encoding.encoded(encoder, encoding.header(), *batches)
    assert [len(answer.encodings) for answer in found.batches] == [0, 256, 0]


async def test_a_caller_may_wait_for_each_answer(encoder: encoding.Encoder) -> None:
    async with encoder.stub() as stub:
        call = stub.Encode()
        await call.write(pb.EncodeRequest(header=encoding.header()))
        assert (await answer(call)).WhichOneof("frame") == "header"
        for row in range(3):
            await call.write(pb.EncodeRequest(batch=encoding.batch(row, encoding.records(1, row))))
            assert (await answer(call)).batch.first_row == row
        await call.write(pb.EncodeRequest(trailer=pb.RecordsTrailer(row_count=3)))
        await call.done_writing()
        assert (await answer(call)).trailer.row_count == 3


async def test_many_streams_at_once_do_not_touch_each_other(encoder: encoding.Encoder) -> None:
    async def one(number: int) -> None:
        secret = b"secret %d" % number
        encoder.add_key(f"key-{number}", secret)
        rows = encoding.records(600, number)
        header = encoding.header(key=f"key-{number}")
        assert (await encoding.encoded(encoder, header, *encoding.batches(rows, 100))).rows == in_this_process(
            rows, secret=secret
        )

    await asyncio.gather(*(one(number) for number in range(8)))


async def test_a_secret_that_is_replaced_counts_from_the_next_stream(encoder: encoding.Encoder) -> None:
    rows = encoding.records(5)
    checks = set()
    for secret in (b"the old one", b"the new one"):
        encoder.add_key("rotated", secret)
        header = encoding.header(key="rotated", project="p")
        found = await encoding.encoded(encoder, header, encoding.batch(0, rows))
        assert found.rows == in_this_process(rows, secret=secret)
        checks.add(found.header.key_check)
    assert len(checks) == 2


# ---- schemas ------------------------------------------------------------------


async def test_a_schema_is_described(encoder: encoding.Encoder) -> None:
    document = encoding.schema(50) | {"hushlink": {"mode": "strict"}}
    document["features"] = [
        {**feature, "hashing": {**feature["hashing"], "hash": {"type": "doubleHash"}}}
        if "hashing" in feature
        else feature
        for feature in document["features"]
    ]
    async with encoder.stub() as stub:
        found = await stub.DescribeSchema(pb.DescribeSchemaRequest(schema_json=json.dumps(document)))
    assert found.schema_fingerprint == schemas.parse(document).fingerprint()
    assert (found.width_bits, found.mode) == (56, "strict")
    assert [(column.identifier, column.ignored) for column in found.columns] == [
        ("name", False),
        ("born", False),
        ("note", True),
    ]


FAULTY = ["", "{", "[]", '{"version": 3}', json.dumps(encoding.schema(0)), json.dumps(encoding.schema(format={}))]


@pytest.mark.parametrize("text", FAULTY)
async def test_every_fault_of_a_schema_is_listed(encoder: encoding.Encoder, text: str) -> None:
    with pytest.raises(schemas.InvalidSchema) as expected:
        schemas.parse_json(text)
    async with encoder.stub() as stub:
        found = await stub.ValidateSchema(pb.ValidateSchemaRequest(schema_json=text))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.DescribeSchema(pb.DescribeSchemaRequest(schema_json=text))
    faults = [(fault.path, fault.problem, fault.remedy) for fault in found.faults]
    assert faults == [(fault.path, fault.problem, fault.remedy) for fault in expected.value.faults]
    for refused in (encoding.refused(caught.value), await encoding.refusal(encoder, encoding.header(text))):
        assert refused.reason is errors.Reason.SCHEMA_INVALID
        facts = dict(zip(("path", "problem", "remedy"), faults[0], strict=True))
        assert refused.facts == {"faults": str(len(faults)), **facts}


async def test_a_valid_schema_has_no_fault(encoder: encoding.Encoder) -> None:
    async with encoder.stub() as stub:
        found = await stub.ValidateSchema(pb.ValidateSchemaRequest(schema_json=json.dumps(encoding.schema())))
    assert not found.faults


async def test_more_faults_than_a_message_holds_are_counted(encoder: encoding.Encoder) -> None:
    document = encoding.schema()
    document["features"] = [{f"key {key}": 0 for key in range(20)}] * 4000
    text = json.dumps(document)
    with pytest.raises(schemas.InvalidSchema) as expected:
        schemas.parse_json(text)
    async with encoder.stub() as stub:
        found = await stub.ValidateSchema(pb.ValidateSchemaRequest(schema_json=text))
    assert len(found.faults) <= len(expected.value.faults)
    assert (await encoding.refusal(encoder, encoding.header(text))).facts["faults"] == str(len(expected.value.faults))


# ---- how the process behaves --------------------------------------------------


async def test_it_is_a_member_of_the_mesh(encoder: encoding.Encoder) -> None:
    async with channel.connect(encoder.address) as opened:
        stub: Any = health_pb2_grpc.HealthStub(opened)  # its types know no method
        health = await stub.Check(health_pb2.HealthCheckRequest(service="hushlink.encoder.v1.EncoderService"))
        info = await server_service_pb2_grpc.ServerServiceStub(opened).GetServerInfo(
            server_service_pb2.GetServerInfoRequest()
        )
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert (info.service, info.protocol) == ("encoder", protocol.PROTOCOL)


async def test_a_caller_of_another_protocol(encoder: encoding.Encoder) -> None:
    refused = await encoding.refusal(encoder, encoding.header(), metadata=((protocol.METADATA_KEY, "99"),))
    assert refused.reason is errors.Reason.PROTOCOL_MISMATCH


def test_no_core_is_dumped(encoder: encoding.Encoder) -> None:
    limits = pathlib.Path(f"/proc/{encoder.process.pid}/limits").read_text()
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size")] == [["0", "0"]]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "HUSHLINK_KEYS"),
        ({"KEYS": "/nowhere"}, "HUSHLINK_KEYS"),
        ({"KEYS": "/", "COORDINATOR": "no address"}, "HUSHLINK_COORDINATOR"),
        ({"KEYS": "/", "COORDINATOR_CERTIFICATE": sys.executable}, "COORDINATOR_KEY"),
        ({"KEYS": "/", "STREAMS": "0"}, "HUSHLINK_STREAMS"),
    ],
)
def test_settings_at_fault_are_named(settings: dict[str, str], named: str) -> None:
    environment = mesh.environment(**{f"HUSHLINK_{name}": text for name, text in settings.items()})
    command = [sys.executable, "-m", "hushlink_encoder"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert "/nowhere" not in ended.stderr


async def test_more_streams_than_places() -> None:
    async with encoding.started_encoder(streams=1) as encoder, encoder.stub() as stub:
        call = stub.Encode()
        await call.write(pb.EncodeRequest(header=encoding.header()))
        await call.read()
        refused = await encoding.refusal(encoder, encoding.header())
        assert refused.reason is errors.Reason.LIMIT_EXCEEDED
        assert refused.facts == {"limit": "streams", "allowed": "1", "found": "2"}
        call.cancel()
        await _until_admitted(encoder)


async def _until_admitted(encoder: encoding.Encoder) -> None:
    """Open streams until one is taken: a place was given back."""
    async with asyncio.timeout(mesh.PATIENCE_SECONDS):
        while True:
            try:
                await encoding.encoded(encoder, encoding.header())
            except grpc.RpcError as error:
                assert encoding.refused(error).facts["limit"] == "streams"
            else:
                return


async def test_a_caller_that_is_silent_is_given_up() -> None:
    async with encoding.started_encoder(idle_timeout_seconds=0.2) as encoder, encoder.stub() as stub:
        call = stub.Encode()
        await call.write(pb.EncodeRequest(header=encoding.header()))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            while await call.read() is not grpc.aio.EOF:
                pass
    assert encoding.refused(caught.value).facts["limit"] == "idle_timeout_seconds"


async def test_a_caller_that_never_reads_is_not_served_for_ever() -> None:
    """It may send what fits into the buffers between; then the encoder takes no more, and gives it up."""
    rows = [(name, born, "x" * 2000) for name, born, _ in encoding.records(500)]
    header, frame_bytes, most_frames = encoding.header(encoding.schema(16_384)), 1 << 20, 256
    async with encoding.started_encoder(streams=1, idle_timeout_seconds=1) as encoder, encoder.stub() as stub:
        await encoding.encoded(encoder, header, encoding.batch(0, rows))
        before = encoder.process.peak_memory_bytes()
        call = stub.Encode()
        await call.write(pb.EncodeRequest(header=header))
        await call.read()
        sent = 0

        async def flood() -> None:
            nonlocal sent
            while sent < most_frames:
                await call.write(pb.EncodeRequest(batch=encoding.batch(500 * sent, rows)))
                sent += 1

        flooding = asyncio.create_task(flood())
        await _until_admitted(encoder)
        assert "takes no answers" in encoder.process.log.read_text()
        assert 0 < sent * frame_bytes < 64 << 20
        assert encoder.process.peak_memory_bytes() - before < 64 << 20
        answered = 0
        with pytest.raises(grpc.aio.AioRpcError):  # told as soon as it reads
            while (await answer(call)).batch.first_row == 500 * answered:
                answered += 1
        assert answered <= sent
        with pytest.raises((grpc.aio.AioRpcError, asyncio.InvalidStateError)):
            await flooding


async def test_it_stops_while_a_stream_is_open() -> None:
    async with encoding.started_encoder(stop_grace_seconds=0) as encoder, encoder.stub() as stub:
        call = stub.Encode()
        await call.write(pb.EncodeRequest(header=encoding.header()))
        await call.read()
        assert await encoder.process.terminated() == 0
        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()


def test_rows_differ_where_records_do() -> None:
    """The comparisons above would notice encodings that are all the same."""
    rows = np.frombuffer(in_this_process(encoding.records(50)), dtype=np.uint8).reshape(50, -1)
    assert len({row.tobytes() for row in rows}) == 50
