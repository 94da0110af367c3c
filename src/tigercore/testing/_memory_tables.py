"""What stands in a store in memory, and how a change changes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self, final
from uuid import UUID

import attrs

from tigercore.errors import StaleVersion
from tigercore.model import AuditEntry, KeyRing
from tigercore.ports import AccountRow, AuditLine, Change, Delta, Put, Record, Remove, TokenAttempt, TokenRow


@final
@attrs.define
class MemoryTables:
    """What a batch may change. Dictionaries keep the order of creation."""

    accounts: dict[UUID, AccountRow] = attrs.field(factory=dict)
    tokens: dict[UUID, TokenRow] = attrs.field(factory=dict)
    attempts: dict[UUID, TokenAttempt] = attrs.field(factory=dict)
    ring: KeyRing | None = None
    audit: list[AuditLine] = attrs.field(factory=list)
    revision: int = 0
    accounts_put_at: dict[UUID, int] = attrs.field(factory=dict)
    tokens_put_at: dict[UUID, int] = attrs.field(factory=dict)
    removed_at: dict[UUID, int] = attrs.field(factory=dict)

    def copy(self) -> Self:
        """Return tables that may be changed while these stand."""
        return attrs.evolve(
            self,
            accounts=dict(self.accounts),
            tokens=dict(self.tokens),
            attempts=dict(self.attempts),
            audit=list(self.audit),
            accounts_put_at=dict(self.accounts_put_at),
            tokens_put_at=dict(self.tokens_put_at),
            removed_at=dict(self.removed_at),
        )

    def delta(self, after: int, now: datetime) -> Delta:
        """Return what batches with a revision above this one have left, as it stands now."""
        return Delta(
            self.revision,
            tuple(self.accounts[id] for id, at in self.accounts_put_at.items() if at > after and id in self.accounts),
            tuple(self.tokens[id] for id, at in self.tokens_put_at.items() if at > after and id in self.tokens),
            frozenset(id for id, gone in self.removed_at.items() if gone > after and id not in self.accounts),
            self.ring,
            now,
        )

    def carry_out_all(self, changes: Sequence[Change]) -> None:
        """Carry out all changes in their order. Errors as `carry_out`."""
        self.revision += not all(isinstance(change, Record) for change in changes)
        for change in changes:
            self.carry_out(change)

    def carry_out(self, change: Change) -> None:
        """Carry one change out.

        :raises StaleVersion: it does not fit what stands.
        :raises ValueError: a key ring has two keys of one version, or a key has two slots of one provider.
        """
        match change:
            case Put(row=AccountRow() as account):
                self._put_account(account)
            case Put(row=TokenRow() as token):
                self._put_token(token)
            case Put(row=KeyRing() as ring):
                self._put_ring(ring)
            case Remove():
                self._remove(change)
            case Record(entry=TokenAttempt() as attempt):
                self.attempts[attempt.id] = attempt
            case Record(entry=AuditEntry() as entry):
                self.audit.append(AuditLine(len(self.audit) + 1, entry))

    def _put_account(self, row: AccountRow) -> None:
        _require(self.accounts.get(row.id), row.version)
        if any(_collide(row, other) for other in self.accounts.values() if other.id != row.id):
            raise StaleVersion(f"account {row.id}: its number or its default role is taken")
        self._require_above_floor(row)
        self.accounts_put_at[row.id] = self.revision
        self.accounts[row.id] = attrs.evolve(row, account=attrs.evolve(row.account, version=row.version + 1))

    def _put_token(self, row: TokenRow) -> None:
        _require(self.tokens.get(row.id), row.version)
        if row.id not in self.accounts:
            raise StaleVersion(f"token {row.id}: there is no such account")
        self._require_above_floor(row)
        self.tokens_put_at[row.id] = self.revision
        self.tokens[row.id] = attrs.evolve(row, version=row.version + 1)

    def _remove(self, change: Remove) -> None:
        if change.id not in self.accounts:
            raise StaleVersion(f"account {change.id}: there is no such account")
        _require(self.accounts[change.id], change.version)
        self.removed_at[change.id] = self.revision
        for gone in (self.accounts, self.tokens, self.accounts_put_at, self.tokens_put_at):
            gone.pop(change.id, None)

    def _put_ring(self, ring: KeyRing) -> None:
        _require_distinct(ring)
        _require(self.ring, ring.version)
        if self.ring and self.ring.id != ring.id:
            raise StaleVersion(f"key ring {ring.id}: the store has another one")
        rises = ring.min_decrypt > (self.ring.min_decrypt if self.ring else 0)
        by_version = tuple(sorted(ring.keys, key=lambda key: key.version))
        self.ring = attrs.evolve(ring, keys=by_version, version=ring.version + 1)
        rows: list[AccountRow | TokenRow] = [*self.accounts.values(), *self.tokens.values()]
        for row in rows if rises else ():
            self._require_above_floor(row)

    def _require_above_floor(self, row: AccountRow | TokenRow) -> None:
        if self.ring and row.sealed is not None and row.kek < self.ring.min_decrypt:
            raise StaleVersion(f"{row.id} is sealed with key {row.kek}, below what the ring opens")


def _require_distinct(ring: KeyRing) -> None:
    if len({key.version for key in ring.keys}) < len(ring.keys):
        raise ValueError(f"key ring {ring.id} has two keys of one version")
    for key in ring.keys:
        if len({slot.provider for slot in key.slots}) < len(key.slots):
            raise ValueError(f"key {key.version} of ring {ring.id} has two slots of one provider")


def _require(row: AccountRow | TokenRow | KeyRing | None, version: int) -> None:
    if (row.version if row else 0) != version:
        raise StaleVersion(f"version {version} was read, and another one stands")


def _collide(row: AccountRow, other: AccountRow) -> bool:
    mine, theirs = row.account, other.account
    return (
        mine.account_number == theirs.account_number
        or (mine.is_default_trading and theirs.is_default_trading)
        or (mine.is_default_data and theirs.is_default_data)
    )
