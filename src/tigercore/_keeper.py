"""A token that was received, and how it gets to where it cannot be lost: the journal first, then the store."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import final

import attrs
import trio

from tigercore import _refresh as rules
from tigercore._duetimes import DueTimes
from tigercore._journal import Journal
from tigercore._plugins import Hooks
from tigercore._ringfile import converter
from tigercore._snapshot import Snapshot
from tigercore._vault import Vault
from tigercore.audit import AuditLog
from tigercore.clock import Clock
from tigercore.errors import (
    DecryptionFailed,
    JournalUnusable,
    KeyUnavailable,
    StaleVersion,
    StoreUnavailable,
)
from tigercore.model import AuditResult, License, Secret, TigerAccount, Token, TokenRefreshStatus
from tigercore.ports import AccountStore, Change, Put, Record, TokenAttempt, TokenRow

_log = logging.getLogger("tigercore.tokens")
_PATIENCE = 5.0  # seconds to wait for what another task stores
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 30.0  # seconds before a store that is gone is tried again


@final
@attrs.define(eq=False)
class _InHand:
    """A token that this process is about to store: who tries can be told to try at once, and be waited for."""

    done: trio.Event = attrs.field(factory=trio.Event)
    _now: trio.Event = attrs.field(factory=trio.Event)

    async def rest(self, seconds: float) -> None:
        """Wait, unless somebody is in a hurry."""
        self._now = trio.Event()
        with trio.move_on_after(seconds):
            await self._now.wait()

    async def hurry(self) -> None:
        """Let it be tried now, and wait for a while until it is done."""
        self._now.set()
        with trio.move_on_after(_PATIENCE):
            await self.done.wait()


@final
class TokenKeeper:
    """Write tokens that the gateway has issued, and find again those that a process could not write before it died."""

    def __init__(
        self,
        store: AccountStore,
        snapshot: Snapshot,
        vault: Vault,
        audit: AuditLog,
        hooks: Hooks,
        journal: Journal,
        due: DueTimes,
        clock: Clock,
        nursery: trio.Nursery,
    ) -> None:
        self._store = store
        self._snapshot = snapshot
        self._vault = vault
        self._audit = audit
        self._hooks = hooks
        self._journal = journal
        self._due = due
        self._clock = clock
        self._nursery = nursery
        self._in_hand: dict[str, _InHand] = {}  # by the entry: what somebody in this process is about to store

    async def ready(self) -> None:
        """Pass if a token that is received now could be kept. :raises JournalUnusable: it could not."""
        await self._journal.ready()

    async def note(self, account: TigerAccount, attempt: TokenAttempt, fresh: Token) -> None:
        """Write a token to the journal; if that fails the store is all there is, and the log says so."""
        name, entry = str(attempt.id), _written(account.developer, attempt, fresh)
        self._in_hand[name] = _InHand()
        try:
            await self._journal.keep(name, self._vault.seal_entry(name, entry))
        except (JournalUnusable, KeyUnavailable) as error:
            _log.error("a new token is in memory alone until the store has it: %s", error)

    async def store(self, account: TigerAccount, attempt: TokenAttempt, fresh: Token, *, recovers: bool) -> None:
        """Write a token into the rows that take it, for as long as it needs; until then this process uses it as it is.

        Others may write meanwhile; the token that was issued last wins. If it `recovers` after failures, plugins hear.
        """
        wait, mine = _FIRST_WAIT, self._in_hand.setdefault(str(attempt.id), _InHand())
        while True:
            family = self._snapshot.token_family(account)
            rows = [self._renewed(row, fresh, family, account.license) for row in family if self._takes(row, fresh)]
            self._snapshot.hold(rows)
            try:
                try:
                    held = any(self._vault.readable_token(row) == fresh for row in family)
                    await self._end_well(rows, attempt, is_kept=bool(rows) or held)
                    break
                except StaleVersion:
                    await self._snapshot.load()
            except (StoreUnavailable, KeyUnavailable) as error:
                _log.warning("a new token of %s is not in the store yet: %s", account.account_name, error)
                await mine.rest(wait)
                wait = min(wait * 2, _LONGEST_WAIT)
        await self._strike_out(str(attempt.id))
        if rows or held:
            self._told(account, fresh, recovers=recovers)

    def _told(self, account: TigerAccount, fresh: Token, *, recovers: bool) -> None:
        self._hooks.notify("tigercore_token_refreshed", account=account, expires_at=fresh.expires_at)
        if recovers:
            self._hooks.notify("tigercore_token_refresh_recovered", account=account)

    def finish_later(self, account: TigerAccount, attempt: TokenAttempt, fresh: Token, *, recovers: bool) -> None:
        """Let a token that the store does not take yet be written once it does."""
        with suppress(RuntimeError):  # tigercore is closing: the journal keeps it
            self._nursery.start_soon(partial(self.store, account, attempt, fresh, recovers=recovers))

    async def adopt(self) -> None:
        """Store what processes that have died had received and could not store, and what this one could not yet."""
        for name, sealed in (await self._journal.orphans()).items():
            if name in self._in_hand:
                await self._in_hand[name].hurry()
                continue
            mine = self._in_hand[name] = _InHand()
            try:
                await self._adopt(name, sealed)
            finally:
                self._in_hand.pop(name, None)
                mine.done.set()

    async def _adopt(self, name: str, sealed: bytes) -> None:
        try:
            developer, attempt, fresh = _read(self._vault.open_entry(name, sealed))
        except (DecryptionFailed, KeyUnavailable):
            return  # of another installation: not ours to touch
        except KeyError:
            return _log.warning("the recovery journal holds %s.*.tgc of another version of tigercore: left alone", name)
        account = self._snapshot.account_of(developer)
        if account is None:
            return  # the last of its accounts is gone; should one come back, its token is here
        if await self._is_stored(attempt):  # who stored it died before it could strike it out
            return await self._strike_out(name)
        _log.warning("the recovery journal holds a token of %s that was not stored: it is now", account.account_name)
        recovers = rules.has_failed(self._snapshot.token_family(account))
        await self.store(account, attempt, fresh, recovers=recovers)

    async def _strike_out(self, name: str) -> None:
        """Take an entry out of the journal, whose token is in the store."""
        try:
            await self._journal.drop(name)
        except JournalUnusable as error:  # who finds it will see that
            _log.warning("a token is stored, and its entry is still in the journal: %s", error)
        mine = self._in_hand.pop(name, None)
        if mine is not None:
            mine.done.set()

    async def _is_stored(self, attempt: TokenAttempt) -> bool:
        done = await self._store.token_attempts(
            {attempt.account_id}, since=attempt.started_at, status=TokenRefreshStatus.SUCCEEDED
        )
        return attempt.id in {each.id for each in done}

    async def end(
        self, rows: Sequence[TokenRow], attempts: Sequence[TokenAttempt], status: TokenRefreshStatus, detail: str
    ) -> None:
        """Write rows, and how attempts have ended. Errors as `AuditLog.commit`."""
        changes: list[Change] = [*map(Put, rows), *map(Record, self.ended(attempts, status, detail))]
        if not attempts:
            return await self._snapshot.commit(changes)
        good = status in (TokenRefreshStatus.SUCCEEDED, TokenRefreshStatus.OLD_ALIVE)
        await self._audit.commit(
            changes,
            "token.refresh",
            str(attempts[0].account_id),
            result=AuditResult.SUCCESS if good else AuditResult.FAILURE,
            outcome=status,
        )

    def ended(self, attempts: Iterable[TokenAttempt], status: TokenRefreshStatus, detail: str) -> list[TokenAttempt]:
        """Return attempts as they have ended; one that is still STARTED has not."""
        at = None if status is TokenRefreshStatus.STARTED else self._clock.now()
        return [attrs.evolve(each, status=status, detail=detail, ended_at=at) for each in attempts]

    def alive(self, row: TokenRow, token: Token, family: Sequence[TokenRow], license: License | None) -> TokenRow:
        """Return a row as one that holds the token that was found to live."""
        if self._vault.readable_token(row) == token:
            due = self._due.of(row.id, token, license) if row.id == rules.leader(family) else None
            return attrs.evolve(rules.renewed(row, token, due, self._clock.now()), failures=row.failures)
        return self._renewed(row, token, family, license)

    async def _end_well(self, rows: Sequence[TokenRow], attempt: TokenAttempt, *, is_kept: bool) -> None:
        if is_kept:
            await self.end(rows, [attempt], TokenRefreshStatus.SUCCEEDED, "")
        else:
            await self.end([], [attempt], TokenRefreshStatus.LOST, "a newer token was there already")

    def _renewed(self, row: TokenRow, token: Token, family: Sequence[TokenRow], license: License | None) -> TokenRow:
        due = self._due.of(row.id, token, license) if row.id == rules.leader(family) else None
        return rules.renewed(self._vault.seal_token(row, token), token, due, self._clock.now())

    def _takes(self, row: TokenRow, fresh: Token) -> bool:
        """Say whether a row is to be written with this token; one whose token does not open is behind in any case.

        One that holds it stays as it is: others may have leased it since, when two have adopted one journal.
        """
        token = self._vault.readable_token(row)
        if token == fresh:
            return self._snapshot.is_held(row)
        unreadable = token is None and row.sealed is not None
        return rules.takes(attrs.evolve(row, issued_at=None) if unreadable else row, fresh)


def _written(developer: str, attempt: TokenAttempt, token: Token) -> str:
    born, ends = (moment and moment.isoformat() for moment in (token.issued_at, token.expires_at))
    held = {"value": token.value.reveal(), "issued_at": born, "expires_at": ends}
    return json.dumps({"developer": developer, "attempt": converter.unstructure(attempt), "token": held})


def _read(text: str) -> tuple[str, TokenAttempt, Token]:
    """Read what `_written` has made; it was sealed, so it is nothing else."""
    held = json.loads(text)
    stamps = (_moment(held["token"][name]) for name in ("issued_at", "expires_at"))
    token = Token(Secret(held["token"]["value"]), *stamps)
    return held["developer"], converter.structure(held["attempt"], TokenAttempt), token


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
