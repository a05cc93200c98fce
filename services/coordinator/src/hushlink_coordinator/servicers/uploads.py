"""The upload service."""

from __future__ import annotations

from collections.abc import AsyncIterator

from hushlink.coordinator.v1 import upload_service_pb2 as pb
from hushlink.coordinator.v1 import upload_service_pb2_grpc
from hushlink_coordinator import access, blobs, uploading
from hushlink_coordinator.servicers import wire
from hushlink_coordinator.store import projects as project_store
from hushlink_coordinator.store import uploads as upload_store
from hushlink_domain import encodings, errors, grants, projects, uploads
from hushlink_mesh import calls, framing


class UploadServicer(upload_service_pb2_grpc.UploadServiceServicer):
    """Wire in, call, wire out."""

    def __init__(
        self,
        store: upload_store.UploadStore,
        project_facts: project_store.ProjectStore,
        objects: blobs.Blobs,
        checks: access.Access,
        idle_seconds: float,
    ) -> None:
        self._store = store
        self._projects = project_facts
        self._objects = objects
        self._access = checks
        self._idle_seconds = idle_seconds

    async def UploadEncodings(  # noqa: N802
        self,
        request_iterator: AsyncIterator[pb.UploadEncodingsRequest],
        context: calls.Context,
    ) -> pb.UploadEncodingsResponse:
        """Take a stream of rows and seal the party's dataset."""
        frames = calls.frames(request_iterator, self._idle_seconds)
        uploading_now = await self._begun(await anext(frames, None), context)
        try:
            sealed = await _taken(frames, uploading_now)
        except BaseException:
            await uploading_now.abandon(self._projects)
            raise
        return pb.UploadEncodingsResponse(upload=wire.upload(sealed))

    async def _begun(self, frame: pb.UploadEncodingsRequest | None, context: calls.Context) -> uploading.Uploading:
        if frame is None or frame.WhichOneof("frame") != "header":
            raise _out_of_order("header", frame)
        header = frame.header
        party = await self._access.party(context, header.project_id)
        _check_lengths(header)
        return await uploading.begin(
            self._store,
            self._objects,
            header.project_id,
            party,
            offered=projects.Agreement(header.schema_fingerprint, header.width_bits, header.key_check),
            encoder_version=header.encoder_version[:100].replace("\0", ""),
            first_row=header.first_row,
        )

    async def GetUpload(  # noqa: N802
        self, request: pb.GetUploadRequest, context: calls.Context
    ) -> pb.GetUploadResponse:
        """Tell how far an upload is."""
        grant = await self._access.member(context, request.project_id)
        if grant.role is grants.Role.PARTY and grant.party != request.party:
            raise grants.refusal()
        project = await self._projects.find(request.project_id)
        if project is None:
            raise grants.refusal()
        projects.check_party(request.party, len(project.parties))
        found = await self._store.find(request.project_id, request.party)
        if found is None:
            awaited = pb.Upload(party=request.party, state=pb.UPLOAD_STATE_AWAITED)
            return pb.GetUploadResponse(upload=awaited)
        return pb.GetUploadResponse(upload=wire.upload(found))


async def _taken(
    frames: AsyncIterator[pb.UploadEncodingsRequest], uploading_now: uploading.Uploading
) -> uploads.Upload:
    """Take chunks up to the trailer, and seal."""
    async for frame in frames:
        kind = frame.WhichOneof("frame")
        if kind == "chunk":
            framing.check_crc32c(frame.chunk.crc32c, frame.chunk.first_row, frame.chunk.encodings)
            await uploading_now.add(frame.chunk.first_row, frame.chunk.encodings)
        elif kind == "trailer":
            digest = framing.digest_from_proto(frame.trailer.digest)
            if (behind := await anext(frames, None)) is not None:
                raise _out_of_order("the stream's end", behind)
            return await uploading_now.seal(frame.trailer.row_count, digest)
        else:
            raise _out_of_order("chunk or trailer", frame)
    raise _out_of_order("chunk or trailer", None)


def _check_lengths(header: pb.UploadHeader) -> None:
    for field, value, length in (
        ("schema_fingerprint", header.schema_fingerprint, encodings.FINGERPRINT_BYTES),
        ("key_check", header.key_check, encodings.KEY_CHECK_BYTES),
    ):
        if value and len(value) != length:
            raise errors.CallerError(
                errors.Reason.INVALID_REQUEST,
                f"{field} has {len(value)} bytes; it has {length}, or none",
                field=field,
                found=len(value),
            )


def _out_of_order(expected: str, frame: pb.UploadEncodingsRequest | None) -> errors.CallerError:
    found = (frame.WhichOneof("frame") if frame else "the stream's end") or "an empty frame"
    return errors.CallerError(
        errors.Reason.STREAM_ORDER,
        f"an upload is a header, chunks, a trailer: {expected} should come here, {found} came",
        expected=expected,
        found=found,
    )
