"""Publishing from outside: records go into an encoder's process, encodings come out at a coordinator."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import pathlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
import trustme

import hushlink_encoder
from hushlink.coordinator.v1 import project_service_pb2, project_service_pb2_grpc, upload_service_pb2_grpc
from hushlink.coordinator.v1 import upload_service_pb2 as uploads
from hushlink.encoder.v1 import encoder_service_pb2 as pb
from hushlink.encoder.v1 import encoder_service_pb2_grpc
from hushlink_domain import digests, errors, schema
from hushlink_mesh import calls, channel, framing, protocol, rights
from tests.support import breaking_wire, coordinators, encoding
from tests.support import mesh as meshes
from tests.support import publishing as callers

RIGHT, CANARY = callers.RIGHT, callers.CANARY
HEADER = encoding.header(project="p-1")
RECORDS = encoding.records(20_000)


def encodings(rows: list[encoding.Record]) -> bytes:
    """What the engine makes of records in this process."""
    return hushlink_encoder.Encoder(encoding.schema(), encoding.SECRET).encode(rows).tobytes()


# ---- to a coordinator that records --------------------------------------------


async def test_what_reaches_the_coordinator() -> None:
    batches = encoding.batches(RECORDS, 9000)
    async with coordinators.recording() as recorder, callers.publishing(recorder.address) as encoder:
        receipt = await callers.publish(encoder, RIGHT, HEADER, *batches)
    (upload,) = recorder.uploads
    assert upload.metadata["authorization"] == f"Bearer {RIGHT.reveal()}"
    assert upload.metadata[protocol.METADATA_KEY] == str(protocol.PROTOCOL)
    assert upload.kinds == ["header", "chunk", "chunk", "chunk", "chunk", "chunk", "trailer"]
    first, *chunks, last = upload.frames
    fingerprint = schema.parse(encoding.schema()).fingerprint()
    assert first.header == uploads.UploadHeader(
        project_id="p-1",
        schema_fingerprint=fingerprint,
        width_bits=1024,
        key_check=hushlink_encoder.key_check(encoding.SECRET, fingerprint, "p-1"),
        encoder_version=f"hushlink-encoder/{protocol.VERSION}",
    )
    first_row = 0
    for frame in chunks:
        assert frame.chunk.first_row == first_row
        assert 0 < len(frame.chunk.encodings) <= framing.PIECE_BYTES
        assert frame.chunk.crc32c == framing.crc32c(frame.chunk.encodings)
        first_row += len(frame.chunk.encodings) // 128
    assert upload.rows == encodings(RECORDS)
    digest = framing.digest_to_proto(digests.Digest.of(upload.rows))
    assert last.trailer == uploads.UploadTrailer(row_count=20_000, digest=digest)
    assert receipt == pb.PublishResponse(upload_id="u-recorded", party=1, row_count=20_000, digest=digest)


async def test_a_coordinator_that_takes_small_messages() -> None:
    async with (
        coordinators.recording(max_message_bytes=64 << 10) as recorder,
        callers.publishing(recorder.address) as encoder,
    ):
        await callers.publish(encoder, RIGHT, HEADER, encoding.batch(0, []), *encoding.batches(RECORDS[:3000], 3000))
    (upload,) = recorder.uploads
    assert upload.kinds.count("chunk") == 6
    assert upload.rows == encodings(RECORDS[:3000])


async def test_the_coordinator_is_proven_and_so_is_the_encoder(tmp_path: pathlib.Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca"))
    for name, issued in (
        ("server", authority.issue_cert("coordinator.test")),
        ("own", authority.issue_cert("encoder")),
    ):
        issued.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
        for certificate in issued.cert_chain_pems:
            certificate.write_to_path(str(tmp_path / f"{name}.pem"), append=True)
    served = {
        "tls_certificate": tmp_path / "server.pem",
        "tls_key": tmp_path / "server.key",
        "tls_client_ca": tmp_path / "ca",
    }
    named = {"coordinator_ca": tmp_path / "ca", "coordinator_server_name": "coordinator.test"}
    own = {"coordinator_certificate": tmp_path / "own.pem", "coordinator_key": tmp_path / "own.key"}
    async with coordinators.recording(None, None, **served) as recorder:
        async with callers.publishing(recorder.address, **named, **own) as encoder:
            assert (await callers.publish(encoder, RIGHT, HEADER, encoding.batch(0, RECORDS[:5]))).row_count == 5
        for settings in (named, {}, {**own, "coordinator_ca": tmp_path / "own.pem"}):
            async with callers.publishing(recorder.address, **settings) as encoder:
                refused = await callers.refusal(encoder, RIGHT, HEADER, encoding.batch(0, RECORDS[:5]))
                assert refused.reason is errors.Reason.COORDINATOR_UNAVAILABLE
    assert len(recorder.uploads) == 1


@pytest_asyncio.fixture
async def recorder() -> AsyncIterator[coordinators.Recorder]:
    async with coordinators.recording() as one:
        yield one


async def test_calls_that_need_no_coordinator_to_be_refused(recorder: coordinators.Recorder) -> None:
    good = encoding.batch(0, RECORDS[:5])
    async with callers.publishing(recorder.address) as encoder:
        assert (await callers.refusal(encoder, None, HEADER, good)).reason is errors.Reason.RIGHT_MISSING
        refused = await callers.refusal(encoder, RIGHT, encoding.header(), good)
        assert (refused.reason, refused.facts) == (errors.Reason.INVALID_REQUEST, {"field": "project_id"})
        refused = await callers.refusal(encoder, RIGHT, encoding.header(key="none", project="p-1"), good)
        assert refused.reason is errors.Reason.KEY_UNKNOWN
        assert (await callers.refusal(encoder, RIGHT, good)).reason is errors.Reason.STREAM_ORDER
    assert not recorder.uploads


async def test_a_record_at_fault_seals_nothing(recorder: coordinators.Recorder) -> None:
    good, bad = encoding.batch(0, RECORDS[:50]), encoding.batch(50, [(CANARY, CANARY, CANARY)])
    async with callers.publishing(recorder.address) as encoder:
        refused = await callers.refusal(encoder, RIGHT, HEADER, good, bad, encoding.batch(51, RECORDS[:50]))
        assert refused.reason is errors.Reason.RECORDS_INVALID
        assert (refused.facts["row"], refused.facts["column"]) == ("50", "born")
        await recorder.until(lambda: [upload.ended for upload in recorder.uploads] == [True])
    assert recorder.uploads[0].kinds == ["header", "chunk"]


async def _cut_by_the_caller(stub: Any, recorder: coordinators.Recorder, project_id: str) -> None:
    """Send two frames, and give the call up once they have gone through."""
    call = stub.Publish(metadata=channel.metadata(RIGHT))
    await _begin(call, project_id)
    await recorder.until(lambda: _holds_two(recorder, project_id))
    call.cancel()


async def _cut_by_its_deadline(stub: Any, recorder: coordinators.Recorder, project_id: str) -> None:
    """Send two frames, and no more before the call's time is up."""
    del recorder
    call = stub.Publish(metadata=channel.metadata(RIGHT), timeout=0.5)
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        await _begin(call, project_id)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def _begin(call: Any, project_id: str = "p-1") -> None:
    """Send a header and a batch, and no trailer."""
    header = encoding.header(project=project_id)
    for frame in encoding.publish_frames([header, encoding.batch(0, RECORDS[:5])])[:-1]:
        await call.write(frame)


def _frames(recorder: coordinators.Recorder, project_id: str) -> int:
    """How many frames of a project's upload have come."""
    found = [upload for upload in recorder.uploads if upload.frames]
    return sum(len(upload.frames) for upload in found if upload.frames[0].header.project_id == project_id)


@pytest.mark.parametrize("cut", [_cut_by_the_caller, _cut_by_its_deadline])
async def test_a_stream_that_is_cut_seals_nothing(recorder: coordinators.Recorder, cut: Any) -> None:
    """To the encoder a cut looks like the end of the stream, sometimes; so it is done again and again."""
    streams, rounds = 10, 5
    async with callers.publishing(recorder.address, streams=2 * streams) as encoder, encoder.stub() as stub:
        for done in range(rounds):
            await asyncio.gather(*(cut(stub, recorder, f"p-{done}-{number}") for number in range(streams)))
        # The last stream goes through whole, so the recorder would know a trailer.
        assert (await callers.publish(encoder, RIGHT, HEADER)).row_count == 0
        await recorder.until(lambda: all(upload.ended for upload in recorder.uploads))
    assert [upload.kinds for upload in recorder.uploads if "trailer" in upload.kinds] == [["header", "trailer"]]
    if cut is _cut_by_the_caller:
        assert len(recorder.uploads) == streams * rounds + 1


async def test_a_wire_that_breaks_seals_nothing(recorder: coordinators.Recorder) -> None:
    async with callers.publishing(recorder.address) as encoder:
        for number in range(20):
            async with breaking_wire.breaking(encoder.address) as wire, channel.connect(wire.address) as opened:
                call = encoder_service_pb2_grpc.EncoderServiceStub(opened).Publish(metadata=channel.metadata(RIGHT))
                await _begin(call, project_id := f"p-{number}")
                await recorder.until(functools.partial(_holds_two, recorder, project_id))
                wire.cut()
                with pytest.raises(grpc.aio.AioRpcError):
                    await call
        await recorder.until(lambda: all(upload.ended for upload in recorder.uploads))
    assert [upload.kinds for upload in recorder.uploads] == [["header", "chunk"]] * 20


def _holds_two(recorder: coordinators.Recorder, project_id: str) -> bool:
    return _frames(recorder, project_id) == 2


# ---- to coordinators that misbehave -------------------------------------------


async def test_a_refusal_reaches_a_caller_that_has_not_ended_its_stream() -> None:
    async def refuse(frame: uploads.UploadEncodingsRequest, context: calls.Context) -> None:
        if frame.WhichOneof("frame") == "chunk":
            raise errors.StateError(errors.Reason.WIDTH_MISMATCH, "another width", expected_bits=8, found_bits=1024)

    async with (
        coordinators.recording(refuse) as recorder,
        callers.publishing(recorder.address) as encoder,
        encoder.stub() as stub,
    ):
        call = stub.Publish(metadata=channel.metadata(RIGHT))
        await _begin(call)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
    refused = encoding.refused(caught.value)
    assert (refused.reason, refused.message) == (errors.Reason.WIDTH_MISMATCH, "another width")
    assert refused.facts == {"expected_bits": "8", "found_bits": "1024"}


async def test_refusals_are_passed_on_while_rows_flow() -> None:
    """The encoder is in the middle of writing, which fails before its cause is known."""

    async def refuse(frame: uploads.UploadEncodingsRequest, context: calls.Context) -> None:
        raise errors.CallerError(errors.Reason.ACCESS_REFUSED, "no")

    batches = encoding.batches(RECORDS, 500)
    async with coordinators.recording(refuse) as recorder, callers.publishing(recorder.address) as encoder:
        for _ in range(10):
            assert (await callers.refusal(encoder, RIGHT, HEADER, *batches)).reason is errors.Reason.ACCESS_REFUSED


async def test_a_coordinator_that_takes_nothing_stops_the_caller() -> None:
    stalled = asyncio.Event()

    async def stall(frame: uploads.UploadEncodingsRequest, context: calls.Context) -> None:
        await stalled.wait()

    rows = [(name, born, "x" * 2000) for name, born, _ in RECORDS[:500]]
    header = encoding.header(encoding.schema(16_384), project="p-1")
    async with (
        coordinators.recording(stall) as recorder,
        callers.publishing(recorder.address, idle_timeout_seconds=1) as encoder,
        encoder.stub() as stub,
    ):
        call = stub.Publish(metadata=channel.metadata(RIGHT))
        answer = callers.receipt(call)
        await call.write(pb.PublishRequest(header=header))
        sent, most = 0, 256
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while sent < most:  # about a megabyte each, and as much in encodings
                await call.write(pb.PublishRequest(batch=encoding.batch(500 * sent, rows)))
                sent += 1
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await answer
        refused = encoding.refused(caught.value)
        assert refused.reason is errors.Reason.COORDINATOR_UNAVAILABLE
        assert "took nothing" in refused.message
        assert "nothing was sealed" in refused.message
        assert sent < 64
        assert encoder.process.peak_memory_bytes() < 300 << 20
        stalled.set()


def hangs_up_at(kind: str, wire: breaking_wire.Wire) -> coordinators.Misbehaviour:
    """Misbehaviour: break the wire at the first frame of a kind."""

    async def misbehave(frame: uploads.UploadEncodingsRequest, context: calls.Context) -> None:
        if frame.WhichOneof("frame") == kind:
            wire.cut()

    return misbehave


async def test_a_coordinator_that_breaks_off_in_the_middle(recorder: coordinators.Recorder) -> None:
    async with (
        breaking_wire.breaking(recorder.address) as wire,
        callers.publishing(wire.address) as encoder,
        encoder.stub() as stub,
    ):
        recorder.misbehave = hangs_up_at("chunk", wire)
        call = stub.Publish(metadata=channel.metadata(RIGHT))
        await _begin(call)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
    refused = encoding.refused(caught.value)
    assert refused.reason is errors.Reason.COORDINATOR_UNAVAILABLE
    assert "nothing was sealed" in refused.message


async def test_a_coordinator_that_breaks_off_at_the_end(recorder: coordinators.Recorder) -> None:
    async with breaking_wire.breaking(recorder.address) as wire, callers.publishing(wire.address) as encoder:
        recorder.misbehave = hangs_up_at("trailer", wire)
        refused = await callers.refusal(encoder, RIGHT, HEADER, encoding.batch(0, RECORDS[:5]))
    assert refused.reason is errors.Reason.COORDINATOR_UNAVAILABLE
    assert "may have been sealed" in refused.message


async def test_a_receipt_for_something_else() -> None:
    async with coordinators.recording(receipt_rows=4) as recorder, callers.publishing(recorder.address) as encoder:
        refused = await callers.refusal(encoder, RIGHT, HEADER, encoding.batch(0, RECORDS[:5]))
    assert refused.reason is errors.Reason.INTERNAL
    assert "receipt is for 4 rows" in refused.message


async def test_no_coordinator_where_one_should_be() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        free = f"127.0.0.1:{nobody.getsockname()[1]}"
    async with callers.publishing(free) as encoder:
        refused = await callers.refusal(encoder, RIGHT, HEADER)
        assert refused.reason is errors.Reason.COORDINATOR_UNAVAILABLE
        assert free in refused.message
    async with encoding.started_encoder() as other, callers.publishing(other.address) as encoder:
        refused = await callers.refusal(encoder, RIGHT, HEADER)
        assert refused.reason is errors.Reason.COORDINATOR_UNAVAILABLE
        assert "Hushlink encoder where a coordinator belongs" in refused.message
        refused = await callers.refusal(other, RIGHT, HEADER)
        assert refused.reason is errors.Reason.COORDINATOR_UNAVAILABLE
        assert "HUSHLINK_COORDINATOR" in refused.message


# ---- to a real one ------------------------------------------------------------


@contextlib.asynccontextmanager
async def project(coordinator: str, **fields: Any) -> AsyncIterator[tuple[str, list[rights.Right], grpc.aio.Channel]]:
    """A project of two parties: its id, their rights, and a channel to its coordinator."""
    async with channel.connect(coordinator) as opened:
        request = project_service_pb2.CreateProjectRequest(name="publish", party_names=["one", "two"], **fields)
        created = await project_service_pb2_grpc.ProjectServiceStub(opened).CreateProject(request)
        yield created.project.project_id, [rights.Right(right) for right in created.party_rights], opened


async def state(opened: grpc.aio.Channel, project_id: str, party: int, right: rights.Right) -> uploads.Upload:
    """How far a party's upload is, as the coordinator says."""
    stub = upload_service_pb2_grpc.UploadServiceStub(opened)
    request = uploads.GetUploadRequest(project_id=project_id, party=party)
    return (await stub.GetUpload(request, metadata=channel.metadata(right))).upload


async def test_two_parties_publish(mesh: meshes.StartedMesh) -> None:
    async with (
        callers.publishing(mesh.coordinator) as encoder,
        project(mesh.coordinator) as (project_id, parties, opened),
    ):
        header = encoding.header(project=project_id)
        for party, right in enumerate(parties):
            rows = RECORDS[party * 100 : 12_000]
            receipt = await callers.publish(encoder, right, header, *encoding.batches(rows, 5000))
            assert (receipt.party, receipt.row_count) == (party, len(rows))
            assert receipt.digest == framing.digest_to_proto(digests.Digest.of(encodings(rows)))
            sealed = await state(opened, project_id, party, right)
            assert (sealed.state, sealed.upload_id) == (uploads.UPLOAD_STATE_SEALED, receipt.upload_id)
            assert (sealed.committed_rows, sealed.digest) == (len(rows), receipt.digest)


async def test_what_a_coordinator_refuses_is_passed_on(mesh: meshes.StartedMesh) -> None:
    good = encoding.batch(0, RECORDS[:50])
    async with (
        callers.publishing(mesh.coordinator) as encoder,
        project(mesh.coordinator) as (project_id, parties, opened),
    ):
        header = encoding.header(project=project_id)
        assert (await callers.refusal(encoder, parties[0], header)).reason is errors.Reason.UPLOAD_EMPTY
        for right, name in ((RIGHT, project_id), (parties[0], "p-none")):
            refused = await callers.refusal(encoder, right, encoding.header(project=name), good)
            assert refused.reason is errors.Reason.ACCESS_REFUSED
        await callers.publish(encoder, parties[0], header, good)
        assert (await callers.refusal(encoder, parties[0], header, good)).reason is errors.Reason.DATASET_SEALED
        encoder.add_key("another", b"another secret")
        refused = await callers.refusal(encoder, parties[1], encoding.header(key="another", project=project_id), good)
        assert refused.reason is errors.Reason.KEY_CHECK_MISMATCH
        other = encoding.header(encoding.schema(512), project=project_id)
        assert (await callers.refusal(encoder, parties[1], other, good)).reason in (
            errors.Reason.WIDTH_MISMATCH,
            errors.Reason.FINGERPRINT_MISMATCH,
        )
        assert (await state(opened, project_id, 1, parties[1])).state != uploads.UPLOAD_STATE_SEALED


async def test_after_a_failure_the_party_publishes_again(mesh: meshes.StartedMesh) -> None:
    rows = RECORDS[:3000]
    async with (
        callers.publishing(mesh.coordinator) as encoder,
        project(mesh.coordinator) as (project_id, (right, _), opened),
    ):
        header = encoding.header(project=project_id)
        bad = encoding.batch(2000, [(CANARY, CANARY, CANARY)])
        refused = await callers.refusal(encoder, right, header, *encoding.batches(rows[:2000], 1000), bad)
        assert refused.reason is errors.Reason.RECORDS_INVALID
        assert (await state(opened, project_id, 0, right)).state != uploads.UPLOAD_STATE_SEALED
        receipt = await callers.publish(encoder, right, header, *encoding.batches(rows, 1000))
        assert receipt.digest == framing.digest_to_proto(digests.Digest.of(encodings(rows)))
