"""Projects, their parties and their rights, as Postgres keeps them."""

from __future__ import annotations

import collections
import datetime
import json
from collections.abc import Sequence
from typing import Any

from hushlink_coordinator.store import changes, connection
from hushlink_domain import grants, metrics, projects

_sql = connection.queries("projects")

Place = tuple[datetime.datetime, str]
"""A place in a list that is ordered by age, newest first: create time and id."""


def _project(row: Any, parties: Sequence[projects.Party]) -> projects.Project:
    return projects.Project(
        project_id=row["project_id"],
        name=row["name"],
        notes=row["notes"],
        schema_json=row["schema_json"],
        agreement=agreement(row),
        metric=metrics.Metric(row["metric"]),
        result_type=projects.ResultType(row["result_type"]),
        parties=tuple(parties),
        create_time=row["create_time"],
    )


def agreement(row: Any) -> projects.Agreement:
    """The agreement in a row that has its columns."""
    return projects.Agreement(row["schema_fingerprint"], row["width_bits"], row["key_check"])


class ProjectStore:
    """Creates, reads and deletes projects."""

    def __init__(self, database: connection.Database) -> None:
        self._database = database

    async def create(
        self, project: projects.Project, owner_hash: bytes, party_hashes: Sequence[bytes]
    ) -> projects.Project:
        """Create a project with the hashes of its rights; its create time is set here."""
        async with self._database.transaction() as database:
            await _sql.insert_project(
                database,
                project_id=project.project_id,
                name=project.name,
                notes=project.notes,
                schema_json=project.schema_json,
                schema_fingerprint=project.agreement.schema_fingerprint,
                width_bits=project.agreement.width_bits,
                key_check=project.agreement.key_check,
                metric=project.metric.value,
                result_type=project.result_type.value,
            )
            names = [party.name for party in project.parties]
            await _sql.insert_parties(database, project_id=project.project_id, names=names)
            granted = [(owner_hash, "owner", None), *((h, "party", n) for n, h in enumerate(party_hashes))]
            for token_hash, role, party in granted:
                await _sql.insert_right(
                    database, token_hash=token_hash, project_id=project.project_id, role=role, party=party
                )
            await audit(database, "operator", "create project", project.project_id, project.project_id)
        created = await self.find(project.project_id)
        assert created is not None, "created in this call"  # noqa: S101
        return created

    async def grant(self, token_hash: bytes) -> grants.Grant | None:
        """The grant of a right, by the right's hash; None for an unknown one."""
        async with self._database.connection() as database:
            row = await _sql.find_grant(database, token_hash=token_hash)
        return row and grants.Grant(grants.Role(row["role"]), row["project_id"], row["party"])

    async def exists(self, project_id: str) -> bool:
        """Whether there is such a project."""
        async with self._database.connection() as database:
            return bool(await _sql.project_exists(database, project_id=project_id))

    async def find(self, project_id: str) -> projects.Project | None:
        """A project, or None."""
        found = await self.page(1, only_id=project_id)
        return found[0] if found else None

    async def page(
        self, page_size: int, *, before: Place | None = None, only_id: str | None = None
    ) -> list[projects.Project]:
        """Projects, newest first, those after a place in that order; only one where ``only_id`` is given."""
        time, place_id = before or (None, None)
        async with self._database.connection() as database:
            selected = _sql.select_projects(
                database, only_id=only_id, before_time=time, before_id=place_id, page_size=page_size
            )
            rows = [row async for row in selected]
            ids = [row["project_id"] for row in rows]
            parties = collections.defaultdict(list)
            async for row in _sql.select_parties(database, project_ids=ids):
                parties[row["project_id"]].append(
                    projects.Party(row["party"], row["name"], row["sealed"], row["row_count"])
                )
        return [_project(row, parties[row["project_id"]]) for row in rows]

    async def begin_deletion(self, project_id: str) -> None:
        """Make a project unreachable and ask for its runs' end; ``finish_deletion`` does the rest."""
        async with self._database.transaction() as database:
            await _sql.begin_deletion(database, project_id=project_id)
            cancelled = [row["run_id"] async for row in _sql.cancel_runs_of_project(database, project_id=project_id)]
            await audit(database, "owner", "delete project", project_id, project_id)
            for subject in (*map(changes.cancelling, cancelled), changes.WORK):
                await changes.announce(database, subject)

    async def is_worked_on(self, project_id: str) -> bool:
        """Whether somebody has a lease on one of the project's runs."""
        async with self._database.connection() as database:
            return bool(await _sql.project_is_worked_on(database, project_id=project_id))

    async def deletions(self, begun_seconds: float) -> list[str]:
        """Ids of projects whose deletion began so long ago, and whose runs nobody works on any more."""
        async with self._database.connection() as database:
            rows = _sql.select_deletions(database, begun_seconds=begun_seconds)
            return [row["project_id"] async for row in rows]

    async def finish_deletion(self, project_id: str, deleted_objects: int) -> None:
        """Forget a project whose objects are gone."""
        async with self._database.transaction() as database:
            if await _sql.delete_project(database, project_id=project_id) == "DELETE 1":
                facts = {"deleted_objects": deleted_objects}
                await audit(database, "coordinator", "project deleted", project_id, project_id, **facts)


async def audit(database: Any, actor: str, action: str, project_id: str, subject: str, **facts: int | str) -> None:
    """Write an entry of the audit, in the transaction of what it tells."""
    await _sql.insert_audit_entry(
        database, actor=actor, action=action, project_id=project_id, subject=subject, facts=json.dumps(facts)
    )
