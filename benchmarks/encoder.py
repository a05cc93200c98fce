"""The encoder beside clkhash on the same rows, and its ways in and out by themselves; prints one table.

In memory: for every round each side encodes the rows in a fresh process on one core, one after the other, caches cold,
validation on; figures are per second of processor time. clkhash is given fewer rows: the first ones. Command line and
service: wall clock, on all cores, everything included from the start of the process, or of the call, to its end.

usage: python -m benchmarks.encoder [--rounds 5] [--rows 200000] [--people 1000000] [--published 500000]
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import dataclasses
import json
import os
import pathlib
import pickle
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks import encoder_cases
from hushlink.encoder.v1 import encoder_service_pb2 as pb
from hushlink.encoder.v1 import encoder_service_pb2_grpc
from hushlink_client import connection, projects
from hushlink_client.dev import mesh
from hushlink_mesh import config

BATCH_ROWS = 8192
WATCHED = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
    "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime, used.ru_maxrss)"
)
"""A small process that starts a command and says what it took: a large one would lend it its own size."""
COMMAND_BAR, COMMAND_MEGABYTES_BAR, PUBLISH_BAR = 300_000, 300, 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    name: str
    measured: list[float]
    """What the bar is about, once a round: ratios, or records per second."""
    bar: float
    note: str

    def __str__(self) -> str:
        least, middle, most = min(self.measured), statistics.median(self.measured), max(self.measured)
        spread = " / ".join(f"{value:,.1f}" if value < 1000 else f"{value:,.0f}" for value in (least, middle, most))
        met = "met" if middle >= self.bar else "NOT MET"
        return f"| {self.name} | {spread} | {self.bar:,.0f} {met} | {self.note} |"


def beside_clkhash(case: encoder_cases.Case, folder: pathlib.Path, rounds: int, count: int) -> Line:
    """Both sides in turn; the ratio of their speeds."""
    file = folder / "rows.pickle"
    file.write_bytes(pickle.dumps(case.rows(count)))
    file.with_suffix(".json").write_text(json.dumps(case.schema))
    rival_rows = min(case.rival_rows, count)
    speeds: list[tuple[float, float]] = []
    for _ in range(rounds):
        ours = count / seconds("hushlink", file, count)
        speeds.append((ours, rival_rows / seconds("clkhash", file, rival_rows)))
    ours, theirs = (statistics.median(side) for side in zip(*speeds, strict=True))
    note = f"times clkhash: {ours:,.0f} records/s of {count:,}, clkhash {theirs:,.0f} of {rival_rows:,}"
    return Line(case.name, [ours / theirs for ours, theirs in speeds], case.least_ratio, note)


def seconds(side: str, file: pathlib.Path, count: int) -> float:
    """Processor time of one side in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.encoder_side", side, str(file), str(count)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def command_line(folder: pathlib.Path, rounds: int, count: int) -> Line:
    """``hushlink encode`` from a CSV file to a file of encodings."""
    people, schema, secret = folder / "people.csv", folder / "schema.json", folder / "secret"
    with people.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([column["identifier"] for column in encoder_cases.CASES[0].schema["features"]])
        writer.writerows(encoder_cases.default_people(count))
    schema.write_text(encoder_cases.default_schema_text())
    secret.write_text("a secret of the benchmark\n")
    command = [sys.executable, "-m", "hushlink_client", "encode", str(people), "--schema", str(schema), "--quiet"]
    command += ["--secret-file", str(secret), "--out", str(folder / "people.hle")]
    speeds, processor, megabytes = [], [], 0.0
    for _ in range(rounds):
        begun = time.perf_counter()
        used = subprocess.run([sys.executable, "-c", WATCHED, *command], check=True, capture_output=True, text=True)
        speeds.append(count / (time.perf_counter() - begun))
        cpu, kilobytes = map(float, used.stdout.split())
        processor.append(cpu)
        megabytes = max(megabytes, kilobytes / 1000)
    within = "within" if megabytes <= COMMAND_MEGABYTES_BAR else "ABOVE"
    took = f"{statistics.median(processor):.1f} s of processor time; {megabytes:,.0f} MB"
    note = f"records/s of {count:,}, {took}, {within} {COMMAND_MEGABYTES_BAR}"
    return Line(f"command line, {os.cpu_count()} cores", speeds, COMMAND_BAR, note)


async def published(rounds: int, count: int) -> Line:
    """``Publish`` over gRPC, from the first frame to the receipt of a sealed upload, on a mesh of its own."""
    rows = encoder_cases.default_people(count)
    starts = range(0, count, BATCH_ROWS)
    batches = [_batch(start, rows[start : start + BATCH_ROWS]) for start in starts]
    speeds = []
    async with mesh.running(mesh.Plan(matchers=1)) as running:
        assert running.encoder is not None
        async with (
            connection.connected(running.coordinator) as coordinator,
            connection.connected(running.encoder, config.ChannelConfig(), service=connection.ENCODER) as encoder,
        ):
            created = await projects.create(coordinator, party_names=[f"party {index}" for index in range(rounds + 1)])
            stub: encoder_service_pb2_grpc.EncoderServiceAsyncStub = encoder_service_pb2_grpc.EncoderServiceStub(
                encoder.channel
            )
            header = pb.Encoding(
                schema_json=encoder_cases.default_schema_text(),
                key_name=mesh.EXAMPLE_KEY,
                project_id=created.project.project_id,
            )
            frames = [
                pb.PublishRequest(header=header),
                *(pb.PublishRequest(batch=batch) for batch in batches),
                pb.PublishRequest(trailer=pb.RecordsTrailer(row_count=count)),
            ]
            for right in created.party_rights[:rounds]:
                begun = time.perf_counter()
                receipt = await stub.Publish(iter(frames), metadata=encoder.acting(right).metadata())
                speeds.append(count / (time.perf_counter() - begun))
                if receipt.row_count != count:
                    raise RuntimeError(f"{receipt.row_count} rows were sealed, not {count}")
    note = f"records/s of {count:,}; caller, encoder, coordinator and store on the same cores"
    return Line(f"Publish, {os.cpu_count()} cores", speeds, PUBLISH_BAR, note)


def _batch(first_row: int, rows: list[encoder_cases.Row]) -> pb.RecordBatch:
    columns = [pb.Column(cells=cells) for cells in zip(*rows, strict=True)]
    return pb.RecordBatch(first_row=first_row, columns=columns)


def main() -> None:
    """Measure everything and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--published", type=int, default=500_000)
    options = parser.parse_args()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"encoder: {os.cpu_count()} cores{load}, {options.rounds} rounds")
    print("| case | min / median / max | bar | what |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="hushlink-bench-") as place:
        folder = pathlib.Path(place)
        for case in encoder_cases.CASES:
            print(beside_clkhash(case, folder, options.rounds, options.rows), flush=True)
        print(command_line(folder, options.rounds, options.people), flush=True)
    print(asyncio.run(published(options.rounds, options.published)), flush=True)


if __name__ == "__main__":
    main()
