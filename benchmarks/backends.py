"""The engines of SQL, each with new databases on the disk, and plain SQLAlchemy on them: the floor of a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any, final

import attrs
from sqlalchemy import Connection, Engine, create_engine, event

from tests.servers.postgres import postgres_server

_PRAGMAS = ("busy_timeout=5000", "synchronous=FULL", "secure_delete=ON", "foreign_keys=ON")
_SESSION = "-c lock_timeout=5s -c statement_timeout=30s -c synchronous_commit=on -c timezone=UTC"


@final
@attrs.frozen
class Backend:
    """An engine that runs; `new` makes an empty database and returns its URL."""

    name: str
    new: Callable[[], str]


@contextmanager
def backends() -> Iterator[list[Backend]]:
    """Start what is needed. Both sync every commit to the same disk.

    :raises MissingServer: PostgreSQL is not installed, or does not start.
    """
    with TemporaryDirectory() as place, postgres_server("fsync=on") as server:
        names = (f"bench{number}" for number in count())
        yield [
            Backend("SQLite", lambda: f"sqlite:///{place}/{next(names)}.db"),
            Backend("PostgreSQL", lambda: server.create_database(next(names))),
        ]


@contextmanager
def plain_engine(url: str, connections: int = 1) -> Iterator[Engine]:
    """Open an engine with the settings of our drivers, and nothing else of them."""
    if url.startswith("sqlite:"):
        engine = create_engine(url, pool_size=connections, max_overflow=0)
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)
    else:
        url = url.replace("postgresql:", "postgresql+psycopg:")
        engine = create_engine(url, pool_size=connections, max_overflow=0, connect_args={"options": _SESSION})
    try:
        yield engine
    finally:
        engine.dispose()


def _set_pragmas(connection: Any, _: object) -> None:
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
