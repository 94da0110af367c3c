"""The port to where accounts are kept. A store sees sealed bytes only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from datetime import datetime
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
class SchemaStatus:
    """The schema that a store has and the one that this program needs, by revision name; None means: empty.

    `previous` is what a rollback would leave.
    """

    current: str | None
    head: str
    pending: tuple[str, ...] = ()
    previous: str | None = None


class Schema(ABC):
    """The shape of a store, for the operator. Every method opens and closes the backend by itself."""

    @abstractmethod
    async def status(self) -> SchemaStatus:
        """Tell which revision stands and which are pending.

        :raises StoreUnavailable: the backend cannot be reached.
        """

    @abstractmethod
    async def migrate(self) -> SchemaStatus:
        """Bring the store to the head revision, keeping its data; do nothing if it is there.

        :raises StoreUnavailable: the backend cannot be reached.
        """

    @abstractmethod
    async def rollback(self) -> SchemaStatus:
        """Take the last revision back; data that it alone holds is lost.

        :raises StoreUnavailable: the backend cannot be reached, or there is nothing to take back.
        """

    @abstractmethod
    async def check(self) -> list[str]:
        """Name every difference between the store and the models; an empty list is good.

        :raises StoreUnavailable: the backend cannot be reached.
        """

    @abstractmethod
    async def purge(self) -> list[str]:
        """Overwrite what replaced and removed rows left behind, and name in sentences what is out of reach.

        What is stored stays as it is, for programs that have the store open too.

        :raises StoreUnavailable: the backend cannot be reached, or a program is in the way; it is safe to try again.
        """


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
        """Carry out all changes in their order, or none, and return the store's new revision.

        Cancellation is all or nothing as well. After each change an account number is unique, at most one account is
        the default for trading and one for data (so take a default away before giving it), a token row has its
        account, there is one key ring, and nothing sealed is below its `min_decrypt` (a ring without one is at 0).
        A new store is at revision 0.

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
    async def token_attempts(
        self, account_id: UUID | None = None, *, since: datetime | None = None, limit: int = 1000
    ) -> list[TokenAttempt]:
        """Return attempts that began at `since` or later, newest first, of one account or all."""

    @abstractmethod
    async def claim_due_tokens(self, owner: str, lease: float, limit: int) -> list[TokenRow]:
        """Mark up to `limit` due tokens REFRESHING for `owner`, for `lease` seconds, and return them as they stand now.

        Due is: VALID, with `next_at` not after the store's own clock. Soonest expiry first. No row is given twice. The
        revision stays as it is: others use the old token until the new one is there.
        """

    @abstractmethod
    async def key_ring(self) -> KeyRing | None:
        """Return the key ring with its keys by version, None if the store has none yet."""

    @abstractmethod
    async def audit(self, *, after: int = 0, limit: int = 1000) -> list[AuditLine]:
        """Return audit lines with a number above `after`, oldest first."""

    @abstractmethod
    async def wait_for_change(self, after: int) -> int:
        """Wait until the store's revision is above `after` and return it; `after=-1` returns at once.

        Writes of other processes count too.
        """
