"""TokenManager: keep the tokens of all accounts alive."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import final
from uuid import UUID

import attrs
import trio

from tigercore import _refresh as rules
from tigercore._duetimes import DueTimes
from tigercore._exchange import needs_a_person
from tigercore._flights import Flights
from tigercore._gate import Gate
from tigercore._gatewayclock import GatewayClock
from tigercore._refresh import Step
from tigercore._refresher import Refresher
from tigercore._scheduler import Scheduler
from tigercore._snapshot import Snapshot
from tigercore._vault import Vault
from tigercore.accounts import TigerAccountManager
from tigercore.clock import Clock
from tigercore.errors import (
    ClientError,
    PortError,
    SigningFrozen,
    StaleVersion,
    TokenManagerError,
    TokenRateLimitError,
    TokenRefreshError,
    TokenValidationError,
)
from tigercore.model import (
    Authentication,
    RefreshResult,
    RefreshStatistics,
    RefreshTrigger,
    SchedulerStatus,
    TigerAccount,
    Token,
    TokenRefreshStatus,
    TokenState,
    TokenStatus,
    TokenValidation,
)
from tigercore.ports import AccountStore, Put, TigerClient, TokenAttempt, TokenRow
from tigercore.settings import TokenSettings

Progress = Callable[[int, int], None]
"""Told how many tokens are done, and of how many."""
_TRIES = 5


def _silent(done: int, total: int) -> None:
    """Show nothing."""


@final
class TokenManager:
    """Refresh tokens one at a time for each developer, remember how it went, and hand them out."""

    def __init__(
        self,
        store: AccountStore,
        snapshot: Snapshot,
        vault: Vault,
        accounts: TigerAccountManager,
        client: TigerClient,
        refresher: Refresher,
        scheduler: Scheduler,
        flights: Flights,
        gate: Gate,
        gateway: GatewayClock,
        due: DueTimes,
        clock: Clock,
        nursery: trio.Nursery,
        settings: TokenSettings,
    ) -> None:
        self._store = store
        self._snapshot = snapshot
        self._vault = vault
        self._accounts = accounts
        self._client = client
        self._refresher = refresher
        self._scheduler = scheduler
        self._flights = flights
        self._gate = gate
        self._gateway = gateway
        self._due = due
        self._clock = clock
        self._nursery = nursery
        self._settings = settings
        self._running: trio.CancelScope | None = None

    # -- hand out ----------------------------------------------------------------------------------------------

    async def token_for(self, account: TigerAccount) -> Token | None:
        """Return the token to send with a call, None if the account needs none. A token that lives is not waited for.

        :raises TokenNeedsReauthorisation: the token is dead; only a person can make a new one.
        :raises TokenManagerError: it is in doubt, and looking into it failed.
        """
        row = self._snapshot.token(account.id)
        if row.state is TokenState.NOT_REQUIRED:
            return None
        ends = row.expires_at
        if row.state is not TokenState.VALID or (ends is not None and ends <= self._gateway.now()):
            row = await self._looked_into(account, row)
        elif account.authentication is Authentication.OAUTH2 and rules.is_last_call(row, self._gateway.now()):
            if not self._is_put_off(account):
                with suppress(TokenManagerError):  # the one that is there lives for a little longer
                    await self._refresh(account, RefreshTrigger.ON_DEMAND)
            row = self._snapshot.token(account.id)
        return self._opened(account, row)

    def standing_token(self, account: TigerAccount) -> Token | None:
        """Return the token as it stands, for a call that is `writing`: what looks into a token would wait for it.

        :raises TokenNeedsReauthorisation: the token has died since `token_for`.
        """
        row = self._snapshot.token(account.id)
        if row.state in (TokenState.NEEDS_REAUTH, TokenState.DISABLED) or self.has_ended(account):
            raise needs_a_person(account, "it has no living token")
        return None if row.state is TokenState.NOT_REQUIRED else self._opened(account, row)

    def _opened(self, account: TigerAccount, row: TokenRow) -> Token | None:
        try:
            return self._vault.open_token(row)
        except PortError as error:
            raise TokenValidationError(f"the token of {account.account_name} cannot be opened: {error}") from error

    def _is_put_off(self, account: TigerAccount) -> bool:
        """Say whether the last try failed, and the next has its time: rows tell both, and no store is asked."""
        family = self._snapshot.token_family(account)
        due = rules.next_at(family)
        return rules.has_failed(family) and due is not None and due > self._snapshot.now()

    async def _looked_into(self, account: TigerAccount, row: TokenRow) -> TokenRow:
        """Return the row of a token that can be sent, after whatever has to be done for that. Errors as `token_for`."""
        at = self._snapshot.now()
        if rules.is_in_doubt(row, at) and not rules.is_settling(self._snapshot.token_family(account), at):
            await self._flights.share(account, "settle", partial(self._refresher.settle, account))
        elif row.state in (TokenState.VALID, TokenState.REFRESHING) and rules.has_expired(row, self._gateway.now()):
            await self._revived(account)
        row = self._snapshot.token(account.id)
        if row.state in (TokenState.NEEDS_REAUTH, TokenState.DISABLED):
            raise needs_a_person(account, "it has no living token")
        return row

    def has_ended(self, account: TigerAccount) -> bool:
        """Say whether the token of an account is over for good, as far as that may be judged here."""
        row = self._snapshot.token(account.id)
        if account.authentication is Authentication.OAUTH2 or not rules.has_expired(row, self._gateway.now()):
            return False
        return self._gateway.may_judge

    async def _revived(self, account: TigerAccount) -> None:
        """Do what can be done about a token that seems to have expired."""
        if account.authentication is Authentication.OAUTH2:
            await self._refresh_on_demand(account, RefreshTrigger.EXPIRED)
        elif self._gateway.may_judge:
            raise needs_a_person(account, "its token has expired")
        elif self._may_look(account):  # else it is for others to tell
            await self._flights.share(account, "look", partial(self._refresher.look_into, account))

    def _may_look(self, account: TigerAccount) -> bool:
        """Say whether nobody refreshes the token of an account, or has reason to doubt it."""
        return rules.next_step(self._snapshot.token_family(account), self._snapshot.now()) is Step.REFRESH

    def writing(self, account: TigerAccount) -> AbstractAsyncContextManager[None]:
        """Keep the token of an account as it is for the time of a call that writes; wait while it is refreshed."""
        return self._gate.passed(account.developer)

    async def distrust(self, account: TigerAccount, refused: Token | None) -> bool:
        """Take note that the gateway refused this token; unless a newer one is here already, it is in doubt now.

        Return whether the refusal says anything of the account: its token counted as living, or it has none.
        """
        await self._snapshot.load()
        family = self._snapshot.token_family(account)
        valid = (row for row in family if row.state is TokenState.VALID)
        held = {row.id for row in valid if self._vault.readable_token(row) == refused}
        doubts = rules.released(family, TokenState.UNCERTAIN, self._snapshot.now())
        if held:
            await self._snapshot.commit([Put(row) for row in doubts if row.id in held])
        return bool(held) or refused is None

    async def bury(self, account: TigerAccount) -> None:
        """Take note that a person took the consent of an account back: only a person can give another.

        :raises StaleVersion: others write it again and again.
        """
        for left in reversed(range(_TRIES)):
            await self._snapshot.load()
            try:
                return await self._snapshot.commit(
                    [Put(attrs.evolve(row, sealed=None)) for row in rules.dead(self._snapshot.token_family(account))]
                )
            except StaleVersion:
                if not left:
                    raise

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
        if self._snapshot.row(account.id).account.error_count:
            await self._accounts.reset_error_count(account.id)
        return TokenValidation(True)

    # -- refresh -----------------------------------------------------------------------------------------------

    async def refresh_token(
        self, account: TigerAccount, *, trigger: RefreshTrigger = RefreshTrigger.MANUAL
    ) -> RefreshResult:
        """Get a new token, or join a refresh that is under way. An account that needs no token is a success."""
        try:
            await self._refresh_on_demand(account, trigger)
        except TokenManagerError as error:
            return RefreshResult(False, str(error))
        return RefreshResult(True)

    async def refresh_expired_tokens(self, *, progress: Progress = _silent) -> dict[UUID, RefreshResult]:
        """Refresh every token that is due, a few at a time; return how each went."""
        results: dict[UUID, RefreshResult] = {}
        limit = trio.CapacityLimiter(self._settings.parallel)
        accounts = await self._accounts.get_accounts_needing_token_refresh()
        progress(0, len(accounts))

        async def one(account: TigerAccount) -> None:
            async with limit:
                family, result = self._snapshot.token_family(account), RefreshResult(True)
                now = self._snapshot.now()
                if any(rules.is_due(row, now) or rules.is_in_doubt(row, now) for row in family):  # no sibling was first
                    result = await self.refresh_token(account, trigger=RefreshTrigger.EXPIRY_SOON)
                results[account.id] = result
                progress(len(results), len(accounts))

        async with trio.open_nursery() as nursery:
            for account in accounts:
                nursery.start_soon(one, account)
        return results

    async def schedule_token_refresh(self, account: TigerAccount, at: datetime | None = None) -> TokenStatus:
        """Set when the token is due, by default at its share of life; it is stored, and survives a restart.

        :raises TokenManagerError: the account has no token to refresh.
        """
        family = self._snapshot.token_family(account)
        newest = rules.newest(family)
        token = newest and self._vault.open_token(newest)
        if newest is None or token is None or newest.state is not TokenState.VALID:
            state = self._snapshot.token(account.id).state
            raise TokenRefreshError(f"{account.account_name}: its token is {state}, there is nothing to schedule")
        if at is None:
            due = self._due.of(rules.leader(family) or account.id, token, account.license)
        else:
            due = self._snapshot.now() + (at - self._clock.now())
            if token.expires_at is not None:
                due = min(due, self._due.in_store_time(token.expires_at - rules.last_part(newest)))
        await self._snapshot.commit([Put(row) for row in rules.released(family, TokenState.VALID, due)])
        return self._status(account)

    async def get_token_status(self, account: TigerAccount) -> TokenStatus:
        """Return where the token of an account stands."""
        await trio.lowlevel.checkpoint()
        return self._status(account)

    def _status(self, account: TigerAccount) -> TokenStatus:
        row, due = self._snapshot.token(account.id), rules.next_at(self._snapshot.token_family(account))
        return TokenStatus(row.id, row.state, row.issued_at, row.expires_at, due, row.failures)

    async def _refresh_on_demand(self, account: TigerAccount, trigger: RefreshTrigger) -> None:
        await self._require_patience(account)
        await self._refresh(account, trigger)

    async def _refresh(self, account: TigerAccount, trigger: RefreshTrigger) -> None:
        await self._flights.share(account, "refresh", partial(self._refresher.refresh, account, trigger))

    async def _require_patience(self, account: TigerAccount) -> None:
        """Pass unless the gateway has said, to whatever process, that this developer asks too often.

        :raises TokenRateLimitError: it has, and that is not over.
        """
        family = self._snapshot.token_family(account)
        due, leader = rules.next_at(family), rules.leader(family)
        left = (due - self._snapshot.now()).total_seconds() if due else 0.0
        if leader is None or left <= 0 or not rules.has_failed(family):
            return
        last = await self._store.token_attempts(leader, limit=1)
        if last and last[0].status is TokenRefreshStatus.RATE_LIMITED:
            told = f"{account.account_name}: the gateway takes no refresh for another {left:.0f} s"
            raise TokenRateLimitError(told, retry_after=left)

    # -- history -----------------------------------------------------------------------------------------------

    async def get_token_status_history(
        self, account: TigerAccount, limit: int = 100, *, before: UUID | None = None
    ) -> list[TokenAttempt]:
        """Return attempts to refresh the token of an account's developer, newest first.

        The id of the last one, as `before`, gives the next page.
        """
        leader = rules.leader(self._snapshot.token_family(account)) or account.id
        return await self._store.token_attempts(leader, before=before, limit=limit)

    async def get_refresh_statistics(self, days: int = 30, account: TigerAccount | None = None) -> RefreshStatistics:
        """Sum up the attempts of the last days, of one account's developer or all; the store does the counting."""
        family = self._snapshot.token_family(account) if account else []
        chosen = account and (rules.leader(family) or account.id)
        found = await self._store.attempt_statistics(chosen, since=self._clock.now() - timedelta(days=days))
        ended = found.attempts - found.by_status.get(TokenRefreshStatus.STARTED, 0)
        rate = found.by_status.get(TokenRefreshStatus.SUCCEEDED, 0) / ended if ended else None
        return RefreshStatistics(
            found.attempts, found.by_status, found.by_trigger, rate, found.p50, found.p99, found.causes
        )

    # -- schedule ----------------------------------------------------------------------------------------------

    async def start_background_refresh_scheduler(self) -> None:
        """Refresh tokens as they fall due, until `stop_background_tasks`; starting twice changes nothing."""
        await trio.lowlevel.checkpoint()
        if self._running is None:
            self._running = trio.CancelScope()
            self._nursery.start_soon(self._run, self._running)

    async def stop_background_tasks(self) -> None:
        """Stop the scheduler; a refresh that is under way ends by itself."""
        await trio.lowlevel.checkpoint()
        if self._running is not None:
            self._running.cancel()
            self._running = None

    def scheduler_status(self) -> SchedulerStatus:
        """Return whether the scheduler of this process lives, and how late it is."""
        return self._scheduler.status()

    async def _run(self, scope: trio.CancelScope) -> None:
        with scope:
            await self._scheduler.run()
