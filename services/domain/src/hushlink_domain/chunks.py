"""Chunks: the pieces a sealed dataset rests in, and the unit in which bytes travel to a matcher.

Every chunk but a dataset's last has the same number of rows, fixed when the upload began; the same bytes have the same
digest, and the digest is the chunk's key in the object store.
"""

from __future__ import annotations

import dataclasses

from hushlink_domain import digests

TARGET_CHUNK_BYTES = 2 << 20
"""About how large a chunk is: large enough that an object store is quick, small enough to hold dozens."""


@dataclasses.dataclass(frozen=True, slots=True)
class ChunkRef:
    """Where some consecutive rows of a dataset rest."""

    digest: digests.Digest
    """SHA-256 and size of its rows' encodings."""
    first_row: int
    """The dataset's row it starts at, from 0."""
    rows: int
    """How many rows it has."""


def rows_per_chunk(width_bytes: int) -> int:
    """How many rows a full chunk has, for rows of ``width_bytes``: a power of two of about ``TARGET_CHUNK_BYTES``."""
    return 1 << max(8, (TARGET_CHUNK_BYTES // width_bytes).bit_length() - 1)
