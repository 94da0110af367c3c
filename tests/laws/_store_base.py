"""What the account stores that are wrong on purpose have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import attrs
import pytest

from tigercore.model import KeyRing, TokenRefreshStatus
from tigercore.ports import (
    AccountRow,
    AccountStore,
    AttemptStatistics,
    AuditLine,
    Change,
    Delta,
    DriverContext,
    Put,
    Record,
    Schema,
    SchemaStatus,
    TokenAttempt,
    TokenRow,
)
from tigercore.testing._memory_tables import MemoryTables
from tigercore.testing.clock import driver_context
from tigercore.testing.store import DurableStoreContract, MemoryAccountStore, MemoryBackend, MemoryOptions, StoreMaker


def laws(names: str) -> frozenset[str]:
    """Return the names of laws, which are given in one line."""
    return frozenset(names.split())


def changed(row: AccountRow, **fields: Any) -> AccountRow:
    """Return a row whose account has other fields."""
    return attrs.evolve(row, account=attrs.evolve(row.account, **fields))


def with_ring(changes: Sequence[Change], alter: Callable[[KeyRing], KeyRing]) -> list[Change]:
    """Return the changes, with every key ring in them altered."""
    return [
        Put(alter(each.row)) if isinstance(each, Put) and isinstance(each.row, KeyRing) else each for each in changes
    ]


def only_records(changes: Sequence[Change]) -> bool:
    """Say whether a batch records and does nothing else."""
    return all(isinstance(change, Record) for change in changes)


def count_one_more(store: AccountStore) -> int:
    """Make the revision one more without a change, wake who waits, and return the revision."""
    backend = store.options.backend
    tables = backend.tables.copy()
    tables.revision += 1
    backend.commit(tables)
    return int(tables.revision)


class RightSchema(Schema):
    """All of a memory store's schema, to be broken in one place."""

    def __init__(self, options: Any) -> None:
        self.options = options
        self.inner = MemoryAccountStore.schema(options)

    async def status(self) -> SchemaStatus:
        return await self.inner.status()

    async def migrate(self) -> SchemaStatus:
        return await self.inner.migrate()

    async def rollback(self) -> SchemaStatus:
        return await self.inner.rollback()

    async def check(self) -> list[str]:
        return await self.inner.check()

    async def purge(self) -> list[str]:
        return await self.inner.purge()


class Right(AccountStore):
    """All of a memory store, to be broken in one place."""

    def __init__(self, options: Any, context: DriverContext) -> None:
        super().__init__(options, context)
        self.inner = MemoryAccountStore(options, context)

    @classmethod
    def schema(cls, options: Any) -> Schema:
        return RightSchema(options)

    async def apply(self, changes: Sequence[Change]) -> int:
        return await self.inner.apply(changes)

    async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
        return await self.inner.accounts(ids)

    async def token_rows(self, ids: Collection[UUID] | None = None) -> list[TokenRow]:
        return await self.inner.token_rows(ids)

    async def delta(self, after: int = -1) -> Delta:
        return await self.inner.delta(after)

    async def token_attempts(
        self,
        ids: Collection[UUID] | None = None,
        *,
        since: datetime | None = None,
        before: UUID | None = None,
        status: TokenRefreshStatus | None = None,
        limit: int = 1000,
    ) -> list[TokenAttempt]:
        return await self.inner.token_attempts(ids, since=since, before=before, status=status, limit=limit)

    async def attempt_statistics(
        self, ids: Collection[UUID] | None = None, *, since: datetime | None = None
    ) -> AttemptStatistics:
        return await self.inner.attempt_statistics(ids, since=since)

    async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
        return await self.inner.claim_due_tokens(owner, lease, limit)

    async def key_ring(self) -> KeyRing | None:
        return await self.inner.key_ring()

    async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
        return await self.inner.audit(after=after, limit=limit)

    async def wait_for_change(self, after: int) -> int:
        return await self.inner.wait_for_change(after)


class Altered(Right):
    """Tell another delta than the memory store."""

    async def delta(self, after: int = -1) -> Delta:
        return self.altered(await self.inner.delta(after), after)

    def altered(self, delta: Delta, after: int) -> Delta:
        raise NotImplementedError

    @property
    def tables(self) -> MemoryTables:
        tables: MemoryTables = self.options.backend.tables
        return tables


class Broken(DurableStoreContract):
    breaks: ClassVar[frozenset[str]]
    Driver: ClassVar[type[Right]]
    silence = 0.02  # memory tells of a write at once

    @pytest.fixture
    def backend(self) -> MemoryBackend:
        return MemoryBackend()

    @pytest.fixture
    def store_maker(self, backend: MemoryBackend) -> StoreMaker:
        return lambda: self.Driver.open(MemoryOptions(backend), driver_context())

    @pytest.fixture
    def break_backend(self, backend: MemoryBackend) -> Callable[[], None]:
        return lambda: setattr(backend, "broken", True)

    @pytest.fixture
    def raw_bytes(self, backend: MemoryBackend) -> Callable[[], bytes]:
        def read() -> bytes:
            rows = [*backend.tables.accounts.values(), *backend.tables.tokens.values()]
            return b"".join(row.sealed or b"" for row in rows)

        return read
