"""A connection that ends its statement on the server when the task that waits for it is cancelled."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any, Self, TypeVar, final

import psycopg
import trio
from psycopg.abc import PQGen, PQGenConn
from psycopg.errors import TransactionResolutionUnknown
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

T = TypeVar("T")

_INTERVAL = 0.1  # seconds between two looks at whether the task was cancelled
_PATIENCE = 2.0  # seconds for the server to end a statement; then the connection is given up


@final
class StoreConnection(psycopg.Connection[TupleRow]):
    """Wait in a thread of trio's. A commit or a rollback that has begun is always waited for."""

    _ending = False

    def wait(self, gen: PQGen[T], interval: float = _INTERVAL, timeout: float | None = None) -> T:
        """Consume a generator of psycopg.

        :raises trio.Cancelled: the task was cancelled; the statement has ended, and the connection can be used.
        """
        if self._ending:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(_cancellable(gen), _INTERVAL, timeout)
        except trio.Cancelled:
            self._end(gen)
            raise

    def commit(self) -> None:
        """Commit.

        :raises TransactionResolutionUnknown: the connection was lost before the answer was there.
        """
        self._ending = True
        try:
            super().commit()
        except psycopg.Error:
            if not self.closed:
                raise
        else:
            return
        finally:
            self._ending = False
        raise TransactionResolutionUnknown("the connection was lost while it committed")

    def rollback(self) -> None:
        """Roll back; of a connection that is lost, the server does it."""
        self._ending = True
        try:
            if not self.closed:
                super().rollback()
        finally:
            self._ending = False

    def _end(self, gen: PQGen[Any]) -> None:
        """Let the server end the statement, and read what it still says; a server that does not is given up."""
        self._try_cancel(timeout=_PATIENCE)
        with suppress(psycopg.Error):  # that it was cancelled, or that it had failed before
            super().wait(gen, _INTERVAL, _PATIENCE)
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            self.pgconn.finish()

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Self]:
        return _cancellable(super()._connect_gen(conninfo))


def _cancellable(gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
    """Yield what the generator yields, and look at the task whenever nothing has come for an interval."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready:
                trio.from_thread.check_cancelled()
            wanted = gen.send(ready)
    except StopIteration as end:
        result: T = end.value
        return result
