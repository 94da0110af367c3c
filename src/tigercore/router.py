"""AccountRouter: every operation on the right account. `execute` is the order path; read it from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, repeat
from types import MappingProxyType
from typing import Any, Unpack, final
from uuid import UUID

from tigercore._budget import Budgets
from tigercore._choosing import AccountChooser
from tigercore._eligibility import Eligibility
from tigercore._failover import may_try_again, told
from tigercore._health import Health
from tigercore._orders import OrderMap
from tigercore._plugins import Hooks
from tigercore._selection import Selection, Wish, belongs_to_one, moves, wanted_by
from tigercore._snapshot import Snapshot
from tigercore._tally import Tally
from tigercore.accounts import TigerAccountManager
from tigercore.clock import Clock
from tigercore.errors import (
    AccountNotFoundError,
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
    Operation,
    OperationClass,
    OperationType,
    Principal,
    TigerAccount,
    Token,
)
from tigercore.operations import account_key
from tigercore.operations import operation as operation_of
from tigercore.ports import Candidate, GatewayRequest, Signer, TigerClient
from tigercore.settings import TigerApiSettings
from tigercore.tokens import TokenManager


@final
class AccountRouter(AccountChooser):
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
        super().__init__(selection, snapshot, tokens, health, clock)
        self._accounts = accounts
        self._client = client
        self._budgets = budgets
        self._hooks = hooks
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
        if principal is not None and principal.accounts is not None:
            if pinned not in {None, *principal.accounts}:
                raise PermissionDenied(f"{principal.name} may not use the account that {operation.method} names")
            if len(principal.accounts) == 1:
                pinned = next(iter(principal.accounts))
        strategy = wish.get("strategy")
        wanted, first = self._selection.decide(operation, wanted_by(wish, pinned), strategy)
        if wanted.id is None and belongs_to_one(operation, params, strategy):
            wanted = self._selection.home(operation, wanted)
        plan = _allowed(self._selection.plan(operation, wanted, strategy, first), principal)
        attempts: list[tuple[str, TigerCoreError]] = []
        spent = 0
        for candidate in self._tries(operation, plan, is_pinned=wanted.id is not None):
            self._seconds(operation, deadline)
            try:
                return await self._attempt(operation, candidate, wanted, params, deadline)
            except (ClientError, TokenManagerError) as error:
                attempts.append((candidate.account.account_name, error))
                spent += not isinstance(error, RateLimited)
                if not may_try_again(error, operation.safety):
                    raise told(error, operation, candidate.account) from error
                if spent > self._settings.tiger_api_retries:
                    break
        if len({name for name, _ in attempts}) == 1:
            raise attempts[-1][1]
        if attempts:
            raise NoAccountsAvailableError(f"{operation.method}: no account could carry it", attempts)
        if principal is not None and principal.accounts is not None:
            raise NoAccountsAvailableError(f"no account of {principal.name} can carry {operation.method}")
        raise self._selection.nobody(operation, wanted)

    async def _attempt(
        self,
        operation: Operation,
        candidate: Candidate,
        wanted: Eligibility,
        params: Mapping[str, Any],
        deadline: float | None,
    ) -> Any:
        """Send the call once, on one account; what writes keeps the account's token from being refreshed under it."""
        account = candidate.account
        self._hooks.veto(operation, account, params)
        credentials = await self._credentials(operation, account)
        if operation.safety.read_only or not account.needs_token:
            return await self._send(operation, candidate, wanted, params, deadline, *credentials)
        async with self._tokens.writing(account):
            return await self._send(operation, candidate, wanted, params, deadline, *self._standing(operation, account))

    async def _send(
        self,
        operation: Operation,
        candidate: Candidate,
        wanted: Eligibility,
        params: Mapping[str, Any],
        deadline: float | None,
        token: Token | None,
        signer: Signer,
    ) -> Any:
        """Send the call once, and learn from how it went."""
        account = candidate.account
        if (reason := self._lapsed(candidate, wanted)) is not None:
            raise NotProcessed(operation.method, f"{account.account_name} was changed meanwhile: {reason}")
        number = account.account_number if operation.binds_account else None
        request = GatewayRequest(operation, params, number, self._seconds(operation, deadline))
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

    async def _credentials(self, operation: Operation, account: TigerAccount) -> tuple[Token | None, Signer]:
        try:
            return await self._tokens.token_for(account), self._accounts.signer(account)
        except (AccountNotFoundError, PortError) as error:
            raise NotProcessed(operation.method, f"the credentials of {account.account_name}: {error}") from error

    def _standing(self, operation: Operation, account: TigerAccount) -> tuple[Token | None, Signer]:
        """Return the credentials as they are once the gate is passed: a freeze may have come while it was shut."""
        try:
            return self._tokens.standing_token(account), self._accounts.signer(account)
        except (AccountNotFoundError, PortError) as error:
            raise NotProcessed(operation.method, f"the credentials of {account.account_name}: {error}") from error

    def _lapsed(self, candidate: Candidate, wanted: Eligibility) -> str | None:
        """Return why a candidate may not carry the call any more: accounts change while others are tried."""
        if candidate.account.id not in self._snapshot.rows:
            return "it was deleted"
        return wanted.refusal(candidate.account)

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
                blamed = await self._distrust(account, token)
            case OutcomeUnknown(code=401 | 2400):  # so a write is answered whose token was refused
                await self._distrust(account, token)
            case _:
                if seconds := self._health.failed(candidate, milliseconds):
                    self._hooks.notify("tigercore_ejected", account=account, seconds=seconds)
                blamed = self._health.stands_alone(account.id)
        self._hooks.notify(
            "tigercore_attempt", operation=operation, account=account, error=error, milliseconds=milliseconds
        )
        if blamed:
            self._tally.failed(account.id, trading=operation.type.is_trading)

    async def _distrust(self, account: TigerAccount, token: Token | None) -> bool:
        """Say whether that the gateway refused a call speaks against its account, and not against a token in doubt."""
        with suppress(PortError):  # a store that is gone must not hide what the gateway said
            return await self._tokens.distrust(account, token)
        return True

    # -- within ------------------------------------------------------------------------------------------------

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

    def _seconds(self, operation: Operation, deadline: float | None) -> float:
        timeout = self._settings.tiger_api_timeout
        if deadline is None:
            return timeout
        left = deadline - self._clock.monotonic()
        if left <= 0:
            raise NotProcessed(operation.method, "the deadline passed before it could be sent")
        return min(left, timeout)

    def _milliseconds(self, began: float) -> float:
        return (self._clock.monotonic() - began) * 1000


def _allowed(plan: Iterator[Candidate], principal: Principal | None) -> Iterator[Candidate]:
    if principal is None or principal.accounts is None:
        return plan
    return (candidate for candidate in plan if candidate.account.id in principal.accounts)
