"""Group commit: what many tasks write at the same time is one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from typing import TypeAlias, final

import attrs
import trio
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from tigercore.errors import StaleVersion, StoreUnavailable
from tigercore.ports import Change
from tigercore_sql.batch import apply_batches, moves, touched
from tigercore_sql.runner import Runner

ROOM = 1000
"""Batches that may wait; who comes then waits for room."""

_AT_ONCE = 1000  # changes in one transaction: it has the writers' turn for some milliseconds
_REFUSED = (StaleVersion, DataError, IntegrityError, OverflowError, UnicodeEncodeError, TypeError)

_Batches: TypeAlias = Sequence[Sequence[Change]]
_How: TypeAlias = Callable[[Connection, _Batches], Sequence[int | Exception]]


@final
class _OneIsAtFault(Exception):
    """A batch does not fit what stands, or a value cannot be held; nothing was written."""


@final
@attrs.define(eq=False)
class _Waiting:
    """A batch on its way. `ended` is set once it is known what became of it: neither of the two is nothing written."""

    changes: Sequence[Change]
    revision: int | None = None
    error: Exception | None = None
    given_up: bool = False
    ended: trio.Event = attrs.field(factory=trio.Event)

    def end(self, how: int | Exception) -> None:
        """Take note of the revision, or of the error."""
        if isinstance(how, Exception):
            self.error = how
        else:
            self.revision = how
        self.ended.set()


@final
class Commits:
    """Commit batches. The first one who waits commits for all; a batch fails for its own faults alone.

    `announce` tells others in the transaction, `wake` those here after it; neither hears of mere records.
    """

    def __init__(self, runner: Runner, announce: Callable[[Connection], None], wake: Callable[[], None]) -> None:
        self._runner = runner
        self._announce = announce
        self._wake = wake
        self._room = trio.Semaphore(ROOM)
        self._turn = trio.Lock()
        self._queue: deque[_Waiting] = deque()  # in the order in which they wait for their turn

    async def commit(self, changes: Sequence[Change]) -> int:
        """Commit the changes and return the store's revision after them. If this is cancelled, nothing was written.

        :raises StaleVersion: a change does not fit what stands.
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
        group = self._group()
        try:
            await self._commit_all(group)
            if any(moves(each.changes) and each.revision is not None for each in group):
                self._wake()
        finally:  # if this task was cancelled, somebody else commits what is left
            for each in reversed([each for each in group if not each.ended.is_set()]):
                if each is mine or each.given_up:
                    each.ended.set()
                else:
                    self._queue.appendleft(each)

    def _group(self) -> list[_Waiting]:
        """Take those who stand first and can stand together; who cannot is a group of one."""
        group, places, size = [self._queue.popleft()], set[Hashable](), 0
        rows = touched(group[0].changes)
        while rows is not None and self._queue:
            places |= rows
            size += len(group[-1].changes)
            rows = touched(self._queue[0].changes)
            if rows is None or rows & places or size + len(self._queue[0].changes) > _AT_ONCE:
                break
            group.append(self._queue.popleft())
        return group

    async def _commit_all(self, group: list[_Waiting]) -> None:
        try:
            ends = await self._ends(group)
        except StoreUnavailable as error:
            ends = [StoreUnavailable(str(error)) for _ in group]
        except Exception as error:  # it is raised where the batches came from
            ends = [error for _ in group]
        for each, end in zip(group, ends, strict=True):
            each.end(end)

    async def _ends(self, group: list[_Waiting]) -> Sequence[int | Exception]:
        batches = [each.changes for each in group]
        if len(batches) > 1:
            with suppress(_OneIsAtFault):
                return await self._runner.write(lambda connection: self._apply(connection, batches, self._together))
            return await self._runner.write(lambda connection: self._apply(connection, batches, self._apart))
        return await self._runner.write(lambda connection: self._apply(connection, batches, apply_batches))

    # -- in a thread -------------------------------------------------------------------------------------------

    def _apply(self, connection: Connection, batches: _Batches, how: _How) -> Sequence[int | Exception]:
        ends = how(connection, batches)
        if any(moves(batch) for batch in batches):
            self._announce(connection)
        return ends

    def _together(self, connection: Connection, batches: _Batches) -> Sequence[int]:
        try:
            return apply_batches(connection, batches)
        except _REFUSED:
            pass
        raise _OneIsAtFault  # out here, so that the values are not chained to it

    def _apart(self, connection: Connection, batches: _Batches) -> Sequence[int | Exception]:
        """Carry out each for itself in one transaction, so that who is at fault fails alone."""
        return [self._alone(connection, batch) for batch in batches]

    def _alone(self, connection: Connection, batch: Sequence[Change]) -> int | Exception:
        try:
            with connection.begin_nested():
                return apply_batches(connection, [batch])[0]
        except (StaleVersion, TypeError) as error:
            return error
        except _REFUSED as error:
            return self._runner.fault(error)


def _result(mine: _Waiting) -> int:
    if mine.error is not None:
        raise mine.error
    assert mine.revision is not None  # noqa: S101  (its error or its revision is there once it has ended)
    return mine.revision
