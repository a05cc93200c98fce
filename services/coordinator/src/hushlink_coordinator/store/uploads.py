"""Uploads and their chunks, as Postgres keeps them."""

from __future__ import annotations

from typing import Any

from hushlink_coordinator.store import changes, connection, projects
from hushlink_domain import chunks, digests, errors, states, uploads
from hushlink_domain import projects as domain_projects

_sql = connection.queries("uploads")
_project_sql = connection.queries("projects")


def _upload(row: Any) -> uploads.Upload:
    sealed = row["digest_hash"] is not None
    return uploads.Upload(
        upload_id=row["upload_id"],
        project_id=row["project_id"],
        party=row["party"],
        state=states.UploadState(row["state"]),
        offered=projects.agreement(row),
        session=row["session"],
        rows_per_chunk=row["rows_per_chunk"],
        committed_rows=row["committed_rows"],
        digest=digests.Digest(row["digest_hash"], row["digest_size"]) if sealed else None,
        seal_time=row["seal_time"],
    )


def _chunk(row: Any) -> chunks.ChunkRef:
    return chunks.ChunkRef(digests.Digest(row["digest_hash"], row["digest_size"]), row["first_row"], row["row_count"])


def superseded() -> errors.StateError:
    """What a stream is told whose upload was taken over by a newer one, or sealed, or deleted."""
    return errors.StateError(
        errors.Reason.UPLOAD_SUPERSEDED,
        "a newer stream of this party took the upload over: let that one finish, or ask GetUpload and start again",
    )


class UploadStore:
    """Begins, advances and seals uploads. Each write names the session that may write; an older one's is refused."""

    def __init__(self, database: connection.Database) -> None:
        self._database = database

    async def find(self, project_id: str, party: int) -> uploads.Upload | None:
        """A party's upload, or None before its first stream."""
        async with self._database.connection() as database:
            row = await _sql.find_upload(database, project_id=project_id, party=party)
        return row and _upload(row)

    async def begin(
        self,
        upload_id: str,
        project_id: str,
        party: int,
        *,
        offered: domain_projects.Agreement,
        encoder_version: str,
        rows_per_chunk: int,
        first_row: int,
    ) -> uploads.Upload:
        """Begin a party's upload, begin it anew (``first_row`` 0), or go on with it where it stopped.

        Raises:
            errors.StateError: DATASET_SEALED; FINGERPRINT_MISMATCH and its like against the project or against the rows
                that are kept already; UPLOAD_SUPERSEDED when the project vanished.
            errors.CallerError: CHUNK_OFFSET, when ``first_row`` is not where the upload stopped.
        """
        async with self._database.transaction() as database:
            # The project's row first, as whoever seals or deletes does: in one order nobody waits in a circle.
            agreed = await _project_sql.lock_agreement(database, project_id=project_id)
            if agreed is None:
                raise superseded()
            domain_projects.check_agreement(projects.agreement(agreed), offered)
            row = await _sql.lock_upload(database, project_id=project_id, party=party)
            present = _upload(row) if row else None
            if present is not None and present.state is states.UploadState.SEALED:
                raise _sealed(party)
            if first_row == 0:
                if present is not None:
                    await _sql.delete_upload(database, upload_id=present.upload_id)
                begun = await _sql.insert_upload(
                    database,
                    upload_id=upload_id,
                    project_id=project_id,
                    party=party,
                    schema_fingerprint=offered.schema_fingerprint,
                    width_bits=offered.width_bits,
                    key_check=offered.key_check,
                    encoder_version=encoder_version,
                    rows_per_chunk=rows_per_chunk,
                )
                return _upload(begun)
            committed = present.committed_rows if present else 0
            if present is None or committed < first_row:
                raise offset(committed, first_row)
            domain_projects.check_agreement(present.offered, offered)
            taken_over = await _sql.take_over_upload(database, upload_id=present.upload_id, first_row=first_row)
            if taken_over is None:
                raise offset(committed, first_row)
            return _upload(taken_over)

    async def advance(self, upload: uploads.Upload, chunk: chunks.ChunkRef) -> None:
        """Keep a chunk whose bytes are in the object store.

        Raises:
            errors.StateError: UPLOAD_SUPERSEDED, when a newer stream has the upload.
        """
        async with self._database.connection() as database:
            await _advance(database, upload, chunk)

    async def seal(
        self, upload: uploads.Upload, last: chunks.ChunkRef | None, row_count: int, digest: digests.Digest
    ) -> uploads.Upload:
        """Seal a complete upload with its last chunk, fix what it agrees with, and let waiting runs know.

        Raises:
            errors.StateError: UPLOAD_SUPERSEDED; FINGERPRINT_MISMATCH and its like, when another party was first.
        """
        async with self._database.transaction() as database:
            agreed = await _project_sql.lock_agreement(database, project_id=upload.project_id)
            if agreed is None:
                raise superseded()
            now = domain_projects.check_agreement(projects.agreement(agreed), upload.offered)
            if last is not None:
                await _advance(database, upload, last)
            row = await _sql.seal_upload(
                database,
                upload_id=upload.upload_id,
                session=upload.session,
                row_count=row_count,
                digest_hash=digest.hash,
                digest_size=digest.size_bytes,
            )
            if row is None:
                raise superseded()
            await _project_sql.update_agreement(
                database,
                project_id=upload.project_id,
                schema_fingerprint=now.schema_fingerprint,
                width_bits=now.width_bits,
                key_check=now.key_check,
            )
            actor = f"party {upload.party}"
            await projects.audit(database, actor, "seal", upload.project_id, upload.upload_id, rows=row_count)
            await changes.announce(database, changes.WORK)
        return _upload(row)

    async def chunks_of(self, upload_id: str) -> list[chunks.ChunkRef]:
        """An upload's chunks in row order."""
        async with self._database.connection() as database:
            return [_chunk(row) async for row in _sql.select_chunks(database, upload_id=upload_id)]

    async def datasets(self, project_id: str) -> dict[int, tuple[chunks.ChunkRef, ...]]:
        """The chunks of a project's sealed datasets, in row order, by dataset number."""
        found: dict[int, list[chunks.ChunkRef]] = {}
        async with self._database.connection() as database:
            async for row in _sql.select_dataset_chunks(database, project_id=project_id):
                found.setdefault(row["party"], []).append(_chunk(row))
        return {party: tuple(refs) for party, refs in found.items()}


async def _advance(database: Any, upload: uploads.Upload, chunk: chunks.ChunkRef) -> None:
    kept = await _sql.advance_upload(
        database,
        upload_id=upload.upload_id,
        session=upload.session,
        first_row=chunk.first_row,
        row_count=chunk.rows,
        digest_hash=chunk.digest.hash,
        digest_size=chunk.digest.size_bytes,
    )
    if kept is None:
        raise superseded()


def _sealed(party: int) -> errors.StateError:
    return errors.StateError(
        errors.Reason.DATASET_SEALED,
        f"the dataset of party {party} is sealed and can't change: create a new project for other data",
        party=party,
    )


def offset(expected_row: int, found_row: int) -> errors.CallerError:
    """What a stream is told that does not go on where the upload stopped."""
    return errors.CallerError(
        errors.Reason.CHUNK_OFFSET,
        f"row {expected_row} comes next, not row {found_row}: ask GetUpload for the committed rows and go on there, "
        "or start at row 0",
        expected_row=expected_row,
        found_row=found_row,
    )
