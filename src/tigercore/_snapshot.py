"""The accounts in memory: what routing reads, kept fresh by own writes and by the store's change feed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from types import MappingProxyType
from typing import final
from uuid import UUID

import attrs
import trio

from tigercore._directory import NOBODY, Directory
from tigercore._heldring import HeldRing
from tigercore._storeclock import StoreClock
from tigercore.clock import Clock
from tigercore.errors import AccountNotFoundError
from tigercore.model import KeyRing, TigerAccount, TokenState
from tigercore.ports import AccountRow, AccountStore, Change, Delta, Put, Record, Remove, TokenRow

__all__ = ["NOBODY", "Snapshot"]


@final
class Snapshot:
    """Every account and token row of the store, sealed as they are; the accounts stand in a directory."""

    def __init__(
        self, store: AccountStore, unlock: Callable[[KeyRing], Awaitable[None]], clock: Clock, *, hold: float = 0.0
    ) -> None:
        self._store = store
        self._clock = clock
        self._time = StoreClock(clock, hold)
        self._held = HeldRing(unlock)
        directory = self._directory = Directory()
        # its own methods, not calls of them: routing asks these for every operation
        self.row, self.candidate, self.eligible = directory.row, directory.candidate, directory.eligible
        self.default, self.kinds, self.numbered = directory.default, directory.kinds, directory.numbered
        self._tokens: dict[UUID, TokenRow] = {}
        self._unstored: set[UUID] = set()  # whose token rows the store could not take
        self._stirred: set[UUID] | None = None  # whose token rows have changed, once somebody asks
        self._revision = -1
        self._own: set[int] = set()
        self._loading = trio.Lock()
        self._begun = self._loaded = 0  # loads: how many have begun, and which of them has ended well last
        self._touched: dict[UUID, int] | None = None  # at which revision it was written here, while a load is under way
        self._change, self._behind = trio.Event(), trio.Event()

    @property
    def revision(self) -> int:
        """Return the store's revision up to which everything is known here."""
        return self._revision

    def now(self) -> datetime:
        """Return the store's time of now, as far as its answers tell it."""
        return self._time.now()

    @property
    def ring(self) -> KeyRing:
        """Return the key ring that is in use.

        :raises KeyUnavailable: there is none.
        """
        return self._held.ring

    @property
    def rows(self) -> Mapping[UUID, AccountRow]:
        """Return all account rows by id, in the order of their creation."""
        return self._directory.rows

    @property
    def tokens(self) -> Mapping[UUID, TokenRow]:
        """Return all token rows by account id."""
        return MappingProxyType(self._tokens)

    def token(self, account_id: UUID) -> TokenRow:
        """Return the token row of an account. Errors as `row`."""
        try:
            return self._tokens[account_id]
        except KeyError:
            raise AccountNotFoundError(f"no account has the id {account_id}") from None

    def account_of(self, developer: str) -> TigerAccount | None:
        """Return an account of a developer, None if there is none any more."""
        return next((self.row(account_id).account for account_id in self._directory.of(developer)), None)

    def token_family(self, account: TigerAccount) -> list[TokenRow]:
        """Return the rows that hold the token of the account's developer, the account's own first.

        The gateway knows one token for each developer (protocol 4A.6), so these rows live and die together.
        """
        family = (self._tokens[account_id] for account_id in self._directory.of(account.developer))
        held = [row for row in family if row.state is not TokenState.NOT_REQUIRED]
        return sorted(held, key=lambda row: row.id != account.id)

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

        Callers that come while one reads share the next reading.

        :raises KeyUnavailable: the key ring has changed, and does not open.
        """
        wanted = self._begun + 1  # what has begun already may have read before this call
        async with self._loading:  # one at a time: each begins where the one before has ended
            if self._loaded < wanted:
                self._begun += 1
                await self._read()
                self._loaded = self._begun

    async def _read(self) -> None:
        touched = self._touched = dict[UUID, int]()
        try:
            asked_at = self._clock.monotonic()
            delta = await self._store.delta(self._revision)
            self._time.seen(delta.now, asked_at)
            is_turned = await self._held.turn_to(delta.ring)
        finally:
            self._touched = None
        is_news = self._take(delta, {each for each, revision in touched.items() if revision > delta.revision})
        self._advance(delta.revision)
        if is_news or is_turned:
            self._announce()

    async def stored(self, ids: Collection[UUID] | None = None) -> tuple[list[AccountRow], list[TokenRow]]:
        """Return accounts as they stand in the store now, each with its token row."""
        rows, tokens = await self._store.accounts(ids), await self._store.token_rows(ids)
        found = {row.id: row for row in tokens}
        return rows, [found.get(row.id) or _without_token(row.account) for row in rows]

    def _take(self, delta: Delta, touched: set[UUID]) -> bool:
        """Believe what was read, but of what was written here after it; say whether anything of it was not known."""
        news = [self._drop(gone) for gone in delta.removed - touched]
        removed = {each for each in touched if each not in self.rows}  # not a difference: that would walk all rows
        news += [self._keep_token(token) for token in delta.tokens if token.id not in removed]
        for row in delta.accounts:
            if row.id not in removed:
                news.append(self._keep(row))
                if row.id not in self._tokens:
                    self._set_token(_without_token(row.account))
        return any(news)

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
        return any(kek < floor for kek in chain((row.kek for row in self.rows.values()), tokens))

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
        for row in rows:
            self._set_token(row)
            self._unstored.add(row.id)

    def is_held(self, row: TokenRow) -> bool:
        """Say whether a row is in memory alone."""
        return row.id in self._unstored

    def adopt_claimed(self, rows: Iterable[TokenRow]) -> None:
        """Take rows into memory that `claim_due_tokens` has just returned, but of accounts that are not known here."""
        for row in rows:
            if row.id in self.rows:
                self._keep_token(row)
        self._announce()

    def touched_tokens(self) -> set[UUID]:
        """Return whose token row is new or gone, or who changed developer, since the last call; at first all."""
        stirred = set(self._tokens) if self._stirred is None else self._stirred
        self._stirred = set()
        return stirred

    def _stir(self, account_id: UUID) -> None:
        if self._stirred is not None:
            self._stirred.add(account_id)

    async def changed(self) -> None:
        """Wait until a row of any account changes."""
        await self._change.wait()

    def _adopt(self, changes: Sequence[Change], revision: int) -> None:
        for change in changes:
            match change:
                case Put(AccountRow() as row):
                    self._keep(attrs.evolve(row, account=attrs.evolve(row.account, version=row.version + 1)))
                case Put(TokenRow() as row) if row.id in self.rows:  # else a removal has overtaken it
                    self._keep_token(attrs.evolve(row, version=row.version + 1))
                case Remove(id=account_id):
                    self._drop(account_id)
        if self._touched is not None:
            self._touched.update((change.row.id, revision) for change in changes if isinstance(change, Put))
            self._touched.update((change.id, revision) for change in changes if isinstance(change, Remove))
        self._announce()

    def _keep(self, row: AccountRow) -> bool:
        before = self.rows.get(row.id)
        self._directory.keep(row)
        if before is not None and before.account.developer != self.row(row.id).account.developer:
            self._stir(row.id)
        return before is not self.rows[row.id]

    def _keep_token(self, row: TokenRow) -> bool:
        before = self._tokens.get(row.id)
        if before is not None and before.version >= row.version:
            return False
        self._set_token(row)
        return True

    def _set_token(self, row: TokenRow) -> None:
        self._tokens[row.id] = row
        self._unstored.discard(row.id)
        self._stir(row.id)

    def _drop(self, account_id: UUID) -> bool:
        is_known = account_id in self.rows
        self._directory.drop(account_id)
        self._tokens.pop(account_id, None)
        self._stir(account_id)
        return is_known

    def _announce(self) -> None:
        self._change.set()
        self._change = trio.Event()


def _without_token(account: TigerAccount) -> TokenRow:
    """Return the token row that an account lacks: it was taken out of the store, or has just been deleted there."""
    return TokenRow(account.id, TokenState.NEEDS_REAUTH if account.needs_token else TokenState.NOT_REQUIRED)
