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
    AccountNotFoundError,
    ClientError,
    KeyUnavailable,
    PortError,
    SigningFrozen,
    TigerCoreError,
    TokenManagerError,
    TokenNeedsReauthorisation,
    TokenRefreshError,
    TokenValidationError,
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

_LOOK_AGAIN = 3600.0  # seconds after which the scheduler looks again, should nothing have woken it


@final
@attrs.define
class _Flight:
    """One work on a developer's token, which any number of callers await."""

    name: str
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
        row, now = self._snapshot.token(account.id), self._clock.now()
        if refresh.is_in_doubt(row, now) and not self._is_too_early(account, now):
            await self._share(account, "settle", self._refresher.settle, account)
            row = self._snapshot.token(account.id)
        if row.state in (TokenState.NEEDS_REAUTH, TokenState.DISABLED) or refresh.has_expired(row, now):
            raise TokenNeedsReauthorisation(
                f"{account.account_name} has no living token: make one in the developer portal, then update_tokens"
            )
        try:
            return self._vault.open_token(row)
        except PortError as error:
            raise TokenValidationError(f"the token of {account.account_name} cannot be opened: {error}") from error

    def _is_too_early(self, account: TigerAccount, now: datetime) -> bool:
        return refresh.is_too_early(self._snapshot.token_family(account), now)

    async def distrust(self, account: TigerAccount, refused: Token | None) -> None:
        """Take note that the gateway refused this token; unless a newer one is here already, it is in doubt now."""
        await self._snapshot.load()
        family, now = self._snapshot.token_family(account), self._clock.now()
        held = [row for row in family if row.state is TokenState.VALID and self._vault.readable_token(row) == refused]
        leader = refresh.leader(family)
        doubts = [refresh.settled(row, TokenState.UNCERTAIN, now if row.id == leader else None) for row in held]
        if doubts:
            await self._snapshot.commit([Put(row) for row in doubts])

    async def get_token_status(self, account: TigerAccount) -> TokenStatus:
        """Return where the token of an account stands."""
        await trio.lowlevel.checkpoint()
        return self._status(account)

    async def validate_token(self, account: TigerAccount) -> TokenValidation:
        """Ask the gateway whether it takes the account's key and token now."""
        try:
            token = await self.token_for(account)
            alive = await self._client.probe(self._accounts.signer(account), token)
        except (TokenManagerError, ClientError, SigningFrozen) as error:
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
            await self._share(account, "refresh", self._refresher.refresh, account, trigger)
        except TokenManagerError as error:
            return RefreshResult(False, str(error))
        return RefreshResult(True)

    async def refresh_expired_tokens(self) -> dict[UUID, RefreshResult]:
        """Refresh every token that is due, a few at a time; return how each went."""
        results: dict[UUID, RefreshResult] = {}
        limit = trio.CapacityLimiter(self._settings.parallel)

        async def one(account: TigerAccount) -> None:
            async with limit:
                if not any(refresh.is_due(r, self._clock.now()) for r in self._snapshot.token_family(account)):
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
        family = self._snapshot.token_family(account)
        newest = refresh.newest(family)
        token = newest and self._vault.open_token(newest)
        if newest is None or token is None or newest.state is not TokenState.VALID:
            state = self._snapshot.token(account.id).state
            raise TokenRefreshError(f"{account.account_name}: its token is {state}, there is nothing to schedule")
        leads = next(row for row in family if row.id == refresh.leader(family))
        due = at or refresh.due_at(leads.id, token, self._clock.now(), self._settings.refresh_at)
        await self._snapshot.commit([Put(attrs.evolve(leads, next_at=due))])
        return self._status(account)

    def _status(self, account: TigerAccount) -> TokenStatus:
        row, due = self._snapshot.token(account.id), refresh.next_at(self._snapshot.token_family(account))
        return TokenStatus(row.id, row.state, row.issued_at, row.expires_at, due, row.failures)

    async def _share(
        self, account: TigerAccount, name: str, work: Callable[..., Awaitable[object]], *args: object
    ) -> None:
        """Wait for this work on a developer's token if it is under way, else start it once no other is."""
        key = account.developer or str(account.id)
        while (flight := self._flights.get(key)) is not None and flight.name != name:
            await flight.done.wait()
        if flight is None:
            flight = self._flights[key] = _Flight(name)
            try:
                self._nursery.start_soon(self._fly, key, flight, account, work, *args)
            except RuntimeError:  # the nursery takes nothing more
                del self._flights[key]
                raise TokenRefreshError(f"{account.account_name}: tigercore is closing") from None
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
        except TigerCoreError as error:
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
        await trio.lowlevel.checkpoint()
        if self._scheduler is None:
            self._scheduler = trio.CancelScope()
            self._nursery.start_soon(self._run, self._scheduler)

    async def stop_background_tasks(self) -> None:
        """Stop the scheduler; a refresh that is under way ends by itself."""
        await trio.lowlevel.checkpoint()
        if self._scheduler is not None:
            self._scheduler.cancel()
            self._scheduler = None

    async def _run(self, scope: trio.CancelScope) -> None:
        with scope:
            await supervise(self._keep_refreshing, self._rng, PortError)

    async def _keep_refreshing(self) -> None:
        while True:
            if self._vault.is_frozen:  # whatever it is that is due, nobody could sign for it
                await self._snapshot.changed()
                continue
            await self._end_doubts()
            await self._refresh_due()
            with trio.move_on_after(self._seconds_to_next()):
                await self._snapshot.changed()

    async def _end_doubts(self) -> None:
        """Look into tokens that a crash or a lost reply has left in doubt."""
        now = self._clock.now()
        for row in [row for row in self._snapshot.tokens.values() if refresh.is_in_doubt(row, now)]:
            with suppress(
                TokenManagerError, AccountNotFoundError, KeyUnavailable
            ):  # the row says so; who needs the token will hear
                account = self._snapshot.row(row.id).account
                if not self._is_too_early(account, now):
                    await self._share(account, "settle", self._refresher.settle, account)

    async def _refresh_due(self) -> None:
        while claimed := await self._store.claim_due_tokens(self._owner, self._settings.lease, self._settings.parallel):
            async with trio.open_nursery() as nursery:
                for row in claimed:
                    nursery.start_soon(self._refresh_claimed, row)

    async def _refresh_claimed(self, row: TokenRow) -> None:
        with suppress(
            TokenManagerError, AccountNotFoundError, KeyUnavailable
        ):  # recorded, told to the hooks, put off: nobody waits
            await self._snapshot.load()
            account = self._snapshot.row(row.id).account
            await self._share(account, "refresh", self._refresher.refresh, account, RefreshTrigger.SCHEDULED, True)

    def _seconds_to_next(self) -> float:
        """Return how long nothing can fall due, unless a row changes."""
        moments = [moment for row in self._snapshot.tokens.values() if (moment := refresh.look_at(row)) is not None]
        if not moments:
            return _LOOK_AGAIN
        return min(max((min(moments) - self._clock.now()).total_seconds(), 1.0), _LOOK_AGAIN)
