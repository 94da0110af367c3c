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
from tigercore.ports import Put, Record, TigerClient, TokenAttempt, TokenRow
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

    async def refresh(self, account: TigerAccount, trigger: RefreshTrigger, claimed: TokenRow | None) -> None:
        """Refresh a token; `claimed` is its row if this process holds the lease on it already.

        :raises TokenManagerError: there is no new token; the row says where the old one stands.
        """
        row = claimed or self._snapshot.tokens[account.id]
        if row.state is TokenState.NOT_REQUIRED:
            return
        if claimed is None:
            row = await self._settle(account, row)
        token = self._vault.open_token(row)
        if token is None or rules.has_expired(row, self._clock.now()):
            await self._snapshot.commit([Put(rules.settled(row, TokenState.NEEDS_REAUTH))])
            raise TokenNeedsReauthorisation(
                f"{account.account_name}: an expired token cannot be refreshed; make a new one"
            )
        row, attempt = await self._begin(row, trigger)
        try:
            fresh = await self._client.refresh(self._accounts.signer(account), token)
        except ClientError as error:
            await self._lose(account, row, attempt, error)
        else:
            await self._keep(account, row, attempt, fresh)

    async def _settle(self, account: TigerAccount, row: TokenRow) -> TokenRow:
        """Return a row that may be refreshed: one in doubt is looked into first, by asking with the old token."""
        now = self._clock.now()
        if row.state is TokenState.REFRESHING and row.lease_until is not None and row.lease_until > now:
            raise TokenRefreshError(f"{account.account_name}: another process is refreshing this token; wait for it")
        if row.state is TokenState.VALID:
            return row
        token = self._vault.open_token(row)
        alive = token is not None and await self._client.probe(self._accounts.signer(account), token)
        await self._snapshot.commit([Put(rules.settled(row, TokenState.VALID if alive else TokenState.NEEDS_REAUTH))])
        if not alive:
            raise TokenNeedsReauthorisation(f"{account.account_name}: its token is dead; make one in the portal")
        return self._snapshot.tokens[account.id]

    async def _begin(self, row: TokenRow, trigger: RefreshTrigger) -> tuple[TokenRow, TokenAttempt]:
        now = self._clock.now()
        attempt_id = UUID(int=self._rng.getrandbits(128), version=4)
        attempt = TokenAttempt(attempt_id, row.id, trigger, TokenRefreshStatus.STARTED, now)
        lease = now + timedelta(seconds=self._settings.lease)
        held = attrs.evolve(row, state=TokenState.REFRESHING, owner=self._owner, lease_until=lease)
        await self._snapshot.commit([Put(held), Record(attempt)])
        return self._snapshot.tokens[row.id], attempt

    async def _keep(self, account: TigerAccount, row: TokenRow, attempt: TokenAttempt, fresh: Token) -> None:
        """Store a token that was received; nothing around it may interrupt that: the old one is dead."""
        sealed = self._vault.seal_token(account.id, fresh, row.sealing + 1)
        renewed = rules.renewed(row, fresh, sealed, self._clock.now(), self._settings.refresh_at)
        with trio.move_on_after(_SAVE, shield=True) as saving:
            await self._end([Put(renewed)], attempt, TokenRefreshStatus.SUCCEEDED, "")
        if saving.cancelled_caught:
            raise TokenRefreshError(f"{account.account_name}: the new token could not be stored within {_SAVE:.0f} s")
        self._hooks.notify("tigercore_token_refreshed", account=account, expires_at=fresh.expires_at)
        if row.failures:
            self._hooks.notify("tigercore_token_refresh_recovered", account=account)
        await self.reinstate(account)

    async def _lose(self, account: TigerAccount, row: TokenRow, attempt: TokenAttempt, error: ClientError) -> None:
        state, status = _outcome(error)
        wait = error.retry_after if isinstance(error, RateLimited) else 0.0
        put_off = rules.put_off(row, state, self._clock.now(), wait)
        with trio.move_on_after(_SAVE, shield=True):
            await self._end([Put(put_off)], attempt, status, str(error))
        self._hooks.notify(
            "tigercore_token_refresh_failed", account=account, reason=str(error), failures=put_off.failures
        )
        if isinstance(error, RateLimited):
            raise TokenRateLimitError(f"{account.account_name}: {error}", retry_after=error.retry_after) from error
        raise TokenRefreshError(f"{account.account_name}: {error}") from error

    async def _end(
        self, changes: Sequence[Put], attempt: TokenAttempt, status: TokenRefreshStatus, detail: str
    ) -> None:
        ended = attrs.evolve(attempt, status=status, detail=detail, ended_at=self._clock.now())
        good = AuditResult.SUCCESS if status is TokenRefreshStatus.SUCCEEDED else AuditResult.FAILURE
        await self._audit.commit([*changes, Record(ended)], "token.refresh", str(attempt.account_id), result=good)


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
