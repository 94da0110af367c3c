"""Engines for SQLite: every write takes the writer's turn before it reads, and a commit is on the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import trio
from sqlalchemy import Connection, Engine, Pool, QueuePool, StaticPool, create_engine, event

from tigercore_sql import READ_ONLY, Runner
from tigercore_sqlite.patience import BUSY_MS, patiently

_READERS = 4

_PRAGMAS = (
    f"PRAGMA busy_timeout={BUSY_MS}",
    "PRAGMA synchronous=FULL",  # NORMAL may lose the last commit when the power goes: a token that is lost
    "PRAGMA secure_delete=ON",
)


def file_runner(path: Path) -> Runner:
    """Return a runner on a file that is there already: one writer, and readers who do not wait for it."""
    engine = _engine(f"{path.as_uri()}?mode=rw", QueuePool, pool_size=_READERS + 1, max_overflow=0)
    event.listen(engine, "begin", _begin)
    return Runner(engine, str(path), writers=trio.CapacityLimiter(1), readers=trio.CapacityLimiter(_READERS))


def memory_runner() -> Runner:
    """Return a runner on a new database in memory, which lives in its one connection."""
    engine = _engine("file::memory:", StaticPool)
    event.listen(engine, "begin", _begin)
    return _one_by_one(engine, "the database in memory")


def schema_runner(path: Path) -> Runner:
    """Return a runner that rebuilds tables: it does not enforce foreign keys, which no transaction can change."""
    engine = _engine(f"{path.as_uri()}?mode=rw", QueuePool, foreign_keys=False, pool_size=1, max_overflow=0)
    event.listen(engine, "begin", _begin)
    return _one_by_one(engine, str(path))


def watch_runner(path: Path) -> Runner:
    """Return a runner that always has the same connection, outside any transaction.

    `PRAGMA data_version` tells a connection whether others have written since it looked.
    """
    engine = _engine(f"{path.as_uri()}?mode=rw", QueuePool, pool_size=1, max_overflow=0, pool_reset_on_return=None)
    return _one_by_one(engine, str(path))


def data_version(connection: Connection) -> int:
    """Return a number that is another one when another connection has written."""
    version: int = patiently(lambda: connection.exec_driver_sql("PRAGMA data_version").scalar_one())
    return version


def keep_wal(connection: Connection) -> None:
    """Let readers and the writer not wait for each other. The mode stays in the file, so it must be ours.

    The connection is one of `watch_runner`: no transaction can change the mode.
    """
    if patiently(lambda: connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()) != "wal":
        patiently(lambda: connection.exec_driver_sql("PRAGMA journal_mode=WAL").close())


def _one_by_one(engine: Engine, name: str) -> Runner:
    turn = trio.CapacityLimiter(1)
    return Runner(engine, name, writers=turn, readers=turn)


def _engine(uri: str, pool: type[Pool], *, foreign_keys: bool = True, **options: Any) -> Engine:
    pragmas = (*_PRAGMAS, f"PRAGMA foreign_keys={int(foreign_keys)}")
    return create_engine(
        "sqlite://", creator=lambda: _connect(uri, pragmas), poolclass=pool, hide_parameters=True, **options
    )


def _connect(uri: str, pragmas: Sequence[str]) -> sqlite3.Connection:
    """Connect without the transactions of Python's module: they start too late and lose updates (ecosystem 1)."""
    connection = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None, timeout=BUSY_MS / 1000)
    try:
        for pragma in pragmas:
            patiently(partial(connection.execute, pragma)).close()
    except BaseException:
        connection.close()
        raise
    return connection


def _begin(connection: Connection) -> None:
    """Begin, and wait here for whoever is in the way; what follows finds the way free."""
    if connection.get_execution_options().get(READ_ONLY, False):
        connection.exec_driver_sql("BEGIN")
        patiently(lambda: connection.exec_driver_sql("PRAGMA schema_version").close())  # it takes the reader's lock
    else:
        patiently(lambda: connection.exec_driver_sql("BEGIN IMMEDIATE"))
