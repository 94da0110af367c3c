"""The store on SQLite: one host, any number of processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Self, final

import attrs
from sqlalchemy import BigInteger, ColumnElement, Connection, inspect, literal_column

from tigercore.errors import StoreUnavailable
from tigercore.ports import DriverContext, Schema
from tigercore_sql import VERSION_TABLE, Runner, SqlAccountStore, require_head
from tigercore_sqlite.engine import (
    data_version,
    file_runner,
    keep_wal,
    memory_runner,
    schema_runner,
    watch_runner,
)
from tigercore_sqlite.files import create_private, is_there, require_private
from tigercore_sqlite.patience import patiently
from tigercore_sqlite.purge import out_of_reach, purge

MEMORY = ":memory:"


@final
@attrs.frozen
class SqliteOptions:
    """Where the database is. `:memory:` is a private one that makes its own tables and ends with the store."""

    path: str = "tigercore.db"

    @property
    def in_memory(self) -> bool:
        """Say whether there is no file."""
        return self.path == MEMORY

    @property
    def file(self) -> Path:
        """Return the absolute path of the file; links in it are not followed."""
        return Path(self.path).expanduser().absolute()


@final
class SqliteStore(SqlAccountStore):
    """Keep accounts in an SQLite file. Reads do not wait for the writer; a commit is on the disk when `apply` returns.

    The file must be on a local disk: SQLite's locks do not hold on network file systems.
    """

    Options: ClassVar[type] = SqliteOptions

    now: ClassVar[ColumnElement[int]] = literal_column(
        "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER)",
        BigInteger,  # to the millisecond; 3.40 has no unixepoch('subsec')
    )

    def __init__(self, options: SqliteOptions, context: DriverContext, runner: Runner, watch: Runner | None) -> None:
        super().__init__(options, context, runner)
        self._watch = watch

    @classmethod
    def schema(cls, options: SqliteOptions) -> Schema:
        """Return the operator's view of the file; looking at it changes nothing, and does not create it."""
        from tigercore_sql.schema import SqlSchema  # alembic is heavy, and only the operator needs it

        return SqlSchema(lambda create: _schema_runner(options, create), lambda: _purge(options))

    @classmethod
    @asynccontextmanager
    async def open(cls, options: SqliteOptions, context: DriverContext) -> AsyncIterator[Self]:
        """Open the database for the time of an `async with`.

        :raises StoreUnavailable: there is no file, others may open it, or its schema is not the one that is needed.
        """
        async with AsyncExitStack() as stack:
            runner = await stack.enter_async_context(_runner(options))
            if options.in_memory:
                await runner.write(_make_tables)
            await runner.read(require_head)
            watch = None if options.in_memory else await stack.enter_async_context(watch_runner(options.file))
            if watch:
                await watch.read(keep_wal)  # after `require_head`: the file is ours
            yield cls(options, context, runner, watch)

    async def pulse(self) -> int:
        """Return what changes when another connection has written; nobody else can write to memory."""
        return await self._watch.read(data_version) if self._watch else 0


def _runner(options: SqliteOptions) -> Runner:
    if options.in_memory:
        return memory_runner()
    require_private(options.file)
    return file_runner(options.file)


@asynccontextmanager
async def _schema_runner(options: SqliteOptions, create: bool) -> AsyncIterator[Runner]:
    if options.in_memory or not (create or is_there(options.file)):
        async with memory_runner() as nothing:  # as empty as a file that is not there
            yield nothing
        return
    if create:
        await _claim_file(options.file)
    require_private(options.file)
    async with schema_runner(options.file) as runner:
        yield runner


async def _purge(options: SqliteOptions) -> list[str]:
    if options.in_memory:
        return []
    require_private(options.file)
    async with watch_runner(options.file) as runner:
        await runner.read(lambda connection: _require_ours(connection, options.file))
        await runner.read(lambda connection: purge(connection, options.file))
    return out_of_reach(options.file)


async def _claim_file(path: Path) -> None:
    create_private(path)
    require_private(path)
    async with watch_runner(path) as runner:
        await runner.read(lambda connection: _require_ours(connection, path))
        await runner.read(keep_wal)


def _require_ours(connection: Connection, path: Path) -> None:
    tables = patiently(lambda: inspect(connection).get_table_names())
    if tables and VERSION_TABLE not in tables:
        raise StoreUnavailable(f"{path} is another program's: it has tables, and no {VERSION_TABLE}; name another file")


def _make_tables(connection: Connection) -> Any:
    from tigercore_sql.schema import upgrade

    return upgrade(connection)
