"""The perfect account store: small, in memory, and right."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, final
from uuid import UUID

import attrs
import trio

from tigercore.errors import StoreUnavailable
from tigercore.model import KeyRing, TokenRefreshStatus, TokenState
from tigercore.ports import (
    AccountRow,
    AccountStore,
    AttemptStatistics,
    AuditLine,
    Change,
    Delta,
    Schema,
    SchemaStatus,
    TokenAttempt,
    TokenRow,
)
from tigercore.testing._memory_statistics import summed_up
from tigercore.testing._memory_tables import MemoryTables

_HEAD = "memory"
_NEVER = datetime.max.replace(tzinfo=UTC)


@final
class MemoryBackend:
    """What stores that are opened on it share, as two processes share a database. `broken` makes it unreachable."""

    def __init__(self) -> None:
        self.broken = False
        self._tables = MemoryTables()
        self._written = trio.Event()

    @property
    def tables(self) -> Any:
        """Return what stands.

        :raises StoreUnavailable: the backend is broken.
        """
        if self.broken:
            raise StoreUnavailable("the store in memory was broken by the test")
        return self._tables

    def commit(self, tables: Any) -> None:
        """Put new tables in the place of those that stood, and wake who waits."""
        self._tables = tables
        self._written.set()
        self._written = trio.Event()

    async def wait_for_write(self) -> None:
        """Wait until somebody writes."""
        await self._written.wait()


@final
@attrs.frozen
class MemoryOptions:
    """Which backend to open; a new one if none is given."""

    backend: MemoryBackend = attrs.field(factory=MemoryBackend)


@final
class _MemorySchema(Schema):
    async def status(self) -> SchemaStatus:
        await trio.lowlevel.checkpoint()
        return SchemaStatus(_HEAD, _HEAD)

    async def migrate(self) -> SchemaStatus:
        return await self.status()

    async def rollback(self) -> SchemaStatus:
        await trio.lowlevel.checkpoint()
        raise StoreUnavailable("a store in memory has one schema: there is nothing to take back")

    async def check(self) -> list[str]:
        await trio.lowlevel.checkpoint()
        return []

    async def purge(self) -> list[str]:
        await trio.lowlevel.checkpoint()
        return []  # nothing of it lies anywhere


@final
class MemoryAccountStore(AccountStore):
    """Keep everything in this process. Its clock is the one of its context.

    `MemoryAccountStore(MemoryOptions(), driver_context())` is one of its own; stores with the same backend in their
    options are handles on one store.
    """

    Options: ClassVar[type] = MemoryOptions

    @classmethod
    def schema(cls, options: MemoryOptions) -> Schema:
        """Return a schema that is always at head."""
        return _MemorySchema()

    @property
    def _backend(self) -> MemoryBackend:
        backend: MemoryBackend = self.options.backend
        return backend

    async def _tables(self) -> MemoryTables:
        await trio.lowlevel.checkpoint()
        tables: MemoryTables = self._backend.tables
        return tables

    async def apply(self, changes: Sequence[Change]) -> int:
        """Carry out all changes in their order, or none; nothing waits between the first and the last."""
        tables = (await self._tables()).copy()
        tables.carry_out_all(changes)
        self._backend.commit(tables)
        return tables.revision

    async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
        """Return these accounts, or all, in the order of their creation."""
        return [row for row in (await self._tables()).accounts.values() if ids is None or row.id in ids]

    async def token_rows(self, ids: Collection[UUID] | None = None) -> list[TokenRow]:
        """Return the token rows of these accounts, or all."""
        return [row for row in (await self._tables()).tokens.values() if ids is None or row.id in ids]

    async def delta(self, after: int = -1) -> Delta:
        """Return what batches with a revision above `after` have left."""
        return (await self._tables()).delta(after, self.context.clock.now())

    async def token_attempts(
        self,
        ids: Collection[UUID] | None = None,
        *,
        since: datetime | None = None,
        before: UUID | None = None,
        status: TokenRefreshStatus | None = None,
        limit: int = 1000,
    ) -> list[TokenAttempt]:
        """Return attempts, newest first, of these accounts or all."""
        attempts = (await self._tables()).attempts
        newest_first = sorted(attempts.values(), key=lambda each: each.started_at)[::-1]
        if before is not None:
            newest_first = newest_first[newest_first.index(attempts[before]) + 1 :] if before in attempts else []
        return [
            each
            for each in newest_first
            if (ids is None or each.account_id in ids)
            and (since is None or each.started_at >= since)
            and status in (None, each.status)
        ][:limit]

    async def attempt_statistics(
        self, ids: Collection[UUID] | None = None, *, since: datetime | None = None
    ) -> AttemptStatistics:
        """Sum up the attempts that began at `since` or later, of these accounts or all."""
        return summed_up(await self.token_attempts(ids, since=since, limit=sys.maxsize))

    async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
        """Mark up to `limit` due tokens REFRESHING for `owner`, and return them as they stand now."""
        tables, now = (await self._tables()).copy(), self.context.clock.now()
        due = (
            row for row in tables.tokens.values() if row.state is TokenState.VALID and (row.next_at or _NEVER) <= now
        )
        soonest = sorted(due, key=lambda row: (row.expires_at or _NEVER, row.next_at, row.id))[:limit]
        until = now + timedelta(seconds=lease)
        claimed = [_claimed(row, owner, until) for row in soonest]
        tables.revision += bool(claimed)
        tables.tokens.update((row.id, row) for row in claimed)
        tables.tokens_put_at.update((row.id, tables.revision) for row in claimed)
        self._backend.commit(tables)
        return claimed

    async def key_ring(self) -> KeyRing | None:
        """Return the key ring, None if there is none."""
        return (await self._tables()).ring

    async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
        """Return audit lines with a number above `after`, oldest first."""
        return [line for line in (await self._tables()).audit if line.number > after][:limit]

    async def wait_for_change(self, after: int) -> int:
        """Wait until the store's revision is above `after` and return it."""
        tables = await self._tables()
        while tables.revision <= after:
            await self._backend.wait_for_write()
            tables = self._backend.tables
        revision: int = tables.revision
        return revision


def _claimed(row: TokenRow, owner: str, until: datetime) -> TokenRow:
    return attrs.evolve(row, state=TokenState.REFRESHING, owner=owner, lease_until=until, version=row.version + 1)
