"""The change feed: PostgreSQL tells who listens, and nobody asks."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from typing import final

import psycopg
import trio

from tigercore.errors import StoreUnavailable
from tigercore_postgres.connection import StoreConnection
from tigercore_postgres.server import Server
from tigercore_sql.faults import described, remedy

TELL = "SELECT pg_notify('tigercore_changed', '')"
"""Tell everyone who listens on this database, once the transaction has committed."""

_LISTEN = "LISTEN tigercore_changed"
_PROOF = 3.0  # seconds in which a notification of ours must have come back
_LONGEST_PAUSE = 5.0  # seconds between two tries to connect again


@final
class Feed:
    """A connection that listens, without a thread. One that is lost is made anew."""

    def __init__(self, server: Server, heard: Callable[[], None], log: logging.Logger) -> None:
        self._server = server
        self._heard = heard
        self._log = log

    @asynccontextmanager
    async def listening(self, tell: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        """Call `heard` whenever somebody has told, for the time of the block. `tell` does so once, to try.

        :raises StoreUnavailable: there is no connection, or what was told does not come back.
        """
        connection = await self._connect()
        try:
            await tell()
            await self._prove(connection)
        except BaseException:
            connection.close()
            raise
        async with _beside(lambda: self._follow(connection)):
            yield

    async def _connect(self) -> StoreConnection:
        return await trio.to_thread.run_sync(_listening, self._server)

    async def _prove(self, connection: StoreConnection) -> None:
        with trio.move_on_after(_PROOF):
            await _notified(connection)
            return
        raise StoreUnavailable(
            f"{self._server.name} does not pass notifications on, as behind a pooler in transaction mode: "
            "name the server itself, or a port of the pooler in session mode"
        )

    async def _follow(self, connection: StoreConnection) -> None:
        while True:
            with closing(connection), suppress(psycopg.OperationalError):
                while True:
                    await _notified(connection)
                    self._heard()
            self._log.warning("the connection that listens to %s was lost; it is made anew", self._server.name)
            connection = await self._again()
            self._heard()  # what was told meanwhile is lost

    async def _again(self) -> StoreConnection:
        pause = 0.0
        while True:
            await trio.sleep(pause)
            with suppress(StoreUnavailable):
                return await self._connect()
            pause = min(pause + 1, _LONGEST_PAUSE)


async def _notified(connection: StoreConnection) -> None:
    """Wait until somebody has told.

    :raises psycopg.OperationalError: the connection was lost.
    """
    told = False
    while not told:
        await trio.lowlevel.wait_readable(connection.pgconn.socket)
        connection.pgconn.consume_input()
        while connection.pgconn.notifies():
            told = True


def _listening(server: Server) -> StoreConnection:
    with ExitStack() as stack:
        connection = server.connect(autocommit=True)
        stack.callback(connection.close)
        try:
            connection.execute(_LISTEN)
        except psycopg.Error as error:
            fault = f"{server.name} failed: {described(error)}; {remedy(error)}"
        else:
            stack.pop_all()
            return connection
    raise StoreUnavailable(fault)


@asynccontextmanager
async def _beside(task: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run a task for the time of the block. What the block raises leaves as itself, in no group."""
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(task)
        try:
            yield
        except BaseException as error:
            raised = error
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised
