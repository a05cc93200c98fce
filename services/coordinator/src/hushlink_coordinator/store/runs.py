"""Runs, their leases and their progress, as Postgres keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hushlink_coordinator.store import changes, connection, projects
from hushlink_domain import digests, errors, groups, metrics, runs, states

_sql = connection.queries("runs")
_tile_sql = connection.queries("tiles")


class LeaseLostError(Exception):
    """Another process works on the run now, or the run has ended: stop at once, write nothing more."""


def _run(row: Any) -> runs.Run:
    failed = row["failure_reason"] is not None
    return runs.Run(
        run_id=row["run_id"],
        project_id=row["project_id"],
        name=row["name"],
        notes=row["notes"],
        threshold=row["threshold"],
        metric=metrics.Metric(row["metric"]),
        state=states.RunState(row["state"]),
        progress=runs.Progress(
            stage_fraction=row["stage_fraction"],
            comparisons_done=row["comparisons_done"],
            comparisons_total=row["comparisons_total"],
            tiles_done=row["tiles_done"],
            tiles_total=row["tiles_total"],
            candidate_pairs=row["candidate_pairs"],
            groups=row["group_count"],
        ),
        stages=tuple(_stages(row)),
        failure=runs.Failure(row["failure_reason"], row["failure_message"]) if failed else None,
        create_time=row["create_time"],
        end_time=row["end_time"],
    )


def _stages(row: Any) -> Iterator[runs.StageTime]:
    for state, *times in zip(row["stages"] or (), row["stage_starts"] or (), row["stage_ends"] or (), strict=True):
        yield runs.StageTime(states.RunState(state), *times)


def not_found(run_id: str) -> errors.StateError:
    """What is said of a run that the project does not have."""
    return errors.StateError(
        errors.Reason.RUN_NOT_FOUND, "the project has no such run: list its runs", run_id=run_id[:100].replace("\0", "")
    )


def _check_storable(run_id: str) -> None:
    """Check that a run could have this id: Postgres takes no NUL."""
    if "\0" in run_id:
        raise not_found(run_id)


class RunStore:
    """Creates and reads runs, and keeps the leases of those who work on them."""

    def __init__(self, database: connection.Database) -> None:
        self._database = database

    async def create(
        self, run_id: str, project_id: str, name: str, notes: str, threshold: float, request_id: str | None
    ) -> runs.Run:
        """Create a run, or return the one that was created for the same request.

        Raises:
            errors.CallerError: ACCESS_REFUSED, when the project is gone.
        """
        async with self._database.transaction() as database:
            row = await _sql.insert_run(
                database,
                run_id=run_id,
                project_id=project_id,
                request_id=request_id,
                name=name,
                notes=notes,
                threshold=threshold,
            )
            if row is None and request_id is not None:
                row = await _sql.find_run_by_request(database, project_id=project_id, request_id=request_id)
            elif row is not None:
                await projects.audit(database, "owner", "create run", project_id, run_id)
                await changes.announce(database, changes.WORK)
        if row is None:
            raise not_found(run_id)
        return await self.find(project_id, row["run_id"])

    async def find(self, project_id: str, run_id: str) -> runs.Run:
        """A run of a project.

        Raises:
            errors.StateError: RUN_NOT_FOUND.
        """
        _check_storable(run_id)
        async with self._database.connection() as database:
            row = await _sql.find_run(database, project_id=project_id, run_id=run_id)
        if row is None:
            raise not_found(run_id)
        return _run(row)

    async def page(self, project_id: str, page_size: int, before: projects.Place | None) -> list[runs.Run]:
        """Runs of a project, newest first, those after a place in that order."""
        time, place_id = before or (None, None)
        async with self._database.connection() as database:
            selected = _sql.select_runs(
                database, project_id=project_id, before_time=time, before_id=place_id, page_size=page_size
            )
            return [_run(row) async for row in selected]

    async def request_cancel(self, project_id: str, run_id: str) -> None:
        """Ask for a run's end; nothing happens to one that has ended.

        Raises:
            errors.StateError: RUN_NOT_FOUND; RUN_ENDED, with its state.
        """
        _check_storable(run_id)
        async with self._database.transaction() as database:
            state = await _sql.request_cancel(database, project_id=project_id, run_id=run_id)
            if state is not None:
                await projects.audit(database, "owner", "cancel run", project_id, run_id)
                for subject in (run_id, changes.cancelling(run_id), changes.LEFTOVERS):
                    await changes.announce(database, subject)
        if state is None:
            run = await self.find(project_id, run_id)
            raise errors.StateError(
                errors.Reason.RUN_ENDED,
                f"the run has ended already: {run.state.value}",
                run_id=run_id,
                state=run.state.value,
            )

    async def claim(self, holder: str, lease_seconds: float) -> runs.Lease | None:
        """Take the lease of the oldest run that can go on, or None."""
        async with self._database.connection() as database:
            row = await _sql.claim_run(database, holder=holder, lease_seconds=lease_seconds)
        if row is None:
            return None
        state = states.RunState(row["state"])
        return runs.Lease(row["run_id"], row["project_id"], row["fence"], state, row["attempts"])

    async def renew(self, lease: runs.Lease, lease_seconds: float) -> bool:
        """Keep a lease; True when the run is to be cancelled.

        Raises:
            LeaseLostError: another process has it.
        """
        async with self._database.connection() as database:
            cancel = await _sql.renew_lease(
                database, run_id=lease.run_id, fence=lease.fence, lease_seconds=lease_seconds
            )
        if cancel is None:
            raise LeaseLostError
        return bool(cancel)

    async def release(self, lease: runs.Lease, attempts: int, retry_seconds: float) -> None:
        """Give a lease back: anybody may take it after ``retry_seconds``.

        Raises:
            LeaseLostError: another process has it.
        """
        async with self._database.transaction() as database:
            released = await _sql.release_lease(
                database, run_id=lease.run_id, fence=lease.fence, attempts=attempts, retry_seconds=retry_seconds
            )
            if released is None:
                raise LeaseLostError
            await changes.announce(database, changes.WORK)

    async def enter(self, lease: runs.Lease, stage: states.RunState) -> None:
        """Move the run to a stage.

        Raises:
            LeaseLostError: another process has the lease.
        """
        async with self._database.transaction() as database:
            moved = await _sql.enter_stage(database, run_id=lease.run_id, fence=lease.fence, state=stage.value)
            if moved is None:
                raise LeaseLostError
            await changes.announce(database, lease.run_id)

    async def end(self, lease: runs.Lease, state: states.RunState, failure: runs.Failure | None = None) -> None:
        """End the run.

        Raises:
            LeaseLostError: another process has the lease.
        """
        async with self._database.transaction() as database:
            ended = await _sql.end_run(
                database,
                run_id=lease.run_id,
                fence=lease.fence,
                state=state.value,
                failure_reason=failure and failure.reason,
                failure_message=failure and failure.message,
            )
            if ended is None:
                raise LeaseLostError
            await projects.audit(database, "coordinator", f"run {state.value}", lease.project_id, lease.run_id)
            for subject in (lease.run_id, changes.LEFTOVERS):
                await changes.announce(database, subject)

    async def with_pairs_left(self) -> list[tuple[str, str]]:
        """Projects and ids of some runs that have ended, but whose sorted runs of pairs may be left."""
        async with self._database.connection() as database:
            return [(row["project_id"], row["run_id"]) async for row in _sql.select_ended_with_pairs(database)]

    async def remember_pairs(self, run_id: str) -> None:
        """Record that a run's sorted runs of pairs may be left, also if somebody has deleted them before."""
        async with self._database.transaction() as database:
            await _sql.remember_pairs(database, run_id=run_id)
            await changes.announce(database, changes.LEFTOVERS)

    async def forget_pairs(self, run_id: str) -> None:
        """Record that a run's sorted runs of pairs are gone."""
        async with self._database.connection() as database:
            await _sql.forget_pairs(database, run_id=run_id)

    async def report(
        self, lease: runs.Lease, stage: states.RunState, fraction: float, comparisons_done: int = 0, groups: int = 0
    ) -> None:
        """Report progress within a stage; what is behind what was reported already changes nothing."""
        async with self._database.transaction() as database:
            reported = await _sql.report_progress(
                database,
                run_id=lease.run_id,
                fence=lease.fence,
                state=stage.value,
                stage_fraction=min(max(fraction, 0.0), 1.0),
                comparisons_done=comparisons_done,
                group_count=groups,
            )
            if reported is not None:
                await changes.announce(database, lease.run_id)

    async def publish(self, lease: runs.Lease, published: groups.PublishedGroups) -> None:
        """Record where the run's result rests.

        Raises:
            LeaseLostError: another process has the lease.
        """
        async with self._database.transaction() as database:
            if not await _tile_sql.lock_lease(database, run_id=lease.run_id, fence=lease.fence):
                raise LeaseLostError
            await _tile_sql.insert_result(
                database,
                run_id=lease.run_id,
                digest_hash=published.digest.hash,
                digest_size=published.digest.size_bytes,
                group_count=published.group_count,
                member_count=published.member_count,
                candidate_pairs=published.candidate_pairs,
                dataset_rows=list(published.dataset_rows),
                page_offsets=list(published.page_offsets),
                page_first_groups=list(published.page_first_groups),
            )

    async def published(self, run_id: str) -> groups.PublishedGroups | None:
        """Where the run's result rests, or None."""
        async with self._database.connection() as database:
            row = await _tile_sql.find_result(database, run_id=run_id)
        return row and groups.PublishedGroups(
            run_id=run_id,
            digest=digests.Digest(row["digest_hash"], row["digest_size"]),
            group_count=row["group_count"],
            member_count=row["member_count"],
            candidate_pairs=row["candidate_pairs"],
            dataset_rows=tuple(row["dataset_rows"]),
            page_offsets=tuple(row["page_offsets"]),
            page_first_groups=tuple(row["page_first_groups"]),
        )
