"""Uploading: how a stream of rows becomes chunks in the object store, facts in Postgres, and at last a sealed dataset.

Rows are cut into full chunks as they come; a chunk counts once Postgres has it, which is after the object store has it.
The last, shorter chunk is kept and the dataset sealed in one transaction, so that every chunk but the last is full.
"""

from __future__ import annotations

import asyncio
import collections
import hashlib

from hushlink_coordinator import blobs, deletion, identifiers, keys, meters
from hushlink_coordinator.store import projects as project_store
from hushlink_coordinator.store import uploads as upload_store
from hushlink_domain import chunks, digests, encodings, errors, projects, uploads

CHUNKS_IN_FLIGHT = 4
"""How many chunks one upload writes to the object store at a time: bounds its memory."""


class Uploading:
    """One stream of one party's upload. ``add`` rows, then ``seal``; or leave it with ``abandon``."""

    def __init__(self, upload: uploads.Upload, store: upload_store.UploadStore, objects: blobs.Blobs) -> None:
        self._upload = upload
        self._store = store
        self._objects = objects
        self._row_bytes = encodings.width_bytes(upload.offered.width_bits)
        self._chunk_bytes = upload.rows_per_chunk * self._row_bytes
        self._hash = hashlib.sha256()
        self._next_row = upload.committed_rows
        self._buffer = bytearray()
        self._buffer_row = upload.committed_rows
        self._keeping: collections.deque[asyncio.Task[None]] = collections.deque()

    async def rehash(self) -> None:
        """Read what earlier streams of this upload kept, so that the digest at the end covers all rows."""
        for chunk in await self._store.chunks_of(self._upload.upload_id):
            key = keys.chunk(self._upload.project_id, chunk.digest)
            self._hash.update(await self._objects.get_checked(key, chunk.digest))

    async def add(self, first_row: int, rows: bytes) -> None:
        """Take consecutive rows.

        Raises:
            errors.CallerError: CHUNK_OFFSET, CHUNK_RAGGED.
            errors.StateError: UPLOAD_SUPERSEDED.
        """
        if first_row != self._next_row:
            raise upload_store.offset(self._next_row, first_row)
        self._next_row += encodings.rows_in(first_row, len(rows), self._row_bytes)
        meters.UPLOADED_BYTES.inc(len(rows))
        self._hash.update(rows)
        self._buffer += rows
        while len(self._buffer) >= self._chunk_bytes:
            while len(self._keeping) >= CHUNKS_IN_FLIGHT:
                await self._oldest_kept()
            chunk, data = self._cut(self._chunk_bytes)
            before = self._keeping[-1] if self._keeping else None
            name = f"chunk {self._upload.upload_id}"
            self._keeping.append(asyncio.create_task(self._keep(chunk, data, before), name=name))
        while self._keeping and self._keeping[0].done():
            await self._oldest_kept()

    async def seal(self, row_count: int, digest: digests.Digest) -> uploads.Upload:
        """Check what the trailer says, keep the last rows and seal the dataset.

        Raises:
            errors.CallerError: UPLOAD_EMPTY, COUNT_MISMATCH, DIGEST_MISMATCH.
            errors.StateError: UPLOAD_SUPERSEDED, and mismatches with a party that was sealed in the meantime.
        """
        self._check(row_count, digest)
        while self._keeping:
            await self._oldest_kept()
        last_chunk = None
        if self._buffer:
            last_chunk, data = self._cut(len(self._buffer))
            await self._put(last_chunk, data)
        sealed = await self._store.seal(self._upload, last_chunk, row_count, digest)
        meters.SEALED_ROWS.inc(row_count)
        return sealed

    def _check(self, row_count: int, digest: digests.Digest) -> None:
        if self._next_row == 0:
            raise errors.CallerError(errors.Reason.UPLOAD_EMPTY, "an upload needs at least one row; none came")
        if row_count != self._next_row:
            raise errors.CallerError(
                errors.Reason.COUNT_MISMATCH,
                f"the trailer counts {row_count} rows, {self._next_row} came: upload again",
                expected=row_count,
                found=self._next_row,
            )
        if digest != digests.Digest(self._hash.digest(), self._next_row * self._row_bytes):
            raise errors.CallerError(
                errors.Reason.DIGEST_MISMATCH,
                "the trailer's digest is not that of the rows that came: they were changed on the way, upload again",
            )

    async def abandon(self, project_facts: project_store.ProjectStore) -> None:
        """Leave the upload as it is kept: another stream may go on with it. Of a deleted project nothing stays."""
        # Not cancelled: what was sent is kept, and an object store might finish it after we have looked.
        await asyncio.gather(*self._keeping, return_exceptions=True)
        self._keeping.clear()
        await deletion.undo_writes(project_facts, self._objects, self._upload.project_id)

    def _cut(self, size: int) -> tuple[chunks.ChunkRef, bytes]:
        """The buffer's first bytes as a chunk."""
        data = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        chunk = chunks.ChunkRef(digests.Digest.of(data), self._buffer_row, size // self._row_bytes)
        self._buffer_row += chunk.rows
        return chunk, data

    async def _keep(self, chunk: chunks.ChunkRef, data: bytes, before: asyncio.Task[None] | None) -> None:
        """Write a chunk, and record it once those before it are: chunks count in row order."""
        await self._put(chunk, data)
        if before is not None:
            await asyncio.shield(before)
        await self._store.advance(self._upload, chunk)

    async def _put(self, chunk: chunks.ChunkRef, data: bytes) -> None:
        await self._objects.put(keys.chunk(self._upload.project_id, chunk.digest), data)

    async def _oldest_kept(self) -> None:
        """Wait until the oldest chunk is recorded, without cancelling it when we are cancelled."""
        await asyncio.wait([self._keeping[0]])
        self._keeping.popleft().result()


async def begin(
    store: upload_store.UploadStore,
    objects: blobs.Blobs,
    project_id: str,
    party: int,
    *,
    offered: projects.Agreement,
    encoder_version: str,
    first_row: int,
) -> Uploading:
    """Begin an upload, or go on with one at ``first_row``.

    Raises:
        errors.CallerError: INVALID_REQUEST, CHUNK_OFFSET.
        errors.StateError: DATASET_SEALED, and mismatches with what the parties agreed on.
    """
    row_bytes = encodings.width_bytes(offered.width_bits)
    upload = await store.begin(
        identifiers.draw("u"),
        project_id,
        party,
        offered=offered,
        encoder_version=encoder_version,
        rows_per_chunk=chunks.rows_per_chunk(row_bytes),
        first_row=first_row,
    )
    uploading = Uploading(upload, store, objects)
    if first_row:
        await uploading.rehash()
    return uploading
