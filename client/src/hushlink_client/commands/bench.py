"""``hushlink bench``: how fast the kernel and the mesh are on this machine."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from hushlink_client import concurrency, connection, errors, operation, projects, results, runs, uploads
from hushlink_client.commands import options
from hushlink_client.linkage import check_succeeded

if TYPE_CHECKING:
    import numpy as np
    from numpy import typing as npt

    Rows = npt.NDArray[np.uint8]

_FILL = 0.44
_OVERLAP = 0.5
_FLIPPED = 0.05
_FINGERPRINT = b"\x00" * 32


@click.command()
@click.option(
    "--size", type=click.IntRange(1, 10_000_000), default=20_000, show_default=True, help="Rows of each side."
)
@click.option("--width", type=click.IntRange(8, 16_384), default=1024, show_default=True, help="Bits of an encoding.")
@click.option("--threshold", type=float, default=0.85, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the invented encodings.")
@options.as_json
def command(size: int, width: int, threshold: float, seed: int, as_json: bool) -> None:
    """Compare two sets of invented encodings, half of whose rows resemble each other.

    Once with the kernel on one core, and once through a mesh of its own, from sealed uploads to published groups.
    """
    if width % 8:
        raise click.UsageError("--width is a multiple of 8")
    left, right = _invented(size, width // 8, seed)
    kernel = _kernel_seconds(left, right, threshold)
    mesh = operation.run(_mesh_seconds(left, right, threshold))
    facts = {
        "size": size,
        "comparisons": size * size,
        "kernel_seconds": kernel,
        "kernel_pairs_per_second": size * size / kernel,
        "mesh_seconds": mesh["run"],
        "mesh_pairs_per_second": size * size / mesh["run"],
        "upload_seconds": mesh["upload"],
        "upload_bytes_per_second": (left.nbytes + right.nbytes) / mesh["upload"],
        "groups": mesh["groups"],
    }
    if as_json:
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    sys.stdout.write(f"kernel, one core  {kernel:8.3f} s  {size * size / kernel:16,.0f} pairs/s\n")
    sys.stdout.write(f"mesh, two cores   {mesh['run']:8.3f} s  {size * size / mesh['run']:16,.0f} pairs/s\n")
    sys.stdout.write(
        f"upload            {mesh['upload']:8.3f} s  {facts['upload_bytes_per_second'] / 1e6:16,.1f} MB/s\n"
    )


def _invented(size: int, row_bytes: int, seed: int) -> tuple[Rows, Rows]:
    """Two sets of random rows; half of the second are rows of the first with a few bits changed."""
    import numpy as np  # noqa: PLC0415 - comes with the kernel

    random = np.random.default_rng(seed)

    def bits(rows: int, chance: float) -> Rows:
        return np.packbits(random.random((rows, row_bytes * 8), dtype=np.float32) < chance, axis=1)

    left, right = bits(size, _FILL), bits(size, _FILL)
    shared = int(size * _OVERLAP)
    right[:shared] = left[:shared] ^ bits(shared, _FLIPPED)
    return left, right


def _kernel_seconds(left: Rows, right: Rows, threshold: float) -> float:
    try:
        import hushlink_native  # noqa: PLC0415 - optional
    except ImportError:
        raise errors.ClientError("the kernel is not installed: install hushlink-client[dev]") from None
    started = time.perf_counter()
    hushlink_native.candidate_pairs(left, right, threshold)
    return time.perf_counter() - started


async def _mesh_seconds(left: Rows, right: Rows, threshold: float) -> dict[str, Any]:
    from hushlink_client.dev import mesh  # noqa: PLC0415 - Windows has no such thing

    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(mesh.running(mesh.Plan(encoder=False)))
        coordinator = await stack.enter_async_context(connection.connected(running.coordinator))
        created = await projects.create(coordinator, party_names=["left", "right"])
        project_id = created.project.project_id
        started = time.perf_counter()
        await concurrency.together(
            *(
                uploads.send(
                    coordinator.acting(right_of_party),
                    project_id,
                    party,
                    uploads.Encodings.of_rows(rows.data, _FINGERPRINT),
                )
                for party, (rows, right_of_party) in enumerate(zip((left, right), created.party_rights, strict=True))
            )
        )
        uploaded = time.perf_counter()
        owner = coordinator.acting(created.owner_right)
        run = await runs.create(owner, project_id, threshold)
        async for now in runs.watch(owner, project_id, run.run_id):
            run = now
        ended = time.perf_counter()
        check_succeeded(run)
        found = await results.summary(owner, project_id, run.run_id)
    return {"upload": uploaded - started, "run": ended - uploaded, "groups": found.group_count}
