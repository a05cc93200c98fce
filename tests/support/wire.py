"""A coordinator as its clients see it: the generated stubs, frames right and wrong, and what refusals say.

Nothing of Hushlink's own client is used, so that wrong things can be sent; nor is its word taken for what is right.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Generator, Iterable, Iterator, Sequence
from typing import Any

import google_crc32c
import grpc
import numpy
import numpy.typing
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

import hushlink_native
from hushlink.coordinator.v1 import (
    project_service_pb2,
    project_service_pb2_grpc,
    result_service_pb2,
    result_service_pb2_grpc,
    run_service_pb2,
    run_service_pb2_grpc,
    upload_service_pb2,
    upload_service_pb2_grpc,
)
from hushlink.mesh.v1 import digest_pb2
from hushlink_mesh import ending
from tests.support import encodings
from tests.support import mesh as meshes

Rows = numpy.typing.NDArray[numpy.uint8]
Metadata = tuple[tuple[str, str], ...]
Groups = list[tuple[tuple[int, int], ...]]
Frame = upload_service_pb2.UploadEncodingsRequest

TIMEOUT_SECONDS = 60.0
FRAME_BYTES = 1 << 20
"""How many bytes of rows a frame has where a test does not care."""
NOBODY: Metadata = ()
SEALED = upload_service_pb2.UPLOAD_STATE_SEALED


def bearer(right: str) -> Metadata:
    """The metadata that carries a right."""
    return (("authorization", f"Bearer {right}"),)


# ---- what is sent ----


def header(project_id: str, width_bits: int, **fields: Any) -> Frame:
    """The first frame of an upload."""
    return Frame(header=upload_service_pb2.UploadHeader(project_id=project_id, width_bits=width_bits, **fields))


def chunk(first_row: int, data: bytes, crc32c: int | None = None) -> Frame:
    """Some rows, with their own checksum or another."""
    crc32c = google_crc32c.value(data) if crc32c is None else crc32c
    return Frame(chunk=upload_service_pb2.EncodingChunk(first_row=first_row, encodings=data, crc32c=crc32c))


def trailer(data: bytes, row_count: int) -> Frame:
    """The last frame of an upload of ``data``."""
    digest = digest_pb2.Digest(hash=hashlib.sha256(data).digest(), size_bytes=len(data))
    return Frame(trailer=upload_service_pb2.UploadTrailer(row_count=row_count, digest=digest))


def chunks(rows: Rows, sizes: Iterable[int], first_row: int = 0) -> Iterator[Frame]:
    """The rows from ``first_row`` on in chunks of so many rows each, over and over."""
    start = first_row
    for size in itertools.cycle(sizes):
        if start >= len(rows):
            return
        yield chunk(start, rows[start : start + size].tobytes())
        start += size


def upload(project_id: str, rows: Rows, sizes: Iterable[int] = (), first_row: int = 0, **fields: Any) -> list[Frame]:
    """A whole upload, or what is left of it from ``first_row`` on."""
    fields = {"width_bits": 8 * rows.shape[1], "first_row": first_row, **fields}
    begin = header(project_id, **fields)
    sizes = sizes or (max(1, FRAME_BYTES // rows.shape[1]),)
    return [begin, *chunks(rows, sizes, first_row), trailer(rows.tobytes(), len(rows))]


# ---- what is refused ----


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """How a call ended that did not succeed."""

    code: grpc.StatusCode
    reason: str
    """The name of an ErrorReason; empty where gRPC itself refused."""
    facts: dict[str, str]
    message: str
    details: bytes
    """All that the status carries, in one order of its parts."""


def refusal_of(error: grpc.aio.AioRpcError) -> Refusal:
    """What an error says."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it asks for code, details, trailing_metadata
    info = error_details_pb2.ErrorInfo()
    if status is not None:
        (detail,) = status.details
        assert detail.Unpack(info)
        assert info.domain == "hushlink"
    sent = status.SerializeToString(deterministic=True) if status else b""
    return Refusal(error.code(), info.reason, dict(info.metadata), error.details() or "", sent)


async def refusal(call: Awaitable[Any]) -> Refusal:
    """How a call is refused."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return refusal_of(error)
    raise AssertionError(f"the call succeeded: {answer}")


async def collected(stream: Any) -> list[Any]:
    """Everything that a stream brings."""
    return [message async for message in stream]


# ---- who is asked ----


class Sending:
    """An upload on its way; awaited, it gives the receipt."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._ending = ending.Ending(call)

    def __await__(self) -> Generator[Any, None, upload_service_pb2.UploadEncodingsResponse]:
        return self._answer().__await__()

    async def _answer(self) -> upload_service_pb2.UploadEncodingsResponse:
        try:
            answer: upload_service_pb2.UploadEncodingsResponse = await self._call
            return answer
        except grpc.aio.AioRpcError as error:
            raise self._ending.error(error) from None

    def cancel(self) -> None:
        """Break it off."""
        self._call.cancel()


class Coordinator:
    """A channel to a coordinator, and its services."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.projects: Any = project_service_pb2_grpc.ProjectServiceStub(channel)
        self.uploads: Any = upload_service_pb2_grpc.UploadServiceStub(channel)
        self.runs: Any = run_service_pb2_grpc.RunServiceStub(channel)
        self.results: Any = result_service_pb2_grpc.ResultServiceStub(channel)

    def sending(
        self, right: Metadata, frames: Iterable[Frame] | AsyncIterator[Frame], seconds: float = TIMEOUT_SECONDS
    ) -> Sending:
        """A stream of frames with a right."""
        stream = iter(frames) if isinstance(frames, Iterable) else frames
        return Sending(self.uploads.UploadEncodings(stream, metadata=right, timeout=seconds))

    async def create(self, parties: int = 2, **fields: Any) -> Project:
        """A new project with so many parties."""
        request = project_service_pb2.CreateProjectRequest(party_names=[f"party {n}" for n in range(parties)], **fields)
        made = await self.projects.CreateProject(request, timeout=TIMEOUT_SECONDS)
        rights = tuple(bearer(right) for right in made.party_rights)
        return Project(self, made.project.project_id, bearer(made.owner_right), rights)


@dataclasses.dataclass(frozen=True, slots=True)
class Project:
    """A project, with all its rights."""

    at: Coordinator
    project_id: str
    owner: Metadata
    parties: tuple[Metadata, ...]

    def reached(self, at: Coordinator) -> Project:
        """The same project, by another way."""
        return dataclasses.replace(self, at=at)

    async def described(self) -> project_service_pb2.Project:
        """The project as its owner sees it."""
        request = project_service_pb2.GetProjectRequest(project_id=self.project_id)
        answer = await self.at.projects.GetProject(request, metadata=self.owner, timeout=TIMEOUT_SECONDS)
        return answer.project

    async def upload_of(self, party: int) -> upload_service_pb2.Upload:
        """How far a party's upload is."""
        request = upload_service_pb2.GetUploadRequest(project_id=self.project_id, party=party)
        answer = await self.at.uploads.GetUpload(request, metadata=self.owner, timeout=TIMEOUT_SECONDS)
        return answer.upload

    def sending(self, party: int, frames: Iterable[Frame] | AsyncIterator[Frame]) -> Sending:
        """A stream of frames from a party."""
        return self.at.sending(self.parties[party], frames)

    async def upload(self, party: int, rows: Rows, *sizes: int, **fields: Any) -> upload_service_pb2.Upload:
        """A correct upload, in chunks of so many rows."""
        answer = await self.sending(party, upload(self.project_id, rows, sizes, **fields))
        receipt: upload_service_pb2.Upload = answer.upload
        return receipt

    async def upload_all(self, datasets: Sequence[Rows], **fields: Any) -> None:
        """A correct upload of every party that has sealed nothing yet."""
        for party, rows in enumerate(datasets):
            if (await self.upload_of(party)).state != SEALED:
                await self.upload(party, rows, **fields)

    async def run(self, threshold: float, **fields: Any) -> str:
        """A new run; returns its id."""
        request = run_service_pb2.CreateRunRequest(project_id=self.project_id, threshold=threshold, **fields)
        answer = await self.at.runs.CreateRun(request, metadata=self.owner, timeout=TIMEOUT_SECONDS)
        return str(answer.run.run_id)

    async def run_of(self, run_id: str) -> run_service_pb2.Run:
        """A run as it is now."""
        request = run_service_pb2.GetRunRequest(project_id=self.project_id, run_id=run_id)
        answer = await self.at.runs.GetRun(request, metadata=self.owner, timeout=TIMEOUT_SECONDS)
        return answer.run

    async def watching(self, run_id: str) -> AsyncGenerator[run_service_pb2.Run]:
        """A run after each of its changes, until it ends."""
        request = run_service_pb2.WatchRunRequest(project_id=self.project_id, run_id=run_id)
        stream = self.at.runs.WatchRun(request, metadata=self.owner, timeout=TIMEOUT_SECONDS)
        try:
            async for answer in stream:
                yield answer.run
        finally:
            stream.cancel()

    async def until(self, run_id: str, state: int) -> run_service_pb2.Run:
        """A run once it has come to a state, or past it."""
        async with contextlib.aclosing(self.watching(run_id)) as changes:
            async for run in changes:
                if run.state >= state:
                    return run
        raise AssertionError("the run is watched no more, and has not ended")

    async def ended(self, run_id: str) -> run_service_pb2.Run:
        """A run once it has ended."""
        return await self.until(run_id, run_service_pb2.RUN_STATE_SUCCEEDED)

    def cancel(self, run_id: str) -> Awaitable[Any]:
        """Ask for a run's end."""
        request = run_service_pb2.CancelRunRequest(project_id=self.project_id, run_id=run_id)
        answer: Awaitable[Any] = self.at.runs.CancelRun(request, metadata=self.owner, timeout=TIMEOUT_SECONDS)
        return answer

    async def read(self, run_id: str, **fields: Any) -> list[result_service_pb2.ReadGroupsResponse]:
        """The frames of a result."""
        request = result_service_pb2.ReadGroupsRequest(project_id=self.project_id, run_id=run_id, **fields)
        return await collected(self.at.results.ReadGroups(request, metadata=self.owner, timeout=TIMEOUT_SECONDS))

    async def groups(self, run_id: str) -> Groups:
        """The groups of a run, once it has ended well."""
        last = await self.ended(run_id)
        assert last.state == run_service_pb2.RUN_STATE_SUCCEEDED, last
        _, *pages = await self.read(run_id)
        return [group for page in pages for group in groups_in(page.page)]

    async def delete(self) -> int:
        """Delete it; returns how many objects it had."""
        request = project_service_pb2.DeleteProjectRequest(project_id=self.project_id)
        answer = await self.at.projects.DeleteProject(request, metadata=self.owner, timeout=TIMEOUT_SECONDS)
        return int(answer.deleted_objects)

    @contextlib.asynccontextmanager
    async def unharmed(self, datasets: Sequence[Rows] | None = None, **fields: Any) -> AsyncIterator[None]:
        """What goes on inside the block changes nothing: afterwards all is as before, and a linkage succeeds.

        Args:
            datasets: what the parties have sealed, or seal afterwards; None = some.
            fields: of the header they seal it with.
        """
        before = await self._facts()
        yield
        after = await self._facts()
        assert after == before
        datasets = datasets or people(len(self.parties))
        await self.upload_all(datasets, **fields)
        assert await self.groups(await self.run(0.8)) == oracle(datasets, 0.8)

    async def _facts(self) -> tuple[Any, ...]:
        """All that a refusal must not change. An upload that began is not sealed and binds nobody."""
        listed = run_service_pb2.ListRunsRequest(project_id=self.project_id)
        runs = await self.at.runs.ListRuns(listed, metadata=self.owner, timeout=TIMEOUT_SECONDS)
        uploads = [await self.upload_of(party) for party in range(len(self.parties))]
        sealed = tuple(upload for upload in uploads if upload.state == SEALED)
        return await self.described(), runs, sealed


class Stream:
    """A party's upload, frame by frame."""

    def __init__(self, project: Project, party: int = 0) -> None:
        self._project = project
        self._party = party
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self.call = project.sending(party, self._fed())

    async def _fed(self) -> AsyncIterator[Frame]:
        while (frame := await self._frames.get()) is not None:
            yield frame

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.call.cancel()

    def send(self, *frames: Frame | None) -> None:
        """Send frames; None is the stream's end."""
        for frame in frames:
            self._frames.put_nowait(frame)

    async def begun(self, *frames: Frame) -> None:
        """Send frames and wait until the coordinator has taken the stream."""
        before = (await self._project.upload_of(self._party)).upload_id
        self.send(*frames)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while (await self._project.upload_of(self._party)).upload_id == before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def committed(self, rows: int) -> None:
        """Wait until so many rows are kept."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while (await self._project.upload_of(self._party)).committed_rows < rows:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def refused(self, *frames: Frame) -> Refusal:
        """How the stream is refused after these last frames."""
        self.send(*frames, None)
        return await refusal(self.call)


# ---- what comes of it ----


def people(count: int, rows: int = 60, width_bytes: int = 16, seed: int = 1) -> list[Rows]:
    """Datasets of which each has near-copies of rows of the first."""
    first, second = encodings.overlapping(rows, rows - 5, width_bytes, seed)
    others = [encodings.overlapping(rows, rows - n, width_bytes, seed)[1] for n in range(6, 4 + count)]
    return [first, second, *others][:count]


def oracle(datasets: Sequence[Rows], threshold: float, metric: str = "dice") -> Groups:
    """What a linkage of these must find: all pairs of all datasets in their one order, grouped greedily."""
    found = []
    for left, right in itertools.combinations(range(len(datasets)), 2):
        scores, rows_a, rows_b = hushlink_native.candidate_pairs(
            datasets[left], datasets[right], threshold, metric=metric
        )
        sides = (numpy.full(len(scores), left), numpy.full(len(scores), right))
        found.append(numpy.stack([-scores, *sides, rows_a, rows_b]))
    columns = numpy.concatenate(found, axis=1)
    columns = columns[:, numpy.lexsort(columns[::-1])]
    datasets_a, datasets_b = (column.astype(numpy.uint16) for column in columns[1:3])
    rows_a, rows_b = (column.astype(numpy.uint32) for column in columns[3:5])
    return hushlink_native.greedy_groups(-columns[0], (datasets_a, datasets_b), (rows_a, rows_b))


def groups_in(page: result_service_pb2.GroupPage) -> Groups:
    """The groups of a page."""
    members = list(zip(page.member_datasets, page.member_rows, strict=True))
    stops = list(itertools.accumulate(page.member_counts, initial=0))
    assert stops[-1] == len(members)
    return [tuple(members[start:stop]) for start, stop in itertools.pairwise(stops)]


@contextlib.asynccontextmanager
async def connected(address: str, **options: Any) -> AsyncIterator[Coordinator]:
    """A coordinator reached at HOST:PORT."""
    chosen = [("grpc.use_local_subchannel_pool", 1), *options.items()]
    async with grpc.aio.insecure_channel(address, options=chosen) as channel:
        yield Coordinator(channel)


FAULTS = ("unforeseen error", "side task failed", "never retrieved", '"CRITICAL"', "\nTraceback")
"""What a coordinator's log never says, whatever was asked of it or broken."""

_FORGIVEN = "ClientRequest.write_bytes"
"""aiohttp forgets a write whose connection broke."""


def faults_in(log: str) -> list[str]:
    """The lines that a coordinator's log must not have."""
    lines = [f"\n{line}" for line in log.splitlines()]
    return [line for line in lines if any(fault in line for fault in FAULTS) and _FORGIVEN not in line]


@pytest.fixture
async def coordinator(mesh: meshes.StartedMesh) -> AsyncIterator[Coordinator]:
    """The coordinator of the mesh that all tests share; it is to meet nothing that it had not foreseen."""
    log = mesh.data / "logs" / "coordinator.log"
    before = log.stat().st_size
    async with connected(mesh.coordinator) as reached:
        yield reached
    assert not faults_in(log.read_bytes()[before:].decode())
