"""Engines for PostgreSQL: reads see one moment, writes what was committed, and no dead connection is handed out."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

import psycopg
import trio
from psycopg import IsolationLevel
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError

from tigercore_postgres.connection import StoreConnection
from tigercore_postgres.options import WRITERS, PostgresOptions
from tigercore_postgres.server import Server
from tigercore_sql import READ_ONLY, Runner

_MOVING = 0x7463_7363_6865_6D61  # the advisory lock of who moves the schema


def store_runner(options: PostgresOptions) -> Runner:
    """Return a runner with a pool that is as large as its threads are many: nobody waits in it."""
    engine = _engine(Server(options).connect, options.pool)
    event.listen(engine, "begin", _begin)
    readers = trio.CapacityLimiter(options.pool - WRITERS)
    return Runner(engine, options.name, writers=trio.CapacityLimiter(WRITERS), readers=readers)


def schema_runner(options: PostgresOptions) -> Runner:
    """Return a runner whose writes are one after the other, in all processes, and may take as long as they need."""
    engine = _engine(Server(options, patient=True).connect, 1)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "begin", lambda connection: _take_turn(connection, options.lock_timeout))
    return _one_by_one(engine, options)


def purge_runner(options: PostgresOptions) -> Runner:
    """Return a runner outside any transaction, where VACUUM can run."""
    return _one_by_one(_engine(lambda: Server(options, patient=True).connect(autocommit=True), 1), options)


def _one_by_one(engine: Engine, options: PostgresOptions) -> Runner:
    turn = trio.CapacityLimiter(1)
    return Runner(engine, options.name, writers=turn, readers=turn)


def _engine(connect: Callable[[], StoreConnection], connections: int) -> Engine:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=connect,
        hide_parameters=True,
        pool_size=connections,
        max_overflow=0,
        use_native_hstore=False,
    )
    event.listen(engine, "checkout", _require_alive)
    return engine


def _require_alive(connection: StoreConnection, *_: Any) -> None:
    """Pass if the server has said nothing while the connection was idle: its last word is that it goes.

    :raises DisconnectionError: it has; the pool connects anew.
    """
    try:
        idle = select.poll()
        idle.register(connection.pgconn.socket, select.POLLIN)
        if not idle.poll(0):
            return
    except psycopg.OperationalError:  # it was closed on our side
        pass
    raise DisconnectionError


def _begin(connection: Connection) -> None:
    """Let the transaction be of its kind: psycopg says so as it begins, without a round trip more."""
    raw = _raw(connection)
    reads = connection.get_execution_options().get(READ_ONLY, False)
    if reads != (raw.isolation_level == IsolationLevel.REPEATABLE_READ):
        raw.isolation_level = IsolationLevel.REPEATABLE_READ if reads else IsolationLevel.READ_COMMITTED
        raw.read_only = True if reads else None


def _take_turn(connection: Connection, lock_timeout: float) -> None:
    """Wait for whoever moves the schema, as long as it takes; then for each lock only as long as it was said."""
    if not connection.get_execution_options().get(READ_ONLY, False):
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock({_MOVING}); "
            f"SET LOCAL lock_timeout = {lock_timeout * 1000:.0f}"
        )


def _raw(connection: Connection) -> StoreConnection:
    raw = connection.connection.driver_connection
    assert isinstance(raw, StoreConnection)  # noqa: S101  (`_engine` makes no other)
    return raw
