"""The account store over any engine of SQLAlchemy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, ClassVar
from uuid import UUID

import attrs
import trio
from sqlalchemy import ColumnElement, Connection, Row, Select, Table, bindparam, select, tuple_, update

from tigercore.model import KeyRing, TokenRefreshStatus, TokenState
from tigercore.ports import (
    AccountRow,
    AccountStore,
    AttemptStatistics,
    AuditLine,
    Change,
    Delta,
    DriverContext,
    TokenAttempt,
    TokenRow,
)
from tigercore_sql.batch import SAME_REVISION, next_revision
from tigercore_sql.commits import Commits
from tigercore_sql.damage import converted, fetched
from tigercore_sql.delta import read_delta, read_revision
from tigercore_sql.ring import read_ring
from tigercore_sql.rows import (
    account_row,
    audit_line,
    known_moment,
    token_attempt,
    token_row,
    token_values,
)
from tigercore_sql.runner import Runner
from tigercore_sql.statistics import chosen, read_statistics
from tigercore_sql.tables import ACCOUNT, ATTEMPT, AUDIT, TOKEN

_BEGAN, _RECORDED = ATTEMPT.c.started_at, ATTEMPT.c.number
_CLAIM = update(TOKEN).where(TOKEN.c.id == bindparam("read_id"))
_IDS_AT_ONCE = 500  # engines bound the parameters of a statement


class SqlAccountStore(AccountStore):
    """Keep accounts in SQL tables. A driver adds how to open the engine, the database's clock and its pulse.

    Every method is one unit of work in a thread. One row that something else has changed fails the reading of all:
    better than an account that is silently not there.
    """

    now: ClassVar[ColumnElement[int]]
    """The database's own time, in microseconds since 1970."""

    poll_interval: ClassVar[float] = 0.2
    """Seconds between two looks at `pulse`."""

    def __init__(self, options: Any, context: DriverContext, runner: Runner) -> None:
        super().__init__(options, context)
        self._runner = runner
        self._written = trio.Event()
        self._commits = Commits(runner, self.announce, self.wake)

    @abstractmethod
    async def pulse(self) -> int:
        """Return a number that is another one after somebody else has written; it costs next to nothing.

        :raises StoreUnavailable: the database failed.
        """

    def announce(self, connection: Connection) -> None:
        """Tell others of a batch, in its own transaction, where the engine has a way to."""

    def wake(self) -> None:
        """Let everyone who waits for a change look again."""
        self._written.set()
        self._written = trio.Event()

    async def apply(self, changes: Sequence[Change]) -> int:
        """Carry out all changes in their order, or none, and return the store's new revision.

        :raises StaleVersion: a change does not fit what stands.
        """
        return await self._commits.commit(changes)

    async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
        """Return these accounts, or all, in the order of their creation."""
        return await self._runner.read(lambda connection: _accounts(connection, ids))

    async def token_rows(self, ids: Collection[UUID] | None = None) -> list[TokenRow]:
        """Return the token rows of these accounts, or all."""
        return await self._runner.read(lambda connection: _token_rows(connection, ids))

    async def delta(self, after: int = -1) -> Delta:
        """Return what batches with a revision above `after` have left."""
        return await self._runner.read(lambda connection: read_delta(connection, after, self.now))

    async def token_attempts(
        self,
        ids: Collection[UUID] | None = None,
        *,
        since: datetime | None = None,
        before: UUID | None = None,
        status: TokenRefreshStatus | None = None,
        limit: int = 1000,
    ) -> list[TokenAttempt]:
        """Return attempts, newest first, of these accounts or all, of one status or any."""
        query = select(ATTEMPT).where(chosen(ids, since)).order_by(_BEGAN.desc(), _RECORDED.desc()).limit(limit)
        if before is not None:
            mark = select(_BEGAN, _RECORDED).where(ATTEMPT.c.id == before).scalar_subquery()
            query = query.where(tuple_(_BEGAN, _RECORDED) < mark)
        if status is not None:
            query = query.where(ATTEMPT.c.status == status.value)
        return [converted(ATTEMPT, each, token_attempt) for each in await self._all(ATTEMPT, query)]

    async def attempt_statistics(
        self, ids: Collection[UUID] | None = None, *, since: datetime | None = None
    ) -> AttemptStatistics:
        """Sum up the attempts that began at `since` or later, of these accounts or all."""
        return await self._runner.read(lambda connection: read_statistics(connection, ids, since))

    async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
        """Mark up to `limit` due tokens REFRESHING for `owner`, and return them as they stand now."""
        due = self._due(limit)
        if not await self._all(TOKEN, due.limit(1)):  # an idle scheduler takes no writer's turn
            return []
        claimed = await self._runner.write(lambda connection: self._claim(connection, due, owner, lease))
        self.wake()
        return claimed

    def _claim(self, connection: Connection, due: Select[Any], owner: str, lease: float) -> list[TokenRow]:
        connection.execute(SAME_REVISION)  # in line with those who write: what was due when it was read still is
        found = fetched(TOKEN, connection.execute(due.with_for_update(skip_locked=True, of=TOKEN)).all)
        until = timedelta(seconds=lease)
        claimed = [_claimed(converted(TOKEN, each, token_row), owner, known_moment(each.now) + until) for each in found]
        if claimed:
            stamp = {"revision": next_revision(connection)}
            connection.execute(_CLAIM, [{**token_values(row), **stamp, "read_id": row.id} for row in claimed])
            self.announce(connection)
        return [attrs.evolve(row, version=row.version + 1) for row in claimed]

    async def key_ring(self) -> KeyRing | None:
        """Return the key ring with its keys in the order of their versions, None if there is none."""
        return await self._runner.read(read_ring)

    async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
        """Return audit lines with a number above `after`, oldest first."""
        query = select(AUDIT).where(AUDIT.c.number > after).order_by(AUDIT.c.number).limit(limit)
        return [converted(AUDIT, each, audit_line) for each in await self._all(AUDIT, query)]

    async def wait_for_change(self, after: int) -> int:
        """Wait until the store's revision is above `after` and return it."""
        while True:
            written, pulse = self._written, await self.pulse()  # before the revision: no write can fall in between
            revision = await self._runner.read(read_revision)
            if revision > after:
                return revision
            await self._wait_for_write(written, pulse)

    async def _wait_for_write(self, written: trio.Event, pulse: int) -> None:
        while not written.is_set() and pulse == await self.pulse():
            with trio.move_on_after(self.poll_interval):
                await written.wait()

    async def _all(self, table: Table, query: Select[Any]) -> Sequence[Row[Any]]:
        return await self._runner.read(lambda connection: fetched(table, connection.execute(query).all))

    def _due(self, limit: int) -> Select[Any]:
        now = select(self.now).scalar_subquery()  # asked once: a moment that moves finds nothing in an index
        due = (TOKEN.c.state == TokenState.VALID.value) & (TOKEN.c.next_at <= now)
        soonest = (TOKEN.c.expires_at.asc().nulls_last(), TOKEN.c.next_at, TOKEN.c.id)
        return select(TOKEN, self.now.label("now")).where(due).order_by(*soonest).limit(limit)


def _accounts(connection: Connection, ids: Collection[UUID] | None) -> list[AccountRow]:
    """Return accounts; in this thread, since thousands of rows would keep the tasks of the program waiting."""
    in_order = sorted(_rows(connection, ACCOUNT, ids), key=lambda each: each.number)
    return [converted(ACCOUNT, each, account_row) for each in in_order]


def _token_rows(connection: Connection, ids: Collection[UUID] | None) -> list[TokenRow]:
    return [converted(TOKEN, each, token_row) for each in _rows(connection, TOKEN, ids)]


def _rows(connection: Connection, table: Table, ids: Collection[UUID] | None) -> list[Row[Any]]:
    if ids is None:
        return list(fetched(table, connection.execute(select(table)).all))
    pages = (connection.execute(select(table).where(table.c.id.in_(page))) for page in _pages(set(ids)))
    return [found for page in pages for found in fetched(table, page.all)]


def _pages(ids: Collection[UUID]) -> Iterator[list[UUID]]:
    rest = iter(ids)
    while page := list(islice(rest, _IDS_AT_ONCE)):
        yield page


def _claimed(row: TokenRow, owner: str, until: datetime) -> TokenRow:
    return attrs.evolve(row, state=TokenState.REFRESHING, owner=owner, lease_until=until.astimezone(UTC))
