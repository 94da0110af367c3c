"""Group commit: what many tasks record at the same time is one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import final

import attrs
import trio
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from tigercore.errors import StoreUnavailable
from tigercore.ports import Change
from tigercore_sql.batch import apply_batch
from tigercore_sql.runner import Runner

ROOM = 1000
"""Batches that may wait; who comes then waits for room."""

_AT_ONCE = 250  # batches in one transaction: it has the writers' turn for some milliseconds
_REFUSED = (DataError, IntegrityError, OverflowError, UnicodeEncodeError, TypeError)


@final
class _OneIsAtFault(Exception):
    """A value of some batch cannot be held; nothing was written."""


@final
@attrs.define(eq=False)
class _Waiting:
    """A batch on its way. `ended` is set once it is known what became of it: neither of the two is nothing written."""

    changes: Sequence[Change]
    revision: int | None = None
    error: Exception | None = None
    given_up: bool = False
    ended: trio.Event = attrs.field(factory=trio.Event)


@final
class Appends:
    """Append batches of records. The first one who waits commits for all; a batch fails for its own faults alone."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._room = trio.Semaphore(ROOM)
        self._turn = trio.Lock()
        self._queue: deque[_Waiting] = deque()  # in the order in which they wait for their turn

    async def append(self, changes: Sequence[Change]) -> int:
        """Commit the records and return the store's revision. If this is cancelled, they were not written.

        :raises StoreUnavailable: the database failed, or cannot hold a value; nothing of this batch was written.
        """
        async with self._room:
            mine = _Waiting(changes)
            self._queue.append(mine)
            try:
                async with self._turn:
                    if not mine.ended.is_set():
                        await self._commit(mine)
            except trio.Cancelled:
                await self._give_up(mine)
                if mine.revision is None and mine.error is None:
                    raise
            return _result(mine)

    async def _give_up(self, mine: _Waiting) -> None:
        """Take the batch back, or learn what became of it if another task is committing it."""
        if mine in self._queue:
            self._queue.remove(mine)
            return
        mine.given_up = True
        with trio.CancelScope(shield=True):
            await mine.ended.wait()

    async def _commit(self, mine: _Waiting) -> None:
        group = [self._queue.popleft() for _ in range(min(len(self._queue), _AT_ONCE))]
        try:
            await self._commit_all(group)
        finally:  # if this task was cancelled, somebody else commits what is left
            for each in reversed([each for each in group if not each.ended.is_set()]):
                if each is mine or each.given_up:
                    each.ended.set()
                else:
                    self._queue.appendleft(each)

    async def _commit_all(self, group: list[_Waiting]) -> None:
        changes = list(chain.from_iterable(each.changes for each in group))
        try:
            revision = await self._runner.write(lambda connection: _append(connection, changes))
        except _OneIsAtFault:
            for each in group:
                await self._commit_alone(each)
        except StoreUnavailable as error:
            for each in group:
                _end(each, error=StoreUnavailable(str(error)))
        else:
            for each in group:
                _end(each, revision=revision)

    async def _commit_alone(self, each: _Waiting) -> None:
        try:
            revision = await self._runner.write(lambda connection: apply_batch(connection, each.changes))
        except Exception as error:  # it is raised where the batch came from
            _end(each, error=error)
        else:
            _end(each, revision=revision)


def _append(connection: Connection, changes: Sequence[Change]) -> int:
    try:
        return apply_batch(connection, changes)
    except _REFUSED:
        pass
    raise _OneIsAtFault  # out here, so that the values are not chained to it


def _end(each: _Waiting, *, revision: int | None = None, error: Exception | None = None) -> None:
    each.revision, each.error = revision, error
    each.ended.set()


def _result(mine: _Waiting) -> int:
    if mine.error is not None:
        raise mine.error
    assert mine.revision is not None  # noqa: S101  (its error or its revision is there once it has ended)
    return mine.revision
