"""The store on PostgreSQL: any number of hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar, Self, final

from sqlalchemy import BigInteger, ColumnElement, Connection, literal_column, text

from tigercore.ports import DriverContext, Schema
from tigercore_postgres.engine import purge_runner, schema_runner, store_runner
from tigercore_postgres.feed import TELL, Feed
from tigercore_postgres.options import PostgresOptions
from tigercore_postgres.purge import purge
from tigercore_postgres.server import Server
from tigercore_sql import SqlAccountStore, require_head
from tigercore_sql.delta import read_revision

_TELL = text(TELL)


@final
class PostgresStore(SqlAccountStore):
    """Keep accounts in a PostgreSQL database. A commit is in the server's log when `apply` returns.

    The server tells the store of other processes' writes; should it ever fail to, the store looks every 2 s.
    """

    Options: ClassVar[type] = PostgresOptions

    now: ClassVar[ColumnElement[int]] = literal_column(
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)", BigInteger
    )
    poll_interval: ClassVar[float] = 2.0

    @classmethod
    def schema(cls, options: PostgresOptions) -> Schema:
        """Return the operator's view of the database, which must be there: `createdb` makes it."""
        from tigercore_sql.schema import SqlSchema  # alembic is heavy, and only the operator needs it

        return SqlSchema(lambda create: schema_runner(options), lambda: _purge(options))

    @classmethod
    @asynccontextmanager
    async def open(cls, options: PostgresOptions, context: DriverContext) -> AsyncIterator[Self]:
        """Open the database for the time of an `async with`.

        :raises StoreUnavailable: it cannot be reached, its schema is not the one that is needed, or it stands behind a
            pooler that passes no notifications on.
        """
        async with store_runner(options) as runner:
            await runner.read(require_head)
            store = cls(options, context, runner)
            feed = Feed(Server(options), store.wake, context.log)
            async with feed.listening(lambda: runner.write(store.announce)):
                yield store

    async def pulse(self) -> int:
        """Return the revision: reading it costs as little as anything that can be asked."""
        return await self._runner.read(read_revision)

    def announce(self, connection: Connection) -> None:
        """Tell everyone who listens, once this transaction has committed."""
        connection.execute(_TELL)


async def _purge(options: PostgresOptions) -> list[str]:
    async with purge_runner(options) as runner:
        return await runner.read(lambda connection: purge(connection, options.name))
