"""The operator's view of the schema, through alembic."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from typing import Any, final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import CheckConstraint, Connection, create_engine, func, inspect, select

from tigercore.errors import StoreUnavailable
from tigercore.ports import Schema, SchemaStatus
from tigercore_sql.pg_catalog import catalog_differences
from tigercore_sql.revision import require_known, schema_status
from tigercore_sql.runner import Runner
from tigercore_sql.sqlite_master import Master, kept_whole, master_differences, read_master
from tigercore_sql.tables import META, METADATA, VERSION_TABLE

SCRIPTS = "tigercore_sql:migrations"
"""Where alembic finds the migrations."""

logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells every step; the operator hears the outcome

_ALEMBIC = threading.Lock()  # its commands keep their context in globals


@final
class SqlSchema(Schema):
    """Look at and move the schema of a database. Each move is one transaction.

    `connect` opens a new runner; it is given True if it may create the database. On SQLite its connections do not
    enforce foreign keys: a table that is rebuilt is dropped first, and would take its dependants with it. `purge` is
    the engine's own way to overwrite what is no longer stored; it returns what is out of its reach.
    """

    def __init__(
        self,
        connect: Callable[[bool], AbstractAsyncContextManager[Runner]],
        purge: Callable[[], Awaitable[list[str]]],
    ) -> None:
        self._connect = connect
        self._purge = purge

    async def status(self) -> SchemaStatus:
        """Tell which revision stands and which are pending."""
        async with self._connect(False) as runner:
            return await runner.read(schema_status)

    async def migrate(self) -> SchemaStatus:
        """Bring the store to the head revision; do nothing if it is there.

        :raises StoreUnavailable: the database failed, its schema is newer than this program, or a revision refuses to
            move what is stored.
        """
        async with self._connect(True) as runner:
            return await runner.write(upgrade)

    async def rollback(self) -> SchemaStatus:
        """Take the last revision back.

        :raises StoreUnavailable: the database failed, there is nothing to take back, or the revision refuses to.
        """
        async with self._connect(False) as runner:
            return await runner.write(downgrade)

    async def check(self) -> list[str]:
        """Name every difference between the store and the models."""
        async with self._connect(False) as runner:
            return await runner.read(differences)

    async def purge(self) -> list[str]:
        """Overwrite what replaced and removed rows left behind, and name what is out of reach.

        :raises StoreUnavailable: the database failed, or a program is in the way.
        """
        return await self._purge()


def upgrade(connection: Connection) -> SchemaStatus:
    """Bring the schema to the head revision in the transaction of this connection."""
    if require_known(schema_status(connection)).pending:
        with _moving(connection):
            command.upgrade(_config(connection), "head")
    return schema_status(connection)


def downgrade(connection: Connection) -> SchemaStatus:
    """Take the last revision back in the transaction of this connection.

    :raises StoreUnavailable: there is nothing to take back.
    """
    if require_known(schema_status(connection)).current is None:
        raise StoreUnavailable("the store is empty: there is no revision to take back")
    with _moving(connection):
        command.downgrade(_config(connection), "-1")
    return schema_status(connection)


def differences(connection: Connection) -> list[str]:
    """Name what the database lacks or has too much, in words."""
    if connection.dialect.name == "sqlite":
        found = [*master_differences(read_master(connection), _migrated())]
    else:
        found = [*_compared(connection), *_missing_checks(connection), *catalog_differences(connection)]
    return [*found, *_missing_row(connection)]


@contextmanager
def _moving(connection: Connection) -> Iterator[None]:
    keeping = kept_whole(connection) if connection.dialect.name == "sqlite" else nullcontext()
    with _ALEMBIC, keeping:
        try:
            yield
        except CommandError as error:  # a revision imports nothing of tigercore, and refuses in alembic's words
            raise StoreUnavailable(str(error)) from None


def _migrated() -> Master:
    """Return what the migrations make of a new SQLite database."""
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            upgrade(connection)
            return read_master(connection)
    finally:
        engine.dispose()


def _missing_row(connection: Connection) -> Iterator[str]:
    if inspect(connection).has_table(META.name) and connection.scalar(select(func.count()).select_from(META)) != 1:
        yield f"missing row of {META.name}, which counts revisions"


def _compared(connection: Connection) -> Iterator[str]:
    context = MigrationContext.configure(connection, opts=_OPTIONS)
    return map(_words, _flat(compare_metadata(context, METADATA)))


def _ours(name: str | None, kind: str, parents: Any) -> bool:
    return kind != "table" or (name or "").startswith("tc_")


_OPTIONS: dict[str, Any] = {"version_table": VERSION_TABLE, "include_name": _ours}


def _config(connection: Connection) -> Config:
    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _flat(found: list[Any]) -> Iterator[tuple[Any, ...]]:
    for each in found:  # changes of one column come as a list of their own
        yield from each if isinstance(each, list) else [each]


def _words(difference: tuple[Any, ...]) -> str:
    verb, *rest = difference
    what = verb.replace("add_", "missing ").replace("remove_", "not ours: ").replace("modify_", "differs: ")
    named = [str(getattr(each, "name", each)) for each in rest if isinstance(each, str) or hasattr(each, "name")]
    return f"{what.replace('_', ' ')} {'.'.join(named)}"


def _missing_checks(connection: Connection) -> Iterator[str]:
    """Name the CHECKs that are not there, which alembic does not compare."""
    inspector = inspect(connection)
    for table in METADATA.sorted_tables:
        if inspector.has_table(table.name):
            there = {found["name"] for found in inspector.get_check_constraints(table.name)}
            wanted = {str(each.name) for each in table.constraints if isinstance(each, CheckConstraint)}
            yield from (f"missing check {table.name}.{name}" for name in sorted(wanted - there))
