"""The port to where accounts are kept. A store sees sealed bytes only."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias, final
from uuid import UUID

import attrs

from tigercore.model import (
    AuditEntry,
    KeyRing,
    RefreshTrigger,
    TigerAccount,
    TokenRefreshStatus,
    TokenState,
)
from tigercore.ports._driver import Driver
from tigercore.ports._schema import Schema


@final
@attrs.frozen
class AccountRow:
    """An account with its sealed credentials; `sealing` counts how often they were sealed.

    `kek` is the version of the ring's key that sealed them.
    """

    account: TigerAccount
    sealed: bytes
    sealing: int = 1
    kek: int = 0

    @property
    def id(self) -> UUID:
        """Return the account's id, the key of the row."""
        return self.account.id

    @property
    def version(self) -> int:
        """Return the version that the row was read at."""
        return self.account.version


@final
@attrs.frozen
class TokenRow:
    """The token of an account, sealed, and where it stands. `lease_until` is in the store's own time.

    `kek` is the version of the ring's key that sealed it, and means nothing where nothing is sealed.
    """

    id: UUID
    state: TokenState
    sealed: bytes | None = None
    sealing: int = 0
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    next_at: datetime | None = None
    owner: str | None = None
    lease_until: datetime | None = None
    failures: int = 0
    kek: int = 0
    version: int = 0


@final
@attrs.frozen
class TokenAttempt:
    """One try to refresh a token; recording it again under the same id tells how it ended."""

    id: UUID
    account_id: UUID
    trigger: RefreshTrigger
    status: TokenRefreshStatus
    started_at: datetime
    ended_at: datetime | None = None
    detail: str = ""


@final
@attrs.frozen
class Put:
    """Write a row. `row.version` is the one that was read, 0 for a new row; the store keeps `version + 1`."""

    row: AccountRow | TokenRow | KeyRing


@final
@attrs.frozen
class Remove:
    """Remove an account at this version, and its token row with it; attempts and audit lines stay."""

    id: UUID
    version: int


@final
@attrs.frozen
class Record:
    """Append an audit line, or write an attempt (one with the same id is replaced)."""

    entry: AuditEntry | TokenAttempt


Change: TypeAlias = Put | Remove | Record


@final
@attrs.frozen
class AuditLine:
    """An audit entry as it stands in the store; `number` grows, perhaps with gaps, and is never given twice."""

    number: int
    entry: AuditEntry


@final
@attrs.frozen
class Delta:
    """What a store has that it did not have at an earlier revision, all of one moment.

    `accounts` and `tokens` are the rows that were put since, as they stand now; `accounts` in the order in which they
    were first put. `removed` are the accounts that were removed since and are not there. `ring` is the key ring,
    changed or not.
    """

    revision: int
    accounts: tuple[AccountRow, ...] = ()
    tokens: tuple[TokenRow, ...] = ()
    removed: frozenset[UUID] = frozenset()
    ring: KeyRing | None = None
    now: datetime = attrs.field(default=datetime.fromtimestamp(0, UTC), eq=False)


@final
@attrs.frozen
class AttemptStatistics:
    """How attempts went, counted by the store.

    `p50` and `p99` are the seconds that attempts took that SUCCEEDED, by nearest rank, None without any. `causes` are
    the ten most frequent details that say anything, with how often, most frequent first.
    """

    attempts: int
    by_status: Mapping[TokenRefreshStatus, int]
    by_trigger: Mapping[RefreshTrigger, int]
    p50: float | None
    p99: float | None
    causes: Mapping[str, int]


class AccountStore(Driver):
    """Keep accounts, tokens, keys and the audit log. All methods raise `StoreUnavailable` if the backend is gone, or
    cannot hold a value that was given; nothing is written then.

    Opening a store whose schema is not the head revision raises `StoreUnavailable`, which names the command to run.
    """

    @classmethod
    @abstractmethod
    def schema(cls, options: Any) -> Schema:
        """Return the operator's view of the store that these options name, without opening it."""

    @abstractmethod
    async def apply(self, changes: Sequence[Change]) -> int:
        """Carry out all changes in their order, or none, and return the store's revision after them.

        A batch without a Put or a Remove leaves the revision as it is and wakes nobody; any other makes it one more. A
        new store is at revision 0. Cancellation is all or nothing as well. After each change an account number is
        unique, at most one account is the default for trading and one for data (so take a default away before giving
        it), a token row has its account, there is one key ring, and nothing sealed is below its `min_decrypt` (a ring
        without one is at 0).

        :raises StaleVersion: a row is not at the version that a change has read, a new row is there already, or one
            of these rules is broken.
        :raises ValueError: a key ring has two keys of one version, or a key two slots of one provider; nothing was
            written.
        """

    @abstractmethod
    async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
        """Return these accounts, or all, in the order in which they were first put; unknown ids are left out."""

    @abstractmethod
    async def token_rows(self, ids: Collection[UUID] | None = None) -> list[TokenRow]:
        """Return the token rows of these accounts, or all; unknown ids are left out."""

    @abstractmethod
    async def delta(self, after: int = -1) -> Delta:
        """Return what batches and claims with a revision above `after` have left, with -1: all."""

    @abstractmethod
    async def token_attempts(
        self,
        ids: Collection[UUID] | None = None,
        *,
        since: datetime | None = None,
        before: UUID | None = None,
        status: TokenRefreshStatus | None = None,
        limit: int = 1000,
    ) -> list[TokenAttempt]:
        """Return attempts that began at `since` or later, newest first, of these accounts or all, of one status or any.

        Of those that began at one moment, the one that was recorded first is the older. With the id of an attempt as
        `before`, only those that stand behind it in this order: the next page. If there is none of that id: nothing.
        Unknown ids of accounts are left out; an account that was removed is known by its attempts.
        """

    @abstractmethod
    async def attempt_statistics(
        self, ids: Collection[UUID] | None = None, *, since: datetime | None = None
    ) -> AttemptStatistics:
        """Sum up the attempts that began at `since` or later, of these accounts or all; unknown ids are left out."""

    @abstractmethod
    async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
        """Mark up to `limit` due tokens REFRESHING for `owner`, for `lease` seconds, and return them as they stand now.

        Due is: VALID, with `next_at` not after the store's own clock. Soonest expiry first. No row is given twice. If
        any is given, the revision is one more, as after a batch; else it stays as it is.
        """

    @abstractmethod
    async def key_ring(self) -> KeyRing | None:
        """Return the key ring with its keys by version, None if the store has none yet."""

    @abstractmethod
    async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
        """Return audit lines with a number above `after`, oldest first. None ever appears below one that was there."""

    @abstractmethod
    async def wait_for_change(self, after: int) -> int:
        """Wait until the store's revision is above `after` and return it; `after=-1` returns at once.

        Writes of other processes count too.
        """
