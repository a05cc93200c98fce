"""Publishing: groups are written page by page in the layout they rest in (see ``domain.groups``), then recorded."""

from __future__ import annotations

import hashlib
import itertools
import struct

import numpy as np

import hushlink_native as native
from hushlink_coordinator import keys, meters
from hushlink_coordinator.runs import desk
from hushlink_domain import digests, groups

_HEAD = struct.Struct("<II")


async def publish(work: desk.Desk, columns: native.GroupColumns) -> groups.PublishedGroups:
    """Write a run's groups and record where they are. Writing again writes the same.

    Raises:
        errors.CapacityError: STORE_UNAVAILABLE, BLOBS_UNAVAILABLE.
        store.runs.LeaseLostError: another process works on the run.
    """
    first_groups = page_bounds(columns.offsets)
    name = hashlib.sha256()
    offsets = [0]
    async with work.rooms.objects.writing(keys.groups(work.lease.project_id, work.lease.run_id)) as writer:
        for start, stop in itertools.pairwise([*first_groups, len(columns.offsets) - 1]):
            data = page(columns, start, stop)
            name.update(data)
            offsets.append(offsets[-1] + len(data))
            await writer.write(data)
    published = groups.PublishedGroups(
        run_id=work.lease.run_id,
        digest=digests.Digest(name.digest(), offsets[-1]),
        group_count=len(columns.offsets) - 1,
        member_count=int(columns.offsets[-1]),
        candidate_pairs=work.run.progress.candidate_pairs,
        dataset_rows=work.dataset_rows,
        page_offsets=tuple(offsets),
        page_first_groups=tuple(first_groups),
    )
    await work.rooms.runs.publish(work.lease, published)
    meters.PUBLISHED_GROUPS.inc(published.group_count)
    return published


def page_bounds(offsets: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> list[int]:
    """The first group of each page, from the members' offsets of all groups; no page where there is no group."""
    count = len(offsets) - 1
    bounds = []
    start = 0
    while start < count:
        bounds.append(start)
        most = int(np.searchsorted(offsets, offsets[start] + np.uint64(groups.PAGE_MEMBERS), side="right")) - 1
        start = min(max(most, start + 1), start + groups.PAGE_GROUPS, count)
    return bounds


def page(columns: native.GroupColumns, start: int, stop: int) -> bytes:
    """The groups from ``start`` to before ``stop`` as they rest."""
    first, last = int(columns.offsets[start]), int(columns.offsets[stop])
    counts = np.diff(columns.offsets[start : stop + 1]).astype("<u4")
    return b"".join(
        [
            _HEAD.pack(stop - start, last - first),
            counts.tobytes(),
            columns.datasets[first:last].astype("<u2").tobytes(),
            columns.rows[first:last].astype("<u4").tobytes(),
        ]
    )
