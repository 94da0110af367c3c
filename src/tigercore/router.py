"""AccountRouter: every operation on the right account. `execute` is the order path; read it from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, repeat
from types import MappingProxyType
from typing import Any, Unpack, final
from uuid import UUID

import trio

from tigercore._budget import Budgets
from tigercore._failover import may_try_again, told
from tigercore._health import Health
from tigercore._orders import OrderMap
from tigercore._plugins import Hooks
from tigercore._refresh import has_expired
from tigercore._selection import Selection, Wish, moves, wanted_by
from tigercore._snapshot import Eligibility, Snapshot
from tigercore._tally import Tally
from tigercore.accounts import TigerAccountManager
from tigercore.clock import Clock
from tigercore.errors import (
    ClientError,
    NoAccountsAvailableError,
    NotProcessed,
    OperationNotSupportedError,
    OutcomeUnknown,
    PermissionDenied,
    PortError,
    RateLimited,
    Rejected,
    TigerCoreError,
    TokenManagerError,
    Unauthorized,
)
from tigercore.model import (
    AccountStatistics,
    Availability,
    Explanation,
    Operation,
    OperationClass,
    OperationType,
    Principal,
    TigerAccount,
    Token,
    TokenState,
)
from tigercore.operations import account_key
from tigercore.operations import operation as operation_of
from tigercore.ports import Candidate, GatewayRequest, TigerClient
from tigercore.settings import TigerApiSettings
from tigercore.tokens import TokenManager


@final
class AccountRouter:
    """Choose accounts for operations, and carry operations out. The one layer that tries again."""

    def __init__(
        self,
        selection: Selection,
        snapshot: Snapshot,
        accounts: TigerAccountManager,
        tokens: TokenManager,
        client: TigerClient,
        health: Health,
        budgets: Budgets,
        hooks: Hooks,
        clock: Clock,
        tally: Tally,
        settings: TigerApiSettings,
    ) -> None:
        self._selection = selection
        self._snapshot = snapshot
        self._accounts = accounts
        self._tokens = tokens
        self._client = client
        self._health = health
        self._budgets = budgets
        self._hooks = hooks
        self._clock = clock
        self._settings = settings
        self._tally = tally
        self._orders = OrderMap()

    # -- the order path ----------------------------------------------------------------------------------------

    async def execute(
        self,
        operation_type: OperationType | str,
        params: Mapping[str, Any] | None = None,
        *,
        account: TigerAccount | UUID | str | None = None,
        principal: Principal | None = None,
        deadline: float | None = None,
        intent_id: UUID | None = None,
        **wish: Unpack[Wish],
    ) -> Any:
        """Carry out an operation and return the gateway's data.

        `operation_type` may also be the name of a gateway method. `account` pins the call to one account; without it
        the call goes where its class allows (see `errors`). `deadline` is in seconds of the clock's monotonic time.

        :raises PermissionDenied: the principal lacks the scope, or may not use the account.
        :raises NoAccountsAvailableError: no account may carry it, or all were tried.
        :raises OperationVetoed: a plugin refused it.
        :raises OrderOutcomeUnknown: it writes, and may have been carried out: query before anything else.
        :raises ClientError: the gateway's answer, where trying again would change nothing.
        """
        operation, params = operation_of(operation_type), MappingProxyType(dict(params or {}))
        if intent_id is not None:
            raise OperationNotSupportedError("intent_id: durable order intents are not part of this version")
        if operation.safety is OperationClass.TOKEN:
            raise OperationNotSupportedError(f"{operation.method}: use tokens.refresh_token, which keeps the new token")
        if principal is not None:
            principal.require(operation.scope)
        pinned = self._pinned(operation, account, params)
        if principal is not None and principal.accounts is not None and pinned not in {None, *principal.accounts}:
            raise PermissionDenied(f"{principal.name} may not use the account that {operation.method} names")
        wanted, first = self._selection.firewall(operation, wanted_by(wish, pinned))
        strategy = wish.get("strategy")
        first = first or self._habitual(operation, wanted, strategy)
        plan = _allowed(self._selection.plan(operation, wanted, strategy, first), principal)
        attempts: list[tuple[str, TigerCoreError]] = []
        unknown = 0
        for candidate in self._tries(operation, plan, is_pinned=pinned is not None):
            seconds = self._seconds(operation, deadline)
            try:
                return await self._attempt(operation, candidate, params, seconds)
            except (ClientError, TokenManagerError) as error:
                attempts.append((candidate.account.account_name, error))
                unknown += isinstance(error, OutcomeUnknown)
                if not may_try_again(error, operation.safety) or unknown > self._settings.tiger_api_retries:
                    raise told(error, operation, candidate.account) from error
        if len({name for name, _ in attempts}) == 1:
            raise attempts[-1][1]
        if attempts:
            raise NoAccountsAvailableError(f"{operation.method}: every account was tried", attempts)
        raise self._selection.nobody(operation, wanted)

    async def _attempt(
        self, operation: Operation, candidate: Candidate, params: Mapping[str, Any], seconds: float
    ) -> Any:
        """Send the call once, on one account, and learn from how it went."""
        account = candidate.account
        self._hooks.veto(operation, account, params)
        token = await self._tokens.token_for(account)
        signer = self._accounts.signer(account)
        number = account.account_number if operation.binds_account else None
        request = GatewayRequest(operation, params, number, seconds)
        began = self._health.started(candidate)
        try:
            reply = await self._client.call(request, signer, token)
        except ClientError as error:
            await self._failed(operation, candidate, token, error, self._milliseconds(began))
            raise
        finally:
            self._health.released(candidate)
        self._succeeded(operation, candidate, reply, self._milliseconds(began))
        return reply  # nothing waits between the gateway's answer and the caller: no cancellation can lose it

    def _tries(self, operation: Operation, plan: Iterator[Candidate], *, is_pinned: bool) -> Iterable[Candidate]:
        """Yield each try: others where the class moves, the same one again where it only reads, one for the rest."""
        first = next(plan, None)
        if first is None:
            return ()
        others = plan if moves(operation.safety) and not is_pinned else iter(())
        again = repeat(first, self._settings.tiger_api_retries if operation.safety.read_only else 0)
        return chain((first,), others, (c for c in again if not self._budgets.wait(operation, c.account)))

    def _succeeded(self, operation: Operation, candidate: Candidate, reply: Any, milliseconds: float) -> None:
        account = candidate.account
        self._health.succeeded(candidate, milliseconds)
        if operation.safety is OperationClass.CREATE:
            self._orders.learn(reply, account.id)
        self._hooks.notify(
            "tigercore_attempt", operation=operation, account=account, error=None, milliseconds=milliseconds
        )
        if account.error_count:
            self._tally.succeeded(account.id)

    async def _failed(
        self, operation: Operation, candidate: Candidate, token: Token | None, error: ClientError, milliseconds: float
    ) -> None:
        """Hold a failure against whom it speaks against: the budget, the token, the account, or nobody."""
        account, blamed = candidate.account, False
        match error:
            case Rejected():
                pass
            case RateLimited():
                self._budgets.spent(operation, account, error.retry_after)
            case Unauthorized():
                blamed = True
                with suppress(PortError):  # a store that is gone must not hide what the gateway said
                    await self._tokens.distrust(account, token)
            case _:
                if seconds := self._health.failed(candidate, milliseconds):
                    self._hooks.notify("tigercore_ejected", account=account, seconds=seconds)
                blamed = self._health.stands_alone(account.id)
        self._hooks.notify(
            "tigercore_attempt", operation=operation, account=account, error=error, milliseconds=milliseconds
        )
        if blamed:
            self._tally.failed(account.id, trading=operation.type.is_trading)

    # -- choosing only -----------------------------------------------------------------------------------------

    def pick(self, operation_type: OperationType | str, **wish: Unpack[Wish]) -> TigerAccount:
        """Return the account that would be tried first; nothing waits. Errors as `execute`."""
        operation = operation_of(operation_type)
        wanted = wanted_by(wish)
        wanted, first = self._selection.firewall(operation, wanted)
        for candidate in self._selection.plan(operation, wanted, wish.get("strategy"), first):
            return candidate.account
        raise self._selection.nobody(operation, wanted)

    async def route_operation(self, operation_type: OperationType | str, **wish: Unpack[Wish]) -> TigerAccount:
        """Return the account that should carry an operation, with a token that lives. Errors as `execute`."""
        operation = operation_of(operation_type)
        wanted = wanted_by(wish)
        return await self._route(operation, wanted, wish.get("strategy"), None)

    async def route_trading_operation(self, operation_type: OperationType | str, **wish: Unpack[Wish]) -> TigerAccount:
        """Return the account for a trading operation: the default trading account if it fits, else by strategy.

        :raises OperationNotSupportedError: the operation does not trade.
        """
        operation = operation_of(operation_type)
        if not operation.type.is_trading:
            raise OperationNotSupportedError(f"{operation_type} does not trade: use route_operation")
        wanted = wanted_by(wish)
        return await self._route(operation, wanted, wish.get("strategy"), None)

    async def route_data_operation(self, operation_type: OperationType | str, **wish: Unpack[Wish]) -> TigerAccount:
        """Return the account for market data: the default data account if it fits, else by strategy.

        :raises OperationNotSupportedError: the operation reads no market data.
        """
        operation = operation_of(operation_type)
        if not operation.type.is_data:
            raise OperationNotSupportedError(f"{operation_type} reads no market data: use route_operation")
        wanted = wanted_by(wish)
        return await self._route(
            operation, wanted, wish.get("strategy"), self._selection.default("is_default_data", wanted)
        )

    async def get_available_accounts_for_operation(
        self, operation_type: OperationType | str, **wish: Unpack[Wish]
    ) -> list[TigerAccount]:
        """Return every account that may carry an operation now, in the order to try them."""
        await trio.lowlevel.checkpoint()
        plan = self._selection.plan(operation_of(operation_type), wanted_by(wish), wish.get("strategy"))
        return [candidate.account for candidate in plan]

    async def check_account_availability(
        self, account: TigerAccount, operation_type: OperationType | str = OperationType.QUOTE
    ) -> Availability:
        """Say whether an account may be routed to now, and if not, everything that stands against it."""
        await trio.lowlevel.checkpoint()
        row, token = self._snapshot.rows.get(account.id), self._snapshot.tokens.get(account.id)
        if row is None or token is None:
            return Availability(False, ("the account does not exist",))
        reasons = list(self._selection.refusals(operation_of(operation_type), Eligibility(), row.account))
        if token.state in (TokenState.NEEDS_REAUTH, TokenState.DISABLED) or has_expired(token, self._clock.now()):
            reasons.append("its token is dead: bring a new one from the developer portal")
        return Availability(not reasons, tuple(reasons))

    async def explain(self, operation_type: OperationType | str, **wish: Unpack[Wish]) -> list[Explanation]:
        """List every account with its place in the plan, or the reason why it was left out. Errors as `pick`."""
        await trio.lowlevel.checkpoint()
        operation = operation_of(operation_type)
        wanted, first = self._selection.firewall(operation, wanted_by(wish))
        return self._selection.explain(operation, wanted, wish.get("strategy"), first)

    # -- statistics --------------------------------------------------------------------------------------------

    def record_operation_response_time(self, account: TigerAccount, milliseconds: float) -> None:
        """Let the statistics learn from a call that the program has made by itself."""
        self._health.observe(self._snapshot.candidate(account.id), milliseconds)

    def get_routing_statistics(self) -> list[AccountStatistics]:
        """Return what routing has seen of each account since this process opened."""
        return self._health.statistics([self._snapshot.candidate(account_id) for account_id in self._snapshot.rows])

    # -- within ------------------------------------------------------------------------------------------------

    async def _route(
        self, operation: Operation, wanted: Eligibility, strategy: str | None, first: Candidate | None
    ) -> TigerAccount:
        wanted, default = self._selection.firewall(operation, wanted)
        attempts: list[tuple[str, TigerCoreError]] = []
        for candidate in self._selection.plan(operation, wanted, strategy, first or default):
            try:
                await self._tokens.token_for(candidate.account)
            except TokenManagerError as error:
                attempts.append((candidate.account.account_name, error))
            else:
                return candidate.account
        if attempts:
            raise NoAccountsAvailableError(f"{operation.method}: no account has a living token", attempts)
        raise self._selection.nobody(operation, wanted)

    def _pinned(
        self, operation: Operation, account: TigerAccount | UUID | str | None, params: Mapping[str, Any]
    ) -> UUID | None:
        """Return the one account that the caller, the parameters or the order itself name.

        :raises OperationNotSupportedError: they name different accounts.
        """
        names = [account.id if isinstance(account, TigerAccount) else account, params.get(account_key(operation))]
        if operation.safety in (OperationClass.CANCEL, OperationClass.MODIFY):
            names.append(self._orders.owner(params))
        found = {self._accounts.find(n if isinstance(n, UUID) else str(n)).id for n in names if n is not None}
        if len(found) > 1:
            raise OperationNotSupportedError(f"{operation.method}: it names two accounts; name the one that is meant")
        return next(iter(found), None)

    def _habitual(self, operation: Operation, wanted: Eligibility, strategy: str | None) -> Candidate | None:
        """Account data that names neither account nor strategy is read from the default trading account."""
        if operation.safety is not OperationClass.ACCOUNT_READ or strategy is not None:
            return None
        return self._selection.default("is_default_trading", wanted)

    def _seconds(self, operation: Operation, deadline: float | None) -> float:
        timeout = self._settings.tiger_api_timeout
        if deadline is None:
            return timeout
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise NotProcessed(operation.method, "the deadline has passed; nothing was sent")
        return min(left, timeout)

    def _milliseconds(self, began: float) -> float:
        return (self._clock.monotonic() - began) * 1000


def _allowed(plan: Iterator[Candidate], principal: Principal | None) -> Iterator[Candidate]:
    if principal is None or principal.accounts is None:
        return plan
    return (candidate for candidate in plan if candidate.account.id in principal.accounts)
