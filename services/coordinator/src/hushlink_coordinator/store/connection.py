"""Connections to Postgres, and the queries of this room."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import aiosql
import asyncpg

from hushlink_domain import errors

SQL = pathlib.Path(__file__).parent / "sql"
MIGRATIONS = pathlib.Path(__file__).parent / "migrations"

_OUTAGES = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it stops, or starts, or somebody ended the query
    asyncpg.InsufficientResourcesError,  # of connections, memory or disk
    asyncpg.TransactionRollbackError,  # two that waited for each other
    asyncpg.ReadOnlySQLTransactionError,  # a standby that is not promoted yet
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a call meets whose connection the server ends at that very moment
    OSError,  # no route, no such host, refused, reset, timed out
)


def queries(name: str) -> Any:
    """The named queries of ``sql/<name>.sql``, as methods that take a connection and keyword arguments."""
    return aiosql.from_path(SQL / f"{name}.sql", "asyncpg", mandatory_parameters=False)


class Database:
    """A pool of connections. Outages come out as STORE_UNAVAILABLE, so that callers back off."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection for one or a few statements, each its own transaction.

        Raises:
            errors.CapacityError: STORE_UNAVAILABLE, when Postgres can't be reached.
        """
        try:
            async with self._pool.acquire() as connection:
                yield connection
        except _OUTAGES as error:
            if isinstance(error, ValueError):  # asyncpg's word for arguments that do not fit their query: our own fault
                raise
            raise errors.CapacityError(
                errors.Reason.STORE_UNAVAILABLE, "the coordinator can't reach its database: try again later"
            ) from error

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """A connection inside one transaction.

        Raises:
            errors.CapacityError: STORE_UNAVAILABLE, when Postgres can't be reached.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection


@contextlib.asynccontextmanager
async def connected(url: str, *, most_connections: int) -> AsyncIterator[Database]:
    """A database that migrations were applied to.

    Args:
        url: postgresql://USER:PASSWORD@HOST:PORT/DATABASE
        most_connections: the pool's size.
    """
    async with asyncpg.create_pool(url, min_size=1, max_size=most_connections, command_timeout=60) as pool:
        async with pool.acquire() as connection:
            await _migrate(connection)
        yield Database(pool)


async def _migrate(connection: Any) -> None:
    """Apply the migrations that are not applied yet, in the order of their names; one replica does it, others wait."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext('hushlink migrations'))")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, apply_time timestamptz DEFAULT now())"
        )
        applied = {row["name"] for row in await connection.fetch("SELECT name FROM migrations")}
        for file in sorted(MIGRATIONS.glob("*.sql")):
            if file.name not in applied:
                await connection.execute(file.read_text())
                await connection.execute("INSERT INTO migrations (name) VALUES ($1)", file.name)
