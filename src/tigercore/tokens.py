"""TokenManager: keep the tokens of all accounts alive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime, timedelta
from typing import final
from uuid import UUID

import trio

from tigercore import _refresh as rules
from tigercore._duetimes import DueTimes
from tigercore._gate import Gate
from tigercore._scheduler import Scheduler
from tigercore._snapshot import Snapshot
from tigercore._tokensource import TokenSource
from tigercore._vault import Vault
from tigercore.accounts import TigerAccountManager
from tigercore.clock import Clock
from tigercore.errors import (
    ClientError,
    PortError,
    SigningFrozen,
    StaleVersion,
    TokenManagerError,
    TokenRefreshError,
)
from tigercore.model import (
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
        source: TokenSource,
        scheduler: Scheduler,
        gate: Gate,
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
        self._source = source
        self._scheduler = scheduler
        self._gate = gate
        self._due = due
        self._clock = clock
        self._nursery = nursery
        self._settings = settings
        self._running: trio.CancelScope | None = None
        self._turn = trio.Lock()

    # -- hand out ----------------------------------------------------------------------------------------------

    async def token_for(self, account: TigerAccount) -> Token | None:
        """Return the token to send with a call, None if the account needs none. A token that lives is not waited for.

        :raises TokenNeedsReauthorisation: the token is dead; only a person can make a new one.
        :raises TokenManagerError: it is in doubt, and looking into it failed.
        """
        return await self._source.token_for(account)

    def standing_token(self, account: TigerAccount) -> Token | None:
        """Return the token as it stands, for a call that is `writing`: what looks into a token would wait for it.

        :raises TokenNeedsReauthorisation: the token is dead.
        """
        return self._source.standing_token(account)

    async def grant_of_now(self, account: TigerAccount) -> Token | None:
        """Return the grant of an account as the store has it, whatever its age, for the one who ends it.

        :raises TokenRefreshError: a process is about to get another in its place.
        :raises TokenManagerError: it has none, or it cannot be opened.
        """
        await self._snapshot.load()
        now = self._snapshot.now()
        if any(rules.is_leased(row, now) for row in self._snapshot.token_family(account)):
            raise TokenRefreshError(f"{account.account_name}: its grant is being refreshed; try again in a minute")
        return self._source.standing_token(account)

    def has_ended(self, account: TigerAccount) -> bool:
        """Say whether the token of an account is over for good, as far as that may be judged here."""
        return self._source.has_ended(account)

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

        :raises TokenManagerError: others write it again and again.
        """
        await self._rewrite(account, rules.buried)

    async def validate_token(self, account: TigerAccount) -> TokenValidation:
        """Ask the gateway whether it takes the account's key and token now."""
        try:
            token = await self.token_for(account)
            alive = await self._client.probe(self._accounts.signer(account), token)
            return await self._validated(account, token, alive=alive)
        except (TokenManagerError, ClientError, PortError, SigningFrozen) as error:
            return TokenValidation(False, str(error))

    async def _validated(self, account: TigerAccount, token: Token | None, *, alive: bool) -> TokenValidation:
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
            await self._source.refresh(account, trigger)
        except (TokenManagerError, PortError) as error:
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
        moment = at and self._snapshot.now() + (at - self._clock.now())
        await self._rewrite(account, lambda family: self._scheduled(account, family, moment))
        return self._status(account)

    def _scheduled(self, account: TigerAccount, family: Sequence[TokenRow], moment: datetime | None) -> list[TokenRow]:
        newest = rules.newest(family)
        token = newest and self._vault.open_token(newest)
        if newest is None or token is None or newest.state is not TokenState.VALID:
            state = self._snapshot.token(account.id).state
            raise TokenRefreshError(f"{account.account_name}: its token is {state}, there is nothing to schedule")
        due = moment
        if moment is None:
            due = self._due.of(rules.leader(family) or account.id, token, account.license)
        elif token.expires_at is not None:
            due = min(moment, self._due.in_store_time(token.expires_at - rules.last_part(newest)))
        return rules.released(family, TokenState.VALID, due)

    async def _rewrite(self, account: TigerAccount, change: Callable[[Sequence[TokenRow]], list[TokenRow]]) -> None:
        """Write what a change makes of a developer's rows, all that there are, as often as others are faster.

        :raises TokenRefreshError: they are so again and again.
        """
        for _ in range(_TRIES):
            await self._snapshot.load()
            with suppress(StaleVersion):
                return await self._snapshot.commit([Put(row) for row in change(self._snapshot.token_family(account))])
        raise TokenRefreshError(f"{account.account_name}: its token is being changed by others all the time; try again")

    async def get_token_status(self, account: TigerAccount) -> TokenStatus:
        """Return where the token of an account stands."""
        await trio.lowlevel.checkpoint()
        return self._status(account)

    def _status(self, account: TigerAccount) -> TokenStatus:
        row, due = self._snapshot.token(account.id), rules.next_at(self._snapshot.token_family(account))
        return TokenStatus(row.id, row.state, row.issued_at, row.expires_at, due, row.failures)

    # -- history -----------------------------------------------------------------------------------------------

    async def get_token_status_history(
        self, account: TigerAccount, limit: int = 100, *, before: UUID | None = None
    ) -> list[TokenAttempt]:
        """Return attempts to refresh the token of an account's developer, newest first.

        The id of the last one, as `before`, gives the next page.
        """
        return await self._store.token_attempts(self._siblings(account), before=before, limit=limit)

    async def get_refresh_statistics(self, days: int = 30, account: TigerAccount | None = None) -> RefreshStatistics:
        """Sum up the attempts of the last days, of one account's developer or all; the store does the counting."""
        since, chosen = self._clock.now() - timedelta(days=days), account and self._siblings(account)
        found = await self._store.attempt_statistics(chosen, since=since)
        ended = found.attempts - found.by_status.get(TokenRefreshStatus.STARTED, 0)
        rate = found.by_status.get(TokenRefreshStatus.SUCCEEDED, 0) / ended if ended else None
        return RefreshStatistics(
            found.attempts, found.by_status, found.by_trigger, rate, found.p50, found.p99, found.causes
        )

    def _siblings(self, account: TigerAccount) -> set[UUID]:
        """Return the accounts of a developer: under which of them attempts are recorded changes with the leader."""
        return {account.id, *(row.id for row in self._snapshot.token_family(account))}

    # -- schedule ----------------------------------------------------------------------------------------------

    async def start_background_refresh_scheduler(self) -> None:
        """Refresh tokens as they fall due, until `stop_background_tasks`; starting twice changes nothing."""
        await trio.lowlevel.checkpoint()
        if self._running is None:
            self._running = trio.CancelScope()
            self._nursery.start_soon(self._run, self._running)

    async def stop_background_tasks(self) -> None:
        """Stop the scheduler, and wait until it has stopped; a refresh that is under way ends by itself."""
        if self._running is not None:
            self._running.cancel()
            self._running = None
        async with self._turn:
            pass

    def scheduler_status(self) -> SchedulerStatus:
        """Return whether the scheduler of this process lives, and how late it is."""
        return self._scheduler.status()

    async def _run(self, scope: trio.CancelScope) -> None:
        async with self._turn:  # one that was stopped a moment ago has not ended yet
            with scope:
                await self._scheduler.run()
