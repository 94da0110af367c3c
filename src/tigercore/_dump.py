"""What a store holds, read in pages so that another store keeps it in the same order, and as what writes it there."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Self, TypeAlias, final

import attrs

from tigercore.model import AuditEntry, KeyRing
from tigercore.ports import AccountRow, AccountStore, Delta, Put, Record, TokenAttempt, TokenRow

_PAGE = 1000

Log: TypeAlias = AuditEntry | TokenAttempt
Row: TypeAlias = AccountRow | TokenRow
Entry: TypeAlias = Log | Row


@final
@attrs.frozen
class Inventory:
    """How many entries of each kind there are."""

    accounts: int = 0
    tokens: int = 0
    attempts: int = 0
    audit_lines: int = 0

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """Count entries."""
        kinds = Counter(map(type, entries))
        return cls(kinds[AccountRow], kinds[TokenRow], kinds[TokenAttempt], kinds[AuditEntry])

    def __add__(self, other: Inventory) -> Inventory:
        mine, theirs = attrs.astuple(self), attrs.astuple(other)
        return Inventory(*(one + two for one, two in zip(mine, theirs, strict=True)))


async def logs(store: AccountStore) -> AsyncGenerator[list[Log], None]:
    """Yield the audit log, oldest first, then the attempts, so that recording them as they come keeps their order.

    Attempts come newest first, as the store pages them; of those of one moment the one that was recorded first.
    """
    after = 0
    while lines := await store.audit(after=after, limit=_PAGE):
        after = lines[-1].number
        yield [line.entry for line in lines]
    held: list[TokenAttempt] = []
    before = None
    while page := await store.token_attempts(before=before, limit=_PAGE):
        before = page[-1].id
        held += page
        whole = [attempt for attempt in held if attempt.started_at > page[-1].started_at]
        held = held[len(whole) :]  # all of one moment, of which the next page may have more
        if whole:
            yield [*reversed(whole)]
    if held:
        yield [*reversed(held)]


def rows(delta: Delta) -> list[Row]:
    """Return the rows of a store as new ones, in the order in which they can be put."""
    accounts = (attrs.evolve(row, account=attrs.evolve(row.account, version=0)) for row in delta.accounts)
    tokens = (attrs.evolve(row, version=0) for row in sorted(delta.tokens, key=lambda row: row.id))
    return [*accounts, *tokens]


def ring_puts(ring: KeyRing) -> list[Put]:
    """Return what gives a store without a ring this very one: its version is under its MAC, so each one is written."""
    return [Put(attrs.evolve(ring, version=version)) for version in range(ring.version)]


async def is_empty(store: AccountStore) -> bool:
    """Say whether a store holds nothing at all."""
    delta = await store.delta()
    held = delta.accounts or delta.tokens or delta.ring or await store.audit(limit=1)
    return not held and not await store.token_attempts(limit=1)


def records(entries: Iterable[Log]) -> list[Record]:
    """Return what appends these to the logs."""
    return [Record(entry) for entry in entries]


async def agree(one: AccountStore, other: AccountStore) -> bool:
    """Say whether the logs of two stores are the same."""
    async with aclosing(logs(one)) as ours, aclosing(logs(other)) as theirs:
        while True:
            mine, yours = await anext(ours, None), await anext(theirs, None)
            if mine != yours:
                return False
            if mine is None:
                return True
