"""One refresh of one token: lease, ask once, store. Nothing here is tried again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import final
from uuid import UUID

import attrs
import trio

from tigercore import _refresh as rules
from tigercore._plugins import Hooks
from tigercore._snapshot import Snapshot
from tigercore._vault import Vault
from tigercore.accounts import TigerAccountManager
from tigercore.audit import AuditLog
from tigercore.clock import Clock
from tigercore.errors import (
    ClientError,
    KeyUnavailable,
    NotProcessed,
    OutcomeUnknown,
    RateLimited,
    StaleVersion,
    StoreUnavailable,
    TokenNeedsReauthorisation,
    TokenRateLimitError,
    TokenRefreshError,
    Unauthorized,
)
from tigercore.model import (
    AuditResult,
    RefreshTrigger,
    TigerAccount,
    Token,
    TokenRefreshStatus,
    TokenState,
)
from tigercore.ports import Change, Put, Record, TigerClient, TokenAttempt, TokenRow
from tigercore.settings import TokenSettings

_FIRST_WAIT = 0.1  # seconds before a store that is gone is tried again, then twice as long each time
_SAVE = 10.0  # seconds that storing a token which was just received may take, whatever is cancelled around it


@final
class Refresher:
    """Carry out refreshes; `owner` names this process in the leases."""

    def __init__(
        self,
        snapshot: Snapshot,
        vault: Vault,
        audit: AuditLog,
        accounts: TigerAccountManager,
        client: TigerClient,
        hooks: Hooks,
        clock: Clock,
        rng: random.Random,
        settings: TokenSettings,
        *,
        owner: str,
    ) -> None:
        self._snapshot = snapshot
        self._vault = vault
        self._audit = audit
        self._accounts = accounts
        self._client = client
        self._hooks = hooks
        self._clock = clock
        self._rng = rng
        self._settings = settings
        self._owner = owner

    async def reinstate(self, account: TigerAccount) -> None:
        """Take note that the account works: what errors have suspended is active again."""
        if self._snapshot.row(account.id).account.error_count:
            await self._accounts.reset_error_count(account.id)

    async def refresh(self, account: TigerAccount, trigger: RefreshTrigger, claimed: bool = False) -> None:
        """Get a new token for the developer of an account; `claimed` says that this process has just claimed its row.

        Once the gateway was asked, nothing but time interrupts this: the old token may be dead by then.

        :raises TokenManagerError: there is no new token; the row says where the old one stands.
        """
        if self._snapshot.token(account.id).state is TokenState.NOT_REQUIRED:
            return
        self._accounts.signer(account)  # who cannot sign takes no lease
        family = await self.settle(account, claimed)
        newest = rules.newest(family)
        token = newest and self._vault.open_token(newest)
        if newest is None or token is None or rules.has_expired(newest, self._clock.now()):
            await self._put([rules.settled(row, TokenState.NEEDS_REAUTH, None) for row in family])
            raise _needs_a_person(account, "an expired token cannot be refreshed")
        attempt = await self._begin(account, family, trigger)
        with trio.move_on_after(self._settings.lease + _SAVE, shield=True) as bound:
            await self._ask(account, attempt, token)
        if bound.cancelled_caught:
            raise TokenRefreshError(f"{account.account_name}: no outcome within the lease; the token is in doubt")

    async def settle(self, account: TigerAccount, claimed: bool = False) -> list[TokenRow]:
        """Return rows that may be refreshed; a token in doubt is looked into first, by asking with the newest.

        :raises TokenManagerError: another process holds the lease, it is too early to ask, or the token is dead.
        """
        await self._snapshot.load()
        family, now = self._snapshot.token_family(account), self._clock.now()
        if any(rules.is_leased(row, now) and not (claimed and row.owner == self._owner) for row in family):
            raise TokenRefreshError(f"{account.account_name}: this token is being refreshed already; wait for it")
        if not any(rules.is_in_doubt(row, now) or row.state is TokenState.NEEDS_REAUTH for row in family):
            return family
        if rules.is_too_early(family, now):
            raise TokenRefreshError(f"{account.account_name}: a refresh was lost; it is too early to ask about it")
        await self._look_into(account, family)
        return self._snapshot.token_family(account)

    async def _look_into(self, account: TigerAccount, family: Sequence[TokenRow]) -> None:
        newest = rules.newest(family)
        token = newest and self._vault.open_token(newest)
        try:
            alive = token is not None and await self._client.probe(self._accounts.signer(account), token)
        except ClientError as error:
            await self._put(self._put_off(family, TokenState.UNCERTAIN))
            raise TokenRefreshError(
                f"{account.account_name}: its token is in doubt, and asking failed: {error}"
            ) from error
        if token is None or not alive:
            await self._put([rules.settled(row, TokenState.NEEDS_REAUTH, None) for row in family])
            raise _needs_a_person(account, "its token is dead")
        await self._put([self._alive(row, token, family) for row in family])

    async def _ask(self, account: TigerAccount, attempt: TokenAttempt, token: Token) -> None:
        try:
            fresh = await self._client.refresh(self._accounts.signer(account), token)
        except ClientError as error:
            await self._lose(account, attempt, token, error)
        else:
            await self._keep(account, attempt, fresh)

    def _alive(self, row: TokenRow, token: Token, family: Sequence[TokenRow]) -> TokenRow:
        if self._vault.readable_token(row) == token:
            return rules.settled(row, TokenState.VALID, self._due(row, token, family))
        return self._renewed(row, token, family)

    def _renewed(self, row: TokenRow, token: Token, family: Sequence[TokenRow]) -> TokenRow:
        sealed = self._vault.seal_token(row, token)
        return rules.renewed(sealed, token, self._due(row, token, family), self._clock.now())

    def _due(self, row: TokenRow, token: Token, family: Sequence[TokenRow]) -> datetime | None:
        if row.id != rules.leader(family):
            return None
        return rules.due_at(row.id, token, self._clock.now(), self._settings.refresh_at)

    def _put_off(self, family: Sequence[TokenRow], state: TokenState, at_least: float = 0.0) -> list[TokenRow]:
        now, leader = self._clock.now(), rules.leader(family)
        return [
            rules.put_off(row, state, rules.back_off(row, now, at_least) if row.id == leader else None)
            for row in family
        ]

    async def _put(self, rows: Sequence[TokenRow]) -> None:
        await self._snapshot.commit([Put(row) for row in rows])

    async def _begin(self, account: TigerAccount, family: Sequence[TokenRow], trigger: RefreshTrigger) -> TokenAttempt:
        """Take the lease on every row of the developer, all or none; who meets another version was too late."""
        now = self._clock.now()
        attempt_id = UUID(int=self._rng.getrandbits(128), version=4)
        attempt = TokenAttempt(attempt_id, account.id, trigger, TokenRefreshStatus.STARTED, now)
        until = now + timedelta(seconds=self._settings.lease)
        puts = [Put(rules.leased(row, self._owner, until)) for row in family]
        await self._snapshot.commit([*puts, Record(attempt)])
        return attempt

    async def _keep(self, account: TigerAccount, attempt: TokenAttempt, fresh: Token) -> None:
        """Store a token that was received, and serve it from memory for as long as the store cannot take it."""
        had_failed = any(row.failures for row in self._snapshot.token_family(account))
        with trio.move_on_after(_SAVE) as saving:
            await self._save(account, attempt, fresh)
        self._hooks.notify("tigercore_token_refreshed", account=account, expires_at=fresh.expires_at)
        if had_failed:
            self._hooks.notify("tigercore_token_refresh_recovered", account=account)
        if saving.cancelled_caught:
            raise TokenRefreshError(
                f"{account.account_name}: its new token serves this process, but could not be stored: "
                "bring the store back and refresh again before this process ends"
            )
        await self.reinstate(account)

    async def _save(self, account: TigerAccount, attempt: TokenAttempt, fresh: Token) -> None:
        wait = _FIRST_WAIT
        while True:
            family = self._snapshot.token_family(account)
            renewed = [self._renewed(r, fresh, family) for r in family if self._awaits(r, fresh)]
            self._snapshot.hold(renewed)
            try:
                try:
                    await self._end(renewed, attempt, TokenRefreshStatus.SUCCEEDED, "")
                    return
                except StaleVersion:
                    await self._snapshot.load()
            except (StoreUnavailable, KeyUnavailable):
                await trio.sleep(wait)
                wait *= 2

    def _awaits(self, row: TokenRow, fresh: Token) -> bool:
        """Say whether a row is to hold this token: it was not put out of use, and holds no newer one."""
        held = self._vault.readable_token(row)
        newer = held is not None and rules.is_newer(held, attrs.evolve(row, issued_at=fresh.issued_at))
        return row.state is not TokenState.DISABLED and not newer

    async def _lose(self, account: TigerAccount, attempt: TokenAttempt, sent: Token, error: ClientError) -> None:
        failures = 0
        with trio.move_on_after(_SAVE), suppress(StaleVersion):
            try:
                failures = await self._note(account, attempt, sent, error)
            except StaleVersion:  # sealed anew meanwhile, or somebody brought a newer token
                await self._snapshot.load()
                failures = await self._note(account, attempt, sent, error)
        self._hooks.notify("tigercore_token_refresh_failed", account=account, reason=str(error), failures=failures)
        if isinstance(error, RateLimited):
            raise TokenRateLimitError(f"{account.account_name}: {error}", retry_after=error.retry_after) from error
        raise TokenRefreshError(f"{account.account_name}: {error}") from error

    async def _note(self, account: TigerAccount, attempt: TokenAttempt, sent: Token, error: ClientError) -> int:
        """Write how a refresh failed, into the rows that still hold the token it was sent with; return how often."""
        state, status = _outcome(error)
        wait = error.retry_after if isinstance(error, RateLimited) else 0.0
        family = self._snapshot.token_family(account)
        lost = {row.id for row in family if self._vault.readable_token(row) == sent}
        put_off = [row for row in self._put_off(family, state, wait) if row.id in lost]
        await self._end(put_off, attempt, status, str(error))
        return max((row.failures for row in put_off), default=0)

    async def _end(
        self, rows: Sequence[TokenRow], attempt: TokenAttempt, status: TokenRefreshStatus, detail: str
    ) -> None:
        ended = attrs.evolve(attempt, status=status, detail=detail, ended_at=self._clock.now())
        good = AuditResult.SUCCESS if status is TokenRefreshStatus.SUCCEEDED else AuditResult.FAILURE
        changes: list[Change] = [*map(Put, rows), Record(ended)]
        await self._audit.commit(changes, "token.refresh", str(attempt.account_id), result=good)


def _needs_a_person(account: TigerAccount, why: str) -> TokenNeedsReauthorisation:
    return TokenNeedsReauthorisation(
        f"{account.account_name}: {why}; make a new one in the developer portal, then update_tokens"
    )


def _outcome(error: ClientError) -> tuple[TokenState, TokenRefreshStatus]:
    """Say what a failed refresh leaves behind: whatever may have reached the gateway leaves the token in doubt."""
    match error:
        case RateLimited():
            return TokenState.VALID, TokenRefreshStatus.RATE_LIMITED
        case Unauthorized():
            return TokenState.UNCERTAIN, TokenRefreshStatus.REJECTED
        case NotProcessed():
            return TokenState.VALID, TokenRefreshStatus.NOT_SENT
        case OutcomeUnknown():
            return TokenState.UNCERTAIN, TokenRefreshStatus.LOST
        case _:
            return TokenState.VALID, TokenRefreshStatus.REJECTED
