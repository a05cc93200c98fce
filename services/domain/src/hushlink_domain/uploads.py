"""Uploads: how far a party's encodings have come."""

from __future__ import annotations

import dataclasses
import datetime

from hushlink_domain import digests, projects, states


@dataclasses.dataclass(frozen=True, slots=True)
class Upload:
    """A party's upload; once sealed, its dataset."""

    upload_id: str
    """Empty before the first stream."""
    project_id: str
    party: int
    state: states.UploadState
    offered: projects.Agreement
    """What its header said of the encodings."""
    session: int
    """Which stream may write: a newer one has a higher number, and an older one's writes are refused."""
    rows_per_chunk: int
    committed_rows: int
    """Rows that are kept: where a new stream may start."""
    digest: digests.Digest | None
    """Of all rows; None before it is sealed."""
    seal_time: datetime.datetime | None
