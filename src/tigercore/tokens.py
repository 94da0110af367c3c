"""TokenManager: keep the tokens of all accounts alive."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import final
from uuid import UUID

import attrs
import trio

from tigercore import _refresh as refresh
from tigercore._background import supervise
from tigercore._plugins import Hooks
from tigercore._refresher import Refresher
from tigercore._snapshot import Snapshot
from tigercore._vault import Vault
from tigercore.accounts import TigerAccountManager
from tigercore.audit import AuditLog
from tigercore.clock import Clock
from tigercore.errors import (
    ClientError,
    StaleVersion,
    StoreUnavailable,
    TokenManagerError,
    TokenNeedsReauthorisation,
    TokenRefreshError,
)
from tigercore.model import (
    RefreshResult,
    RefreshStatistics,
    RefreshTrigger,
    TigerAccount,
    Token,
    TokenRefreshStatus,
    TokenState,
    TokenStatus,
    TokenValidation,
)
from tigercore.ports import AccountStore, Put, TigerClient, TokenAttempt, TokenRow
from tigercore.settings import TokenSettings

_SAVE = 10.0  # seconds that storing a token which was just received may take, whatever is cancelled around it
_LOOK_AGAIN = 3600.0  # seconds after which the scheduler looks again, should nothing have woken it


@final
@attrs.define
class _Flight:
    """One refresh of one account, which any number of callers await."""

    done: trio.Event = attrs.field(factory=trio.Event)
    error: TokenManagerError | None = None


@final
class TokenManager:
    """Refresh tokens one at a time for each account, remember how it went, and hand them out."""

    def __init__(
        self,
        store: AccountStore,
        snapshot: Snapshot,
        vault: Vault,
        audit: AuditLog,
        accounts: TigerAccountManager,
        client: TigerClient,
        hooks: Hooks,
        clock: Clock,
        rng: random.Random,
        nursery: trio.Nursery,
        settings: TokenSettings,
    ) -> None:
        self._store = store
        self._snapshot = snapshot
        self._vault = vault
        self._accounts = accounts
        self._client = client
        self._clock = clock
        self._rng = rng
        self._nursery = nursery
        self._settings = settings
        self._owner = f"{rng.getrandbits(64):016x}"
        self._refresher = Refresher(
            snapshot, vault, audit, accounts, client, hooks, clock, rng, settings, owner=self._owner
        )
        self._flights: dict[str, _Flight] = {}
        self._scheduler: trio.CancelScope | None = None

    # -- hand out ----------------------------------------------------------------------------------------------

    async def token_for(self, account: TigerAccount) -> Token | None:
        """Return the token to send with a call, None if the account needs none. Does not wait for a refresh.

        :raises TokenNeedsReauthorisation: the token is dead; only a person can make a new one.
        :raises TokenManagerError: it is in doubt, and looking into it failed.
        """
        row = self._snapshot.tokens[account.id]
        if row.state is TokenState.UNCERTAIN:
            await self._share(account, self._refresher.settle, account)
            row = self._snapshot.tokens[account.id]
        if row.state in (TokenState.NEEDS_REAUTH, TokenState.DISABLED) or refresh.has_expired(row, self._clock.now()):
            raise TokenNeedsReauthorisation(
                f"{account.account_name} has no living token: make one in the developer portal, then update_tokens"
            )
        return self._vault.open_token(row)

    async def distrust(self, account: TigerAccount, refused: Token | None) -> None:
        """Take note that the gateway refused this token; unless a newer one is here already, it is in doubt now."""
        await self._snapshot.reload(account.id)
        row = self._snapshot.tokens[account.id]
        if row.state is TokenState.VALID and self._vault.open_token(row) == refused:
            await self._snapshot.commit([Put(refresh.settled(row, TokenState.UNCERTAIN))])

    async def get_token_status(self, account: TigerAccount) -> TokenStatus:
        """Return where the token of an account stands."""
        await trio.lowlevel.checkpoint()
        return _status(self._snapshot.tokens[account.id])

    async def validate_token(self, account: TigerAccount) -> TokenValidation:
        """Ask the gateway whether it takes the account's key and token now."""
        try:
            token = await self.token_for(account)
            alive = await self._client.probe(self._accounts.signer(account), token)
        except (TokenManagerError, ClientError) as error:
            return TokenValidation(False, str(error))
        if not alive:
            await self.distrust(account, token)
            return TokenValidation(False, "the gateway refused the key or the token of this account")
        await self._refresher.reinstate(account)
        return TokenValidation(True)

    # -- refresh -----------------------------------------------------------------------------------------------

    async def refresh_token(
        self, account: TigerAccount, *, trigger: RefreshTrigger = RefreshTrigger.MANUAL
    ) -> RefreshResult:
        """Get a new token, or join a refresh that is under way. An account that needs no token is a success."""
        try:
            await self._share(account, self._refresher.refresh, account, trigger)
        except TokenManagerError as error:
            return RefreshResult(False, str(error))
        return RefreshResult(True)

    async def refresh_expired_tokens(self) -> dict[UUID, RefreshResult]:
        """Refresh every token that is due, a few at a time; return how each went."""
        results: dict[UUID, RefreshResult] = {}
        limit = trio.CapacityLimiter(self._settings.parallel)

        async def one(account: TigerAccount) -> None:
            async with limit:
                if not refresh.is_due(self._snapshot.tokens[account.id], self._clock.now()):
                    results[account.id] = RefreshResult(True)  # an account of the same developer was first
                    return
                results[account.id] = await self.refresh_token(account, trigger=RefreshTrigger.EXPIRY_SOON)

        async with trio.open_nursery() as nursery:
            for account in await self._accounts.get_accounts_needing_token_refresh():
                nursery.start_soon(one, account)
        return results

    async def schedule_token_refresh(self, account: TigerAccount, at: datetime | None = None) -> TokenStatus:
        """Set when the token is due, by default at its share of life; it is stored, and survives a restart.

        :raises TokenManagerError: the account has no token to refresh.
        """
        row = self._snapshot.tokens[account.id]
        token = self._vault.open_token(row)
        if token is None or row.state is not TokenState.VALID:
            raise TokenRefreshError(f"{account.account_name}: its token is {row.state}, there is nothing to schedule")
        due = at or refresh.due_at(row.id, token, self._clock.now(), self._settings.refresh_at)
        await self._snapshot.commit([Put(attrs.evolve(row, next_at=due))])
        return _status(self._snapshot.tokens[account.id])

    async def _share(self, account: TigerAccount, work: Callable[..., Awaitable[object]], *args: object) -> None:
        """Wait for the one work on a developer's token that is under way; start this one if there is none."""
        key = account.developer or str(account.id)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            self._nursery.start_soon(self._fly, key, flight, account, work, *args)
        await flight.done.wait()
        if flight.error is not None:
            raise flight.error

    async def _fly(
        self, key: str, flight: _Flight, account: TigerAccount, work: Callable[..., Awaitable[object]], *args: object
    ) -> None:
        """Do the work apart from its callers, so that one who gives up takes nothing from the others."""
        flight.error = TokenRefreshError(f"{account.account_name}: the work on its token was interrupted")
        try:
            await work(*args)
            flight.error = None
        except TokenManagerError as error:
            flight.error = error
        except (ClientError, StaleVersion, StoreUnavailable) as error:
            flight.error = TokenRefreshError(f"{account.account_name}: {error}")
        finally:
            del self._flights[key]
            flight.done.set()

    # -- history -----------------------------------------------------------------------------------------------

    async def get_token_status_history(self, account: TigerAccount, limit: int = 100) -> list[TokenAttempt]:
        """Return the attempts to refresh an account's token, newest first."""
        return await self._store.token_attempts(account.id, limit=limit)

    async def get_refresh_statistics(self, days: int = 30, account: TigerAccount | None = None) -> RefreshStatistics:
        """Sum up the attempts of the last days, of one account or all."""
        since = self._clock.now() - timedelta(days=days)
        attempts = await self._store.token_attempts(account and account.id, since=since, limit=1_000_000)
        statuses = Counter(attempt.status for attempt in attempts)
        ended = sum(statuses.values()) - statuses[TokenRefreshStatus.STARTED]
        rate = statuses[TokenRefreshStatus.SUCCEEDED] / ended if ended else None
        return RefreshStatistics(len(attempts), statuses, Counter(a.trigger for a in attempts), rate)

    # -- schedule ----------------------------------------------------------------------------------------------

    async def start_background_refresh_scheduler(self) -> None:
        """Refresh tokens as they fall due, until `stop_background_tasks`; starting twice changes nothing."""
        if self._scheduler is None:
            await self._nursery.start(self._run)

    async def stop_background_tasks(self) -> None:
        """Stop the scheduler; a refresh that is under way ends by itself."""
        await trio.lowlevel.checkpoint()
        if self._scheduler is not None:
            self._scheduler.cancel()
            self._scheduler = None

    async def _run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with trio.CancelScope() as self._scheduler:
            task_status.started()
            await supervise(self._keep_refreshing, self._rng, StoreUnavailable)

    async def _keep_refreshing(self) -> None:
        while True:
            await self._refresh_due()
            with trio.move_on_after(self._seconds_to_next()):
                await self._snapshot.changed()

    async def _refresh_due(self) -> None:
        while claimed := await self._store.claim_due_tokens(self._owner, self._settings.lease, self._settings.parallel):
            async with trio.open_nursery() as nursery:
                for row in claimed:
                    nursery.start_soon(self._refresh_claimed, row)

    async def _refresh_claimed(self, row: TokenRow) -> None:
        await self._snapshot.reload(row.id)
        account = self._snapshot.rows[row.id].account
        with suppress(TokenManagerError):  # recorded as an attempt, told to the hooks, and put off: nobody waits here
            await self._share(account, self._refresher.refresh, account, RefreshTrigger.SCHEDULED, True)

    def _seconds_to_next(self) -> float:
        rows = self._snapshot.tokens.values()
        due = [row.next_at for row in rows if row.state is TokenState.VALID and row.next_at is not None]
        if not due:
            return _LOOK_AGAIN
        return min(max((min(due) - self._clock.now()).total_seconds(), 1.0), _LOOK_AGAIN)


def _status(row: TokenRow) -> TokenStatus:
    return TokenStatus(row.id, row.state, row.issued_at, row.expires_at, row.next_at, row.failures)
