"""Stores that are tortured: a new database each time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any, final

import attrs

from tests.servers.postgres import any_server
from tigercore.clock import SystemClock
from tigercore.model import Secret
from tigercore.testing.clock import driver_context
from tigercore_sql import SqlAccountStore
from tigercore_sqlite import SqliteOptions, SqliteStore

MISSING = 77
"""The status of a program whose server cannot be found or started."""


@final
@attrs.frozen
class Backend:
    """One database, which processes open one by one."""

    driver: type[SqlAccountStore]
    options: Any = attrs.field(repr=False)

    async def migrate(self) -> None:
        """Make the tables."""
        await self.driver.schema(self.options).migrate()

    def open(self) -> AbstractAsyncContextManager[SqlAccountStore]:
        """Open the store."""
        return self.driver.open(self.options, driver_context(SystemClock()))


def postgres_backend(url: str) -> Backend:
    """Return the database of this URL."""
    from tigercore_postgres import PostgresOptions, PostgresStore  # what tortures SQLite does without

    return Backend(PostgresStore, PostgresOptions(url=Secret(url)))


@contextmanager
def _sqlite(home: Path) -> Iterator[Callable[[str], Backend]]:
    yield lambda name: Backend(SqliteStore, SqliteOptions(str(home / f"{name}.db")))


@contextmanager
def _postgres(_: Path) -> Iterator[Callable[[str], Backend]]:
    names: list[str] = []

    def new(name: str) -> Backend:
        names.append(f"torture_{name}_{os.getpid()}")
        return postgres_backend(server.create_database(names[-1]))

    with any_server() as server:
        try:
            yield new
        finally:
            for name in names:
                server.drop_database(name)


BACKENDS = {"sqlite": _sqlite, "postgres": _postgres}
"""By its name, what lends new databases of a backend, for as long as its server runs."""
