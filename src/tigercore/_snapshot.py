"""The accounts in memory: what routing reads, kept fresh by own writes and by the store's change feed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from types import MappingProxyType
from typing import final
from uuid import UUID

import attrs
import trio

from tigercore._eligibility import Eligibility, kind_of, routes_alike
from tigercore._heldring import HeldRing
from tigercore.errors import AccountNotFoundError
from tigercore.model import Environment, KeyRing, TigerAccount, TokenState
from tigercore.ports import AccountRow, AccountStore, Candidate, Change, Delta, Put, Record, Remove, TokenRow

NOBODY: frozenset[UUID] = frozenset()
_KEPT = 256  # sets of candidates that are remembered


@final
class Snapshot:
    """Every account and token row of the store, sealed as they are, with an index of who is eligible for what."""

    def __init__(self, store: AccountStore, unlock: Callable[[KeyRing], Awaitable[None]]) -> None:
        self._store = store
        self._held = HeldRing(unlock)
        self._rows: dict[UUID, AccountRow] = {}
        self._tokens: dict[UUID, TokenRow] = {}
        self._candidates: dict[UUID, Candidate] = {}
        self._eligible: dict[tuple[Eligibility, frozenset[UUID]], tuple[Candidate, ...]] = {}
        self._numbers: dict[str, UUID] = {}
        self._developers: dict[str, dict[UUID, None]] = {}
        self._defaults: dict[str, Candidate | None] = {}
        self._kinds: dict[Eligibility, frozenset[tuple[bool, Environment]]] = {}
        self._revision = -1
        self._own: set[int] = set()
        self._loading = trio.Lock()
        self._touched: dict[UUID, int] | None = None  # at which revision it was written here, while a load is under way
        self._change = trio.Event()
        self._behind = trio.Event()

    @property
    def revision(self) -> int:
        """Return the store's revision up to which everything is known here."""
        return self._revision

    @property
    def ring(self) -> KeyRing:
        """Return the key ring that is in use.

        :raises KeyUnavailable: there is none.
        """
        return self._held.ring

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

    def eligible(self, wanted: Eligibility, resting: frozenset[UUID] = NOBODY) -> tuple[Candidate, ...]:
        """Return who may carry such a call and does not rest: the same tuple until an account changes or others rest.

        An account that is named is returned even if it rests.
        """
        if wanted.id is not None:
            named = self._candidates.get(wanted.id)
            return () if named is None or wanted.refusal(named.account) is not None else (named,)
        found = self._eligible.get((wanted, resting))
        if found is None:
            if len(self._eligible) >= _KEPT:
                self._eligible.clear()
            found = self._eligible[wanted, resting] = tuple(self._chosen(wanted, resting))
        return found

    def _chosen(self, wanted: Eligibility, resting: frozenset[UUID]) -> Iterator[Candidate]:
        if resting:
            return (c for c in self.eligible(wanted) if c.account.id not in resting)
        return (c for c in self._candidates.values() if wanted.refusal(c.account) is None)

    def kinds(self, wanted: Eligibility) -> frozenset[tuple[bool, Environment]]:
        """Return which kinds of account fit, whatever their status: paper or live, and in which environment."""
        found = self._kinds.get(wanted)
        if found is None:
            fitting = (c.account for c in self._candidates.values() if wanted.mismatch(c.account) is None)
            found = self._kinds[wanted] = frozenset(map(kind_of, fitting))
        return found

    def row(self, account_id: UUID) -> AccountRow:
        """Return the row of an account.

        :raises AccountNotFoundError: there is none.
        """
        try:
            return self._rows[account_id]
        except KeyError:
            raise AccountNotFoundError(f"no account has the id {account_id}") from None

    def token(self, account_id: UUID) -> TokenRow:
        """Return the token row of an account. Errors as `row`."""
        try:
            return self._tokens[account_id]
        except KeyError:
            raise AccountNotFoundError(f"no account has the id {account_id}") from None

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
        revision = await self._store.apply(changes)
        if not all(isinstance(change, Record) for change in changes):  # else the revision is one of others
            if revision > self._revision:  # else a load was faster, and knows what others have made of it
                self._adopt(changes, revision)
            self._own.add(revision)
            self._advance(self._revision)
        for change in changes:
            if isinstance(change, Put) and isinstance(change.row, KeyRing):
                await self._turn_to(attrs.evolve(change.row, version=change.row.version + 1))

    def _advance(self, revision: int) -> None:
        """Know everything up to this revision, and what was written here right after it."""
        self._revision = max(self._revision, revision)
        while self._revision + 1 in self._own:
            self._revision += 1
        self._own = {each for each in self._own if each > self._revision}

    async def load(self) -> None:
        """Read what has changed in the store, at first everything. What this process writes meanwhile is newer.

        :raises KeyUnavailable: the key ring has changed, and does not open.
        """
        async with self._loading:  # one at a time: each begins where the one before has ended
            with self._touching() as touched:
                delta = await self._store.delta(self._revision)
                await self._held.turn_to(delta.ring)
            self._take(delta, {each for each, revision in touched.items() if revision > delta.revision})
            self._advance(delta.revision)

    async def stored(self, ids: Collection[UUID] | None = None) -> tuple[list[AccountRow], list[TokenRow]]:
        """Return accounts as they stand in the store now, each with its token row."""
        rows, tokens = await self._store.accounts(ids), await self._store.token_rows(ids)
        found = {row.id: row for row in tokens}
        return rows, [found.get(row.id) or _without_token(row.account) for row in rows]

    @contextmanager
    def _touching(self) -> Iterator[dict[UUID, int]]:
        """Note which accounts are written here while others are read, and at which revision."""
        touched = self._touched = dict[UUID, int]()
        try:
            yield touched
        finally:
            self._touched = None

    def _take(self, delta: Delta, touched: set[UUID]) -> None:
        """Believe what was read, but of what was written here after it."""
        for gone in delta.removed - touched:
            self._drop(gone)
        removed = touched - self._rows.keys()
        for token in delta.tokens:
            if token.id not in removed:
                self._keep_token(token)
        for row in delta.accounts:
            if row.id not in removed:
                self._keep(row)
                self._tokens.setdefault(row.id, _without_token(row.account))
        self._announce()

    async def _turn_to(self, ring: KeyRing) -> None:
        """Use the ring that was just written, and read what others have sealed anew if it is here as it was."""
        try:
            if self._holds_below(ring.min_decrypt):
                await self.load()
            else:
                async with self._loading:
                    if self.ring.version < ring.version:  # else a load was faster, and knows even more
                        await self._held.turn_to(ring)
                self._announce()
        except BaseException:
            self.fall_behind()
            raise

    def _holds_below(self, floor: int) -> bool:
        tokens = (row.kek for row in self._tokens.values() if row.sealed is not None)
        return any(kek < floor for kek in chain((row.kek for row in self._rows.values()), tokens))

    def fall_behind(self) -> None:
        """Let what has changed be read: others have written."""
        self._behind.set()

    async def catch_up(self) -> None:
        """Read what has changed whenever others have written, for ever. Errors as `load`; then call it again."""
        while True:
            await self._behind.wait()
            self._behind = trio.Event()
            try:
                await self.load()
            except BaseException:
                self.fall_behind()
                raise

    def hold(self, rows: Iterable[TokenRow]) -> None:
        """Keep token rows in memory that the store could not take; the next write of them takes them along."""
        self._tokens.update((row.id, row) for row in rows)

    async def changed(self) -> None:
        """Wait until a row of any account changes."""
        await self._change.wait()

    def _adopt(self, changes: Sequence[Change], revision: int) -> None:
        for change in changes:
            match change:
                case Put(AccountRow() as row):
                    self._keep(attrs.evolve(row, account=attrs.evolve(row.account, version=row.version + 1)))
                case Put(TokenRow() as row):
                    self._keep_token(attrs.evolve(row, version=row.version + 1))
                case Remove(id=account_id):
                    self._drop(account_id)
        if self._touched is not None:
            self._touched.update((change.row.id, revision) for change in changes if isinstance(change, Put))
            self._touched.update((change.id, revision) for change in changes if isinstance(change, Remove))
        self._announce()

    def _keep(self, row: AccountRow) -> None:
        before = self._rows.get(row.id)
        if before is not None:
            if before.version >= row.version:  # read before it was written here
                return
            self._forget(before.account)
        self._rows[row.id] = row
        self._numbers[row.account.account_number] = row.id
        self._developers.setdefault(row.account.developer, {})[row.id] = None
        candidate = self._candidates.setdefault(row.id, Candidate(row.account))
        candidate.account = row.account
        if before is None or not routes_alike(before.account, row.account):
            self._reindex()

    def _keep_token(self, row: TokenRow) -> None:
        before = self._tokens.get(row.id)
        if before is None or before.version < row.version:
            self._tokens[row.id] = row

    def _drop(self, account_id: UUID) -> None:
        if account_id in self._rows:
            self._forget(self._rows[account_id].account)
        for rows in (self._rows, self._tokens, self._candidates):
            rows.pop(account_id, None)
        self._reindex()

    def _forget(self, account: TigerAccount) -> None:
        if self._numbers.get(account.account_number) == account.id:
            del self._numbers[account.account_number]
        self._developers[account.developer].pop(account.id, None)

    def _reindex(self) -> None:
        self._eligible.clear()
        self._defaults.clear()
        self._kinds.clear()

    def _announce(self) -> None:
        self._change.set()
        self._change = trio.Event()


def _without_token(account: TigerAccount) -> TokenRow:
    """Return the token row that an account lacks: it was taken out of the store, or has just been deleted there."""
    return TokenRow(account.id, TokenState.NEEDS_REAUTH if account.needs_token else TokenState.NOT_REQUIRED)
