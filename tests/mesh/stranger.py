"""A stranger's client: made from the protos alone, with nothing of Hushlink imported. Run by ``test_stranger``.

usage: stranger.py FOLDER_OF_GENERATED_CODE COORDINATOR THRESHOLD A_FILE B_FILE WIDTH_BYTES

Two services, each on a channel of its own, upload a file of encodings at the same time; a third creates the project and
the run and reads the groups, which are written to standard output as JSON.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import pathlib
import sys
from collections.abc import Iterator

folder, coordinator, threshold, *files, width = sys.argv[1:]
sys.path.insert(0, folder)

import google_crc32c  # noqa: E402
import grpc  # noqa: E402
from google.protobuf import json_format  # noqa: E402

from hushlink.coordinator.v1 import (  # noqa: E402
    project_service_pb2,
    project_service_pb2_grpc,
    result_service_pb2,
    result_service_pb2_grpc,
    run_service_pb2,
    run_service_pb2_grpc,
    upload_service_pb2,
    upload_service_pb2_grpc,
)
from hushlink.mesh.v1 import digest_pb2  # noqa: E402

TIMEOUT_SECONDS = 120
ROWS_PER_FRAME = 1000


def bearer(right: str) -> tuple[tuple[str, str]]:
    return (("authorization", f"Bearer {right}"),)


def frames(project_id: str, rows: bytes, width_bytes: int) -> Iterator[upload_service_pb2.UploadEncodingsRequest]:
    frame = upload_service_pb2.UploadEncodingsRequest
    yield frame(header=upload_service_pb2.UploadHeader(project_id=project_id, width_bits=8 * width_bytes))
    count = len(rows) // width_bytes
    for first in range(0, count, ROWS_PER_FRAME):
        piece = rows[first * width_bytes : (first + ROWS_PER_FRAME) * width_bytes]
        chunk = upload_service_pb2.EncodingChunk(first_row=first, encodings=piece, crc32c=google_crc32c.value(piece))
        yield frame(chunk=chunk)
    digest = digest_pb2.Digest(hash=hashlib.sha256(rows).digest(), size_bytes=len(rows))
    yield frame(trailer=upload_service_pb2.UploadTrailer(row_count=count, digest=digest))


def upload(project_id: str, right: str, file: str) -> dict[str, object]:
    with grpc.insecure_channel(coordinator) as channel:
        stub = upload_service_pb2_grpc.UploadServiceStub(channel)
        rows = pathlib.Path(file).read_bytes()
        receipt = stub.UploadEncodings(
            frames(project_id, rows, int(width)), metadata=bearer(right), timeout=TIMEOUT_SECONDS
        )
    return json_format.MessageToDict(receipt.upload)


def link() -> dict[str, object]:
    with grpc.insecure_channel(coordinator) as channel:
        projects = project_service_pb2_grpc.ProjectServiceStub(channel)
        created = projects.CreateProject(
            project_service_pb2.CreateProjectRequest(name="strangers", party_names=["one", "two"]),
            timeout=TIMEOUT_SECONDS,
        )
        project_id = created.project.project_id
        with concurrent.futures.ThreadPoolExecutor() as services:
            receipts = list(services.map(upload, [project_id] * 2, created.party_rights, files))
        owner = bearer(created.owner_right)
        runs = run_service_pb2_grpc.RunServiceStub(channel)
        run_id = runs.CreateRun(
            run_service_pb2.CreateRunRequest(project_id=project_id, threshold=float(threshold)),
            metadata=owner,
            timeout=TIMEOUT_SECONDS,
        ).run.run_id
        watched = runs.WatchRun(
            run_service_pb2.WatchRunRequest(project_id=project_id, run_id=run_id),
            metadata=owner,
            timeout=TIMEOUT_SECONDS,
        )
        *_, last = (answer.run for answer in watched)
        groups = []
        results = result_service_pb2_grpc.ResultServiceStub(channel)
        request = result_service_pb2.ReadGroupsRequest(project_id=project_id, run_id=run_id)
        for frame in results.ReadGroups(request, metadata=owner, timeout=TIMEOUT_SECONDS):
            start = 0
            for count in frame.page.member_counts:
                stop = start + count
                members = zip(frame.page.member_datasets[start:stop], frame.page.member_rows[start:stop], strict=True)
                groups.append(list(members))
                start = stop
        projects.DeleteProject(
            project_service_pb2.DeleteProjectRequest(project_id=project_id), metadata=owner, timeout=TIMEOUT_SECONDS
        )
    return {"receipts": receipts, "run": json_format.MessageToDict(last), "groups": groups}


json.dump(link(), sys.stdout)
ours = sorted(name for name in sys.modules if name.startswith("hushlink_"))
import hushlink  # noqa: E402

if ours or not str(hushlink.__path__[0]).startswith(folder):
    sys.exit(f"something of Hushlink was imported: {ours} {hushlink.__path__}")
