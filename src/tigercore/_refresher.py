"""One refresh of one token: lease, ask once, store. Nothing here is tried again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
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
    NotProcessed,
    OutcomeUnknown,
    RateLimited,
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
        if self._snapshot.rows[account.id].account.error_count:
            await self._accounts.reset_error_count(account.id)

    async def refresh(self, account: TigerAccount, trigger: RefreshTrigger, claimed: bool = False) -> None:
        """Get a new token for the developer of an account; `claimed` says that this process has just claimed its row.

        :raises TokenManagerError: there is no new token; the row says where the old one stands.
        """
        if self._snapshot.tokens[account.id].state is TokenState.NOT_REQUIRED:
            return
        family = await self.settle(account, claimed)
        newest = rules.newest(family)
        token = newest and self._vault.open_token(newest)
        if newest is None or token is None or rules.has_expired(newest, self._clock.now()):
            await self._put([rules.settled(row, TokenState.NEEDS_REAUTH) for row in family])
            raise _needs_a_person(account, "an expired token cannot be refreshed")
        attempt = await self._begin(account, family, trigger)
        try:
            fresh = await self._client.refresh(self._accounts.signer(account), token)
        except ClientError as error:
            await self._lose(account, attempt, error)
        else:
            await self._keep(account, attempt, fresh)

    async def settle(self, account: TigerAccount, claimed: bool = False) -> list[TokenRow]:
        """Return rows that may be refreshed; a token in doubt is looked into first, by asking with the newest.

        :raises TokenManagerError: another process holds the lease, or the token is dead.
        """
        family = self._snapshot.token_family(account)
        if any(self._is_held_elsewhere(row) for row in family):
            raise TokenRefreshError(f"{account.account_name}: another process is refreshing this token; wait for it")
        if all(row.state is TokenState.VALID or (claimed and self._is_mine(row)) for row in family):
            return family
        newest = rules.newest(family)
        token = newest and self._vault.open_token(newest)
        alive = token is not None and await self._client.probe(self._accounts.signer(account), token)
        if token is None or not alive:
            await self._put([rules.settled(row, TokenState.NEEDS_REAUTH) for row in family])
            raise _needs_a_person(account, "its token is dead")
        await self._put([self._alive(row, token) for row in family])
        return self._snapshot.token_family(account)

    def _is_mine(self, row: TokenRow) -> bool:
        return row.state is TokenState.REFRESHING and row.owner == self._owner

    def _is_held_elsewhere(self, row: TokenRow) -> bool:
        if row.state is not TokenState.REFRESHING or row.owner == self._owner:
            return False
        return row.lease_until is not None and row.lease_until > self._clock.now()

    def _alive(self, row: TokenRow, token: Token) -> TokenRow:
        return (
            rules.settled(row, TokenState.VALID) if self._vault.open_token(row) == token else self._renewed(row, token)
        )

    def _renewed(self, row: TokenRow, token: Token) -> TokenRow:
        sealed = self._vault.seal_token(row.id, token, row.sealing + 1)
        return rules.renewed(row, token, sealed, self._clock.now(), self._settings.refresh_at)

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
        """Store a token that was received; nothing around it may interrupt that: the old one is dead."""
        family = self._snapshot.token_family(account)
        with trio.move_on_after(_SAVE, shield=True) as saving:
            renewed = [self._renewed(row, fresh) for row in family]
            await self._end(renewed, attempt, TokenRefreshStatus.SUCCEEDED, "")
        if saving.cancelled_caught:
            raise TokenRefreshError(f"{account.account_name}: the new token could not be stored within {_SAVE:.0f} s")
        self._hooks.notify("tigercore_token_refreshed", account=account, expires_at=fresh.expires_at)
        if any(row.failures for row in family):
            self._hooks.notify("tigercore_token_refresh_recovered", account=account)
        await self.reinstate(account)

    async def _lose(self, account: TigerAccount, attempt: TokenAttempt, error: ClientError) -> None:
        state, status = _outcome(error)
        wait, now = error.retry_after if isinstance(error, RateLimited) else 0.0, self._clock.now()
        family = [rules.put_off(row, state, now, wait) for row in self._snapshot.token_family(account)]
        with trio.move_on_after(_SAVE, shield=True):
            await self._end(family, attempt, status, str(error))
        failures = max((row.failures for row in family), default=0)
        self._hooks.notify("tigercore_token_refresh_failed", account=account, reason=str(error), failures=failures)
        if isinstance(error, RateLimited):
            raise TokenRateLimitError(f"{account.account_name}: {error}", retry_after=error.retry_after) from error
        raise TokenRefreshError(f"{account.account_name}: {error}") from error

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
