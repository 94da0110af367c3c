"""The accounts in memory: what routing reads, kept fresh by own writes and by the store's change feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import final
from uuid import UUID

import attrs
import trio

from tigercore.model import AccountStatus, AccountType, Environment, License, MarketPermission, TigerAccount, TokenState
from tigercore.ports import AccountRow, AccountStore, Candidate, Change, Put, Remove, TokenRow


@final
@attrs.frozen
class Eligibility:
    """Which accounts may carry a call; None and empty mean: any. The key of the index, so it is cached and hashed."""

    account_type: AccountType | None = None
    environment: Environment | None = None
    license: License | None = None
    market_permissions: frozenset[MarketPermission] = frozenset()
    paper: bool | None = None
    id: UUID | None = None

    def refusal(self, account: TigerAccount) -> str | None:
        """Return why this account may not carry the call, None if it may."""
        if account.status is not AccountStatus.ACTIVE:
            return f"status is {account.status}"
        for name in ("id", "account_type", "environment", "license"):
            wanted = getattr(self, name)
            if wanted is not None and getattr(account, name) != wanted:
                return f"{name} is {getattr(account, name)}, not {wanted}"
        if self.paper is not None and account.is_paper is not self.paper:
            return "paper and live accounts are never mixed in trading"
        if missing := self.market_permissions - account.market_permissions:
            return f"lacks {', '.join(sorted(missing))}"
        return None


@final
class Snapshot:
    """Every account and token row of the store, sealed as they are, with an index of who is eligible for what."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store
        self._rows: dict[UUID, AccountRow] = {}
        self._tokens: dict[UUID, TokenRow] = {}
        self._candidates: dict[UUID, Candidate] = {}
        self._eligible: dict[Eligibility, tuple[Candidate, ...]] = {}
        self._numbers: dict[str, UUID] = {}
        self._developers: dict[str, dict[UUID, None]] = {}
        self._defaults: dict[str, Candidate | None] = {}
        self._revision = -1
        self._commits = 0
        self._writing = 0
        self._settled = trio.Event()
        self._change = trio.Event()

    @property
    def rows(self) -> Mapping[UUID, AccountRow]:
        """Return all account rows by id, in the order of their creation."""
        return MappingProxyType(self._rows)

    @property
    def tokens(self) -> Mapping[UUID, TokenRow]:
        """Return all token rows by account id."""
        return MappingProxyType(self._tokens)

    def candidate(self, account_id: UUID) -> Candidate:
        """Return the one candidate that carries this account's statistics."""
        return self._candidates[account_id]

    def eligible(self, wanted: Eligibility) -> tuple[Candidate, ...]:
        """Return who may carry such a call: the same tuple until an account changes."""
        found = self._eligible.get(wanted)
        if found is None:
            found = tuple(c for c in self._candidates.values() if wanted.refusal(c.account) is None)
            self._eligible[wanted] = found
        return found

    def numbered(self, account_number: str) -> TigerAccount | None:
        """Return the account with this number, None if there is none."""
        account_id = self._numbers.get(account_number)
        return None if account_id is None else self._rows[account_id].account

    def token_family(self, account: TigerAccount) -> list[TokenRow]:
        """Return the rows that hold the token of the account's developer, the account's own first.

        The gateway knows one token for each developer (protocol 4A.6), so these rows live and die together.
        """
        family = (self._tokens[account_id] for account_id in self._developers.get(account.developer, ()))
        held = [row for row in family if row.state is not TokenState.NOT_REQUIRED]
        return sorted(held, key=lambda row: row.id != account.id)

    def default(self, flag: str) -> Candidate | None:
        """Return the account that holds `is_default_trading` or `is_default_data`, None if none does."""
        if flag not in self._defaults:
            holders = (c for c in self._candidates.values() if getattr(c.account, flag))
            self._defaults[flag] = next(holders, None)
        return self._defaults[flag]

    async def commit(self, changes: Sequence[Change]) -> None:
        """Write a batch to the store, then into memory. Errors as `AccountStore.apply`; then memory is as it was."""
        self._writing += 1
        try:
            revision = await self._store.apply(changes)
            self._commits += 1
            self._revision = revision if revision == self._revision + 1 else self._revision
            self._adopt(changes)
        finally:
            self._writing -= 1
            if not self._writing:
                self._settled.set()
                self._settled = trio.Event()

    async def load(self) -> None:
        """Read everything from the store."""
        while True:
            commits, revision = self._commits, await self._store.wait_for_change(-1)
            rows, tokens = await self._store.accounts(), await self._store.token_rows()
            if commits == self._commits:  # else own writes passed by while this was read: it may be older than they
                break
        self._tokens = {row.id: row for row in tokens}
        self._revision = revision
        for gone in self._rows.keys() - {row.id for row in rows}:
            self._drop(gone)
        for row in rows:
            self._keep(row)
        self._announce()

    async def reload(self, account_id: UUID) -> None:
        """Read one account again, after a write met a newer version of it."""
        rows, tokens = await self._store.accounts([account_id]), await self._store.token_rows([account_id])
        if not rows:
            self._drop(account_id)
        for row in rows:
            self._keep(row)
        self._tokens.update((row.id, row) for row in tokens)
        self._announce()

    async def follow(self) -> None:
        """Keep up with the writes of other processes, for ever."""
        while True:
            revision = await self._store.wait_for_change(self._revision)
            while self._writing:  # our own batch wakes this task before the batch has told its revision
                await self._settled.wait()
            if revision > self._revision:
                await self.load()

    async def changed(self) -> None:
        """Wait until a row of any account changes."""
        await self._change.wait()

    def _adopt(self, changes: Sequence[Change]) -> None:
        for change in changes:
            match change:
                case Put(AccountRow() as row):
                    self._keep(attrs.evolve(row, account=attrs.evolve(row.account, version=row.version + 1)))
                case Put(TokenRow() as row):
                    self._tokens[row.id] = attrs.evolve(row, version=row.version + 1)
                case Remove(id=account_id):
                    self._drop(account_id)
        self._announce()

    def _keep(self, row: AccountRow) -> None:
        before = self._rows.get(row.id)
        if before is not None:
            self._forget(before.account)
        self._rows[row.id] = row
        self._numbers[row.account.account_number] = row.id
        self._developers.setdefault(row.account.developer, {})[row.id] = None
        candidate = self._candidates.setdefault(row.id, Candidate(row.account))
        candidate.account = row.account
        if before is None or not routes_alike(before.account, row.account):
            self._reindex()

    def _drop(self, account_id: UUID) -> None:
        if account_id in self._rows:
            self._forget(self._rows[account_id].account)
        for rows in (self._rows, self._tokens, self._candidates):
            rows.pop(account_id, None)
        self._reindex()

    def _forget(self, account: TigerAccount) -> None:
        self._numbers.pop(account.account_number, None)
        self._developers[account.developer].pop(account.id, None)

    def _reindex(self) -> None:
        self._eligible.clear()
        self._defaults.clear()

    def _announce(self) -> None:
        self._change.set()
        self._change = trio.Event()


def routes_alike(one: TigerAccount, other: TigerAccount) -> bool:
    """Say whether two states of an account differ only in what no choice of an account depends on."""
    return attrs.evolve(one, error_count=0, version=0, updated_at=other.updated_at, description="") == attrs.evolve(
        other, error_count=0, version=0, description=""
    )
