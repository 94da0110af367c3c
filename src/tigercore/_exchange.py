"""The one call that brings a new token for an old one: leased, sent once, and whatever comes of it written down."""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import NoReturn, final
from uuid import UUID

import attrs
import trio

from tigercore import _refresh as rules
from tigercore._gate import Gate
from tigercore._gatewayclock import GatewayClock
from tigercore._keeper import TokenKeeper
from tigercore._outage import Outage
from tigercore._plugins import Hooks
from tigercore._snapshot import Snapshot
from tigercore._vault import Vault
from tigercore.accounts import TigerAccountManager
from tigercore.audit import AuditLog
from tigercore.clock import Clock
from tigercore.errors import (
    AccountNotFoundError,
    ClientError,
    NotProcessed,
    OutcomeUnknown,
    PortError,
    RateLimited,
    SigningFrozen,
    StaleVersion,
    TokenNeedsReauthorisation,
    TokenRateLimitError,
    TokenRefreshError,
    Unauthorized,
)
from tigercore.model import Authentication, RefreshTrigger, TigerAccount, Token, TokenRefreshStatus, TokenState
from tigercore.ports import Put, Record, Signer, TigerClient, TokenAttempt, TokenRow
from tigercore.settings import TokenSettings

_METHOD = "user_token_refresh"
_DEAD = "no reply, and the token is dead"
_SAVE = 10.0  # seconds for which a token that was just received is kept, whatever is cancelled around it
_DRAIN = 5.0  # seconds that a refresh waits for calls that write, before it lets them go first
_SPARE = 0.1  # the part of a lease that is left when the reply must be there
_MINUTE = 60.0  # of the gateway's budgets; and how long a developer over the limit is left alone (protocol 8.1)


@final
@attrs.frozen
class Claim:
    """When this process began to take a lease, by both of its clocks; `row` is what the store has given it."""

    monotonic: float
    wall: datetime
    row: TokenRow | None = None

    @property
    def owner(self) -> str | None:
        """Return by whom the row is held, None if none is."""
        return self.row and self.row.owner


@final
class TokenExchange:
    """Exchange tokens. `owner` names this process in the leases; nothing here is sent a second time."""

    def __init__(
        self,
        snapshot: Snapshot,
        vault: Vault,
        audit: AuditLog,
        accounts: TigerAccountManager,
        client: TigerClient,
        hooks: Hooks,
        keeper: TokenKeeper,
        gateway: GatewayClock,
        gate: Gate,
        outage: Outage,
        clock: Clock,
        rng: random.Random,
        settings: TokenSettings,
        *,
        owner: str,
    ) -> None:
        self.owner = owner
        self._snapshot = snapshot
        self._vault = vault
        self._audit = audit
        self._accounts = accounts
        self._client = client
        self._hooks = hooks
        self._keeper = keeper
        self._gateway = gateway
        self._gate = gate
        self._outage = outage
        self._clock = clock
        self._rng = rng
        self._settings = settings
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)

    def claim(self) -> Claim:
        """Note that the taking of a lease begins now."""
        return Claim(self._clock.monotonic(), self._clock.now())

    async def run(
        self,
        account: TigerAccount,
        family: Sequence[TokenRow],
        token: Token,
        trigger: RefreshTrigger,
        claim: Claim,
        lost: Sequence[TokenAttempt] = (),
    ) -> None:
        """Lease the rows as they were read, exchange their token, and keep the new one.

        Who gets the lease also writes that the `lost` attempts have ended so: who does not may be wrong about them.
        Once the gateway was asked, nothing but time interrupts this: the old token may be dead by then.

        :raises StaleVersion: somebody else has written a row since; nothing was sent.
        :raises TokenManagerError: there is no new token; the rows say where the old one stands.
        """
        recovers = rules.has_failed(family)
        async with self._writes_held_back(account, family):
            attempt = await self._begin(account, family, trigger, lost)
            with trio.CancelScope(shield=True):
                fresh = await self._ask(account, attempt, token, claim)
                with trio.move_on_after(_SAVE) as saving:
                    await self._keeper.note(account, attempt, fresh)
                    await self._keeper.store(account, attempt, fresh, recovers=recovers)
        if saving.cancelled_caught:  # it is in the journal, and in use here: who asked has what they need
            self._keeper.finish_later(account, attempt, fresh, recovers=recovers)

    def heard(self, account: TigerAccount, error: ClientError | None) -> None:
        """Learn from a reply, or from its absence, how the gateway does."""
        self._gateway.warn()
        answered = error is None or error.code is not None or isinstance(error, RateLimited | Unauthorized)
        if not answered and isinstance(error, NotProcessed | OutcomeUnknown):
            self._outage.silent(account.developer)
        else:
            self._outage.answered()

    def put_off(self, family: Sequence[TokenRow], state: TokenState, at_least: float = 0.0) -> list[TokenRow]:
        """Return the rows after a try that failed: what is to be done next waits, longer each time."""
        failures = max((row.failures for row in family), default=0)
        wait = rules.back_off(failures, self._rng.random(), at_least)
        return rules.failed(family, state, self._snapshot.now() + wait)

    def patient(self, rows: Sequence[TokenRow]) -> list[TokenRow]:
        """Return the rows of a token that lives on: after failures the next try is not before its time."""
        failures, due = max((row.failures for row in rows), default=0), rules.next_at(rows)
        if not failures or due is None:
            return list(rows)
        look = self._snapshot.now() + rules.back_off(failures, self._rng.random())
        return rules.released(rows, TokenState.VALID, max(due, look))

    # -- within ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _writes_held_back(self, account: TigerAccount, family: Sequence[TokenRow]) -> AsyncIterator[None]:
        """Keep calls that write and this exchange apart: a token that dies under way makes their outcome unknown."""
        is_drained = await self._gate.drained(account.developer, _DRAIN)
        if not is_drained and not any(rules.is_last_call(row, self._gateway.now()) for row in family):
            raise TokenRefreshError(f"{account.account_name}: calls that write are under way; its token can wait")
        with self._gate.shut(account.developer):
            yield

    async def _begin(
        self,
        account: TigerAccount,
        family: Sequence[TokenRow],
        trigger: RefreshTrigger,
        lost: Sequence[TokenAttempt],
    ) -> TokenAttempt:
        """Take the lease on every row of the developer, all or none; who meets another version was too late."""
        self._require_budget(account)
        leader = min(row.id for row in rules.in_use(family))
        attempt_id = UUID(int=self._rng.getrandbits(128), version=4)
        attempt = TokenAttempt(attempt_id, leader, trigger, TokenRefreshStatus.STARTED, self._snapshot.now())
        until = self._snapshot.now() + timedelta(seconds=self._settings.lease)
        puts = [Put(row) for row in rules.leased(family, self.owner, until)]
        ended = [Record(each) for each in self._keeper.ended(lost, TokenRefreshStatus.LOST, _DEAD)]
        await self._audit.commit([*puts, *ended, Record(attempt)], "token.lease", str(leader), trigger=trigger)
        self._asked[account.developer].append(self._clock.monotonic())
        return attempt

    def _require_budget(self, account: TigerAccount) -> None:
        asked, now = self._asked[account.developer], self._clock.monotonic()
        while asked and asked[0] <= now - _MINUTE:
            asked.popleft()
        if len(asked) >= self._settings.per_minute:
            wait = asked[0] + _MINUTE - now
            told = f"{account.account_name}: {len(asked)} refreshes within a minute; wait {wait:.0f} s"
            raise TokenRateLimitError(told, retry_after=wait)

    async def _ask(self, account: TigerAccount, attempt: TokenAttempt, token: Token, claim: Claim) -> Token:
        """Send the request, unless so much of the lease is over that its reply might come too late."""
        try:
            return await self._answer(account, token, claim)
        except ClientError as error:
            with trio.move_on_after(_SAVE):
                await self._lose(account, attempt, token, error)
            self._hooks.notify("tigercore_token_refresh_failed", account=account, reason=str(error), failures=0)
        raise TokenRefreshError(f"{account.account_name}: no new token, and the store could not be told in time")

    async def _answer(self, account: TigerAccount, token: Token, claim: Claim) -> Token:
        signer = self._signer(account)
        if self._is_late(claim):
            raise NotProcessed(_METHOD, "this process was held up for so long that nothing was sent")
        try:
            with trio.move_on_after(self._settings.timeout):
                fresh = await self._client.refresh(signer, token)
                self.heard(account, None)
                return fresh
            raise OutcomeUnknown(_METHOD, f"no reply within {self._settings.timeout:g} s")
        except ClientError as error:
            self.heard(account, error)
            raise

    def _signer(self, account: TigerAccount) -> Signer:
        try:
            return self._accounts.signer(account)
        except (AccountNotFoundError, PortError, SigningFrozen) as error:
            raise NotProcessed(_METHOD, str(error)) from error

    def _is_late(self, claim: Claim) -> bool:
        """Say whether the lease may be over before a reply is here; a machine that slept moved one clock alone."""
        by_wall = (self._clock.now() - claim.wall).total_seconds()
        elapsed = max(self._clock.monotonic() - claim.monotonic, by_wall)
        return elapsed + self._settings.timeout > self._settings.lease * (1 - _SPARE)

    async def _lose(self, account: TigerAccount, attempt: TokenAttempt, sent: Token, error: ClientError) -> NoReturn:
        """Write how it failed, and raise what the caller is to hear."""
        failures = 0
        with suppress(StaleVersion):
            try:
                failures = await self._note_loss(account, attempt, sent, error)
            except StaleVersion:  # sealed anew meanwhile, or somebody brought a newer token
                await self._snapshot.load()
                failures = await self._note_loss(account, attempt, sent, error)
        self._hooks.notify("tigercore_token_refresh_failed", account=account, reason=str(error), failures=failures)
        told = f"{account.account_name}: {error}"
        if isinstance(error, RateLimited):
            raise TokenRateLimitError(told, retry_after=error.retry_after) from error
        if isinstance(error, Unauthorized) and attempt.trigger is RefreshTrigger.ERROR:
            raise needs_a_person(account, "its token is dead") from error
        raise TokenRefreshError(told) from error

    async def _note_loss(self, account: TigerAccount, attempt: TokenAttempt, sent: Token, error: ClientError) -> int:
        """Write it into the rows that are still leased by this process; return how often they failed in a row.

        Those that others have looked into meanwhile are theirs, and so is the verdict on a request without a reply.
        """
        family = self._snapshot.token_family(account)
        held = [row for row in family if self._is_leased(row) and self._vault.readable_token(row) == sent]
        rows, status = self._after(held, attempt, error)
        if rows or status is not TokenRefreshStatus.STARTED:
            await self._keeper.end(rows, [attempt], status, str(error))
        return max((row.failures for row in rows), default=0)

    def _is_leased(self, row: TokenRow) -> bool:
        return row.state is TokenState.REFRESHING and row.owner == self.owner

    def _after(
        self, held: Sequence[TokenRow], attempt: TokenAttempt, error: ClientError
    ) -> tuple[list[TokenRow], TokenRefreshStatus]:
        """Return what rows and attempt become: whatever may have been carried out leaves the token in doubt.

        So does a recovery that was not: it began with a token that is dead.
        """
        before = TokenState.UNCERTAIN if attempt.trigger is RefreshTrigger.ERROR else TokenState.VALID
        settled = self._snapshot.now() + timedelta(seconds=self._settings.settle)
        doubtful = rules.failed(held, TokenState.UNCERTAIN, settled)
        match error:
            case RateLimited(retry_after=wait):
                return self.put_off(held, before, max(wait, _MINUTE)), TokenRefreshStatus.RATE_LIMITED
            case Unauthorized() if attempt.trigger is RefreshTrigger.ERROR:
                return rules.dead(held), TokenRefreshStatus.REJECTED
            case Unauthorized():
                return doubtful, TokenRefreshStatus.REJECTED
            case NotProcessed():
                return self.put_off(held, before), TokenRefreshStatus.NOT_SENT
            case OutcomeUnknown():  # the probe will tell what became of it
                return doubtful, TokenRefreshStatus.STARTED
            case _:
                return self.put_off(held, before), TokenRefreshStatus.REJECTED


def needs_a_person(account: TigerAccount, why: str) -> TokenNeedsReauthorisation:
    """Return the error that says how a person brings a token back."""
    if account.authentication is Authentication.OAUTH2:
        return TokenNeedsReauthorisation(
            f"{account.account_name}: {why}; run: tigercore login {account.account_number}"
        )
    return TokenNeedsReauthorisation(
        f"{account.account_name}: {why}; make a new one in the developer portal, then update_tokens"
    )
