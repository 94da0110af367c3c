"""What the file holds, and the rules: how a change changes it. There is no I/O in here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import final
from uuid import UUID

import attrs

from tigercore.errors import StaleVersion
from tigercore.model import AuditEntry, KeyRing, TokenState
from tigercore.ports import AccountRow, Change, Delta, Put, Record, Remove, TokenAttempt, TokenRow

FORMAT = 1
_NEVER = datetime.max.replace(tzinfo=UTC)


@final
@attrs.define
class Tables:
    """Everything that is stored; dictionaries keep the order of creation, and the `_at` are revisions, for `delta`."""

    format: int = FORMAT
    revision: int = 0
    ring: KeyRing | None = None
    accounts: dict[UUID, AccountRow] = attrs.field(factory=dict)
    tokens: dict[UUID, TokenRow] = attrs.field(factory=dict)
    attempts: dict[UUID, TokenAttempt] = attrs.field(factory=dict)
    audit: list[AuditEntry] = attrs.field(factory=list)
    account_put_at: dict[UUID, int] = attrs.field(factory=dict)
    token_put_at: dict[UUID, int] = attrs.field(factory=dict)
    removed_at: dict[UUID, int] = attrs.field(factory=dict)

    def apply(self, changes: Sequence[Change]) -> int:
        """Carry out all changes in their order, and return the revision. Errors as the port's; then drop the tables."""
        self.revision += any(not isinstance(change, Record) for change in changes)
        for change in changes:
            self._carry_out(change)
            for rule in self.broken_rules():
                raise StaleVersion(rule)
        return self.revision

    def broken_rules(self) -> Iterator[str]:
        """Name the rules of the port that what stands breaks."""
        accounts = [row.account for row in self.accounts.values()]
        rows: list[AccountRow | TokenRow] = [*self.accounts.values(), *self.tokens.values()]
        if len({each.account_number for each in accounts}) < len(accounts):
            yield "two accounts have one number"
        if sum(each.is_default_trading for each in accounts) > 1:
            yield "two accounts are the default for trading"
        if sum(each.is_default_data for each in accounts) > 1:
            yield "two accounts are the default for data"
        if not self.tokens.keys() <= self.accounts.keys():
            yield "a token has no account"
        if self.ring and any(row.sealed is not None and row.kek < self.ring.min_decrypt for row in rows):
            yield "something is sealed with a key below what the ring opens"

    def _carry_out(self, change: Change) -> None:
        match change:
            case Put(row=AccountRow() as row):
                _require(row.version, self.accounts.get(row.id))
                self.accounts[row.id] = attrs.evolve(row, account=attrs.evolve(row.account, version=row.version + 1))
                self.account_put_at[row.id] = self.revision
            case Put(row=TokenRow() as token):
                _require(token.version, self.tokens.get(token.id))
                self.tokens[token.id] = attrs.evolve(token, version=token.version + 1)
                self.token_put_at[token.id] = self.revision
            case Put(row=KeyRing() as ring):
                self._put_ring(ring)
            case Remove():
                self._remove(change)
            case Record(entry=TokenAttempt() as attempt):
                self.attempts[attempt.id] = attempt  # in its old place, if it was there
            case Record(entry=AuditEntry() as entry):
                self.audit.append(entry)

    def _put_ring(self, ring: KeyRing) -> None:
        versions = [key.version for key in ring.keys]
        if any(len({slot.provider for slot in key.slots}) < len(key.slots) for key in ring.keys):
            raise ValueError("a key of the ring has two slots of one provider")
        if len(set(versions)) < len(versions):
            raise ValueError("the key ring has two keys of one version")
        _require(ring.version, self.ring)
        if self.ring and self.ring.id != ring.id:
            raise StaleVersion("the store has another key ring")
        keys = tuple(sorted(ring.keys, key=lambda key: key.version))
        self.ring = attrs.evolve(ring, keys=keys, version=ring.version + 1)

    def _remove(self, change: Remove) -> None:
        if change.id not in self.accounts:
            raise StaleVersion("there is no such account")
        _require(change.version, self.accounts.pop(change.id))
        self.tokens.pop(change.id, None)
        self.removed_at[change.id] = self.revision

    def due(self, now: datetime, limit: int) -> list[TokenRow]:
        """Return the tokens that are due, the one that expires soonest first."""
        due = (row for row in self.tokens.values() if row.state is TokenState.VALID and (row.next_at or _NEVER) <= now)
        return sorted(due, key=lambda row: (row.expires_at or _NEVER, row.next_at, row.id))[:limit]

    def claim(self, now: datetime, limit: int, owner: str, until: datetime) -> list[TokenRow]:
        """Mark due tokens REFRESHING and return them."""
        claimed = [
            attrs.evolve(row, state=TokenState.REFRESHING, owner=owner, lease_until=until, version=row.version + 1)
            for row in self.due(now, limit)
        ]
        self.revision += bool(claimed)
        for row in claimed:
            self.tokens[row.id], self.token_put_at[row.id] = row, self.revision
        return claimed

    def delta(self, after: int, now: datetime) -> Delta:
        """Return what batches with a revision above this one have left, as it stands now."""
        return Delta(
            self.revision,
            tuple(row for row in self.accounts.values() if self.account_put_at[row.id] > after),
            tuple(row for row in self.tokens.values() if self.token_put_at[row.id] > after),
            frozenset(id for id, gone in self.removed_at.items() if gone > after and id not in self.accounts),
            self.ring,
            now,
        )

    def attempts_behind(self, before: UUID | None) -> list[TokenAttempt]:
        """Return attempts, newest first: all, or those that stand behind this one."""
        newest = sorted(self.attempts.values(), key=lambda each: each.started_at)[::-1]
        if before is None:
            return newest
        return newest[newest.index(self.attempts[before]) + 1 :] if before in self.attempts else []


def _require(version: int, row: AccountRow | TokenRow | KeyRing | None) -> None:
    if version != (row.version if row else 0):
        raise StaleVersion(f"version {version} was read, and another one stands")
