"""Engines for SQLite: every write takes the writer's turn before it reads, and a commit is on the disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import trio
from sqlalchemy import Connection, Engine, Pool, QueuePool, StaticPool, create_engine, event

from tigercore_sql import READ_ONLY, Runner

_READERS = 4
_BUSY_MS = 10_000

_PRAGMAS = (
    f"PRAGMA busy_timeout={_BUSY_MS}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # NORMAL may lose the last commit when the power goes: a token that is lost
    "PRAGMA secure_delete=ON",
    "PRAGMA foreign_keys=ON",
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
    turn = trio.CapacityLimiter(1)
    return Runner(engine, "the database in memory", writers=turn, readers=turn)


def watch_runner(path: Path) -> Runner:
    """Return a runner that always has the same connection, outside any transaction.

    `PRAGMA data_version` tells a connection whether others have written since it looked.
    """
    engine = _engine(f"{path.as_uri()}?mode=rw", QueuePool, pool_size=1, max_overflow=0, pool_reset_on_return=None)
    turn = trio.CapacityLimiter(1)
    return Runner(engine, str(path), writers=turn, readers=turn)


def _engine(uri: str, pool: type[Pool], **options: Any) -> Engine:
    engine = create_engine("sqlite://", creator=lambda: _connect(uri), poolclass=pool, hide_parameters=True, **options)
    event.listen(engine, "connect", _prepare)
    return engine


def _connect(uri: str) -> sqlite3.Connection:
    """Connect without the transactions of Python's module: they start too late and lose updates (ecosystem 1)."""
    return sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None, timeout=_BUSY_MS / 1000)


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
