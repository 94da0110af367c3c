"""Units of work: one transaction and one thread each."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar, final

import trio
from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import SQLAlchemyError

from tigercore.errors import StoreUnavailable
from tigercore_sql.faults import described, remedy

T = TypeVar("T")

FAULTS = (SQLAlchemyError, OverflowError, UnicodeEncodeError)  # two of the driver, before the database saw the value
READ_ONLY = "tigercore_read_only"
"""The execution option of a connection that will not write."""


@final
class Runner:
    """Run units of work on an engine. A cancelled unit is rolled back, or was committed already and returns.

    `name` stands for the backend in errors and holds no password. `writers` and `readers` bound the threads; together
    they may not be more than the engine's pool has connections.
    """

    def __init__(
        self, engine: Engine, name: str, *, writers: trio.CapacityLimiter, readers: trio.CapacityLimiter
    ) -> None:
        _stop_when_cancelled(engine)
        self._engine = engine
        self._reading = engine.execution_options(**{READ_ONLY: True})
        self._name = name
        self._writers = writers
        self._readers = readers

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Commit what the work does, or nothing of it.

        :raises StoreUnavailable: the database failed.
        """
        return await trio.to_thread.run_sync(self._unit, self._written, work, limiter=self._writers)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Let the work read at one moment of the database.

        :raises StoreUnavailable: the database failed.
        """
        return await trio.to_thread.run_sync(self._unit, self._read, work, limiter=self._readers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with trio.CancelScope(shield=True):  # connections that stay open keep the WAL file
            await trio.to_thread.run_sync(self._engine.dispose)

    def _written(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._reading.connect() as connection:
            return work(connection)

    def _unit(self, carry_out: Callable[[Callable[[Connection], T]], T], work: Callable[[Connection], T]) -> T:
        try:
            return carry_out(work)
        except FAULTS as error:
            fault = self.fault(error)
        raise fault  # out here, so that the driver's error with its values is not chained to ours

    def fault(self, error: Exception) -> StoreUnavailable:
        """Return the error of the port for one of the database or of its driver."""
        if isinstance(error, SQLAlchemyError):
            return StoreUnavailable(f"{self._name} failed: {described(error)}; {remedy(error)}")
        told = f"{self._name} cannot hold a value that was given: {type(error).__name__}; nothing was written"
        return StoreUnavailable(told)


def _stop_when_cancelled(engine: Engine) -> None:
    def check(*_: Any) -> None:
        trio.from_thread.check_cancelled()

    event.listen(engine, "before_cursor_execute", check)
    event.listen(engine, "commit", check)
    event.listen(engine, "handle_error", _keep_connection)


def _keep_connection(failure: ExceptionContext) -> None:
    """Roll back and go on: a unit is cancelled between two statements, where the connection is whole.

    SQLAlchemy drops a connection at every `BaseException`, and a database in memory would be gone with it.
    """
    if isinstance(failure.original_exception, trio.Cancelled):
        failure.is_disconnect = False
