"""Coordinators that only record what they are sent, and misbehave as they are told."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from hushlink.coordinator.v1 import upload_service_pb2 as pb
from hushlink.coordinator.v1 import upload_service_pb2_grpc
from hushlink_domain import digests
from hushlink_mesh import calls, config, framing, server

SERVICE = pb.DESCRIPTOR.services_by_name["UploadService"].full_name


@dataclasses.dataclass(slots=True)
class Upload:
    """One stream that came."""

    metadata: dict[str, Any]
    frames: list[pb.UploadEncodingsRequest] = dataclasses.field(default_factory=list)
    ended: bool = False

    @property
    def kinds(self) -> list[str]:
        """What kinds of frames came."""
        return [str(frame.WhichOneof("frame")) for frame in self.frames]

    @property
    def rows(self) -> bytes:
        """The encodings that came."""
        return b"".join(frame.chunk.encodings for frame in self.frames)


Misbehaviour = Callable[[pb.UploadEncodingsRequest, calls.Context], Awaitable[None]]


async def _nothing(frame: pb.UploadEncodingsRequest, context: calls.Context) -> None:
    """To a frame, before it is answered."""


class Recorder(upload_service_pb2_grpc.UploadServiceServicer):
    """Takes uploads. ``misbehave`` sees every frame and may raise, wait, or break something."""

    def __init__(self, misbehave: Misbehaviour | None = None, receipt_rows: int | None = None) -> None:
        self.uploads: list[Upload] = []
        self.address = ""
        self.misbehave = misbehave or _nothing
        self._receipt_rows = receipt_rows
        self._changed = asyncio.Condition()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of the uploads."""
        async with self._changed:
            await self._changed.wait_for(holds)

    async def UploadEncodings(
        self, request_iterator: AsyncIterator[pb.UploadEncodingsRequest], context: calls.Context
    ) -> pb.UploadEncodingsResponse:
        upload = Upload(dict(context.invocation_metadata() or ()))
        self.uploads.append(upload)
        try:
            async for frame in request_iterator:
                upload.frames.append(frame)
                await self._tell()
                await self.misbehave(frame, context)
                if frame.WhichOneof("frame") == "trailer":
                    return self._receipt(upload)
            raise AssertionError("an upload without a trailer")
        finally:
            upload.ended = True
            await asyncio.shield(self._tell())

    async def GetUpload(self, request: pb.GetUploadRequest, context: calls.Context) -> pb.GetUploadResponse:
        raise NotImplementedError

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _receipt(self, upload: Upload) -> pb.UploadEncodingsResponse:
        count = upload.frames[-1].trailer.row_count if self._receipt_rows is None else self._receipt_rows
        sealed = pb.Upload(
            upload_id="u-recorded",
            party=1,
            state=pb.UPLOAD_STATE_SEALED,
            committed_rows=count,
            digest=framing.digest_to_proto(digests.Digest.of(upload.rows)),
        )
        return pb.UploadEncodingsResponse(upload=sealed)


@contextlib.asynccontextmanager
async def recording(
    misbehave: Misbehaviour | None = None, receipt_rows: int | None = None, **settings: Any
) -> AsyncIterator[Recorder]:
    """A coordinator in this process that records uploads."""
    recorder = Recorder(misbehave, receipt_rows)
    process = config.ProcessConfig(**{"stop_grace_seconds": 0.0, **settings})

    def register(target: Any) -> None:
        upload_service_pb2_grpc.add_UploadServiceServicer_to_server(recorder, target)

    async with server.serving(process, "coordinator", [SERVICE], [register]) as running:
        recorder.address = running.address
        yield recorder
