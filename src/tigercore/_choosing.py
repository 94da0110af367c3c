"""Which account an operation would go to: the half of `AccountRouter` that sends nothing."""

from __future__ import annotations

from typing import Unpack

import trio

from tigercore._eligibility import Eligibility
from tigercore._health import Health
from tigercore._selection import Selection, Wish, belongs_to_one, wanted_by
from tigercore._snapshot import Snapshot
from tigercore.clock import Clock
from tigercore.errors import NoAccountsAvailableError, OperationNotSupportedError, TigerCoreError, TokenManagerError
from tigercore.model import (
    AccountStatistics,
    Availability,
    Explanation,
    Operation,
    OperationType,
    TigerAccount,
    TokenState,
)
from tigercore.operations import operation as operation_of
from tigercore.ports import Candidate
from tigercore.tokens import TokenManager


class AccountChooser:
    """Choose accounts for operations, say why, and sum up what became of the choices."""

    def __init__(
        self, selection: Selection, snapshot: Snapshot, tokens: TokenManager, health: Health, clock: Clock
    ) -> None:
        self._selection = selection
        self._snapshot = snapshot
        self._tokens = tokens
        self._health = health
        self._clock = clock

    def pick(self, operation_type: OperationType | str, **wish: Unpack[Wish]) -> TigerAccount:
        """Return the account that would be tried first; nothing waits. Errors as `execute`."""
        operation = operation_of(operation_type)
        wanted, first = self._selection.decide(operation, wanted_by(wish), wish.get("strategy"))
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
        operation, wanted, first = operation_of(operation_type), wanted_by(wish), None
        if not operation.safety.read_only:
            wanted, first = self._selection.firewall(operation, wanted)
        plan = self._selection.plan(operation, wanted, wish.get("strategy"), first)
        return [candidate.account for candidate in plan if not self._has_dead_token(candidate.account)]

    async def check_account_availability(
        self, account: TigerAccount, operation_type: OperationType | str = OperationType.QUOTE
    ) -> Availability:
        """Say whether an account may be routed to now, and if not, everything that stands against it."""
        await trio.lowlevel.checkpoint()
        row = self._snapshot.rows.get(account.id)
        if row is None:
            return Availability(False, ("the account does not exist",))
        reasons = list(self._selection.refusals(operation_of(operation_type), Eligibility(), row.account))
        if self._has_dead_token(row.account):
            reasons.append("its token is dead: bring a new one from the developer portal")
        return Availability(not reasons, tuple(reasons))

    async def explain(self, operation_type: OperationType | str, **wish: Unpack[Wish]) -> list[Explanation]:
        """List every account with its place in the plan, or the reason why it was left out. Errors as `execute`."""
        await trio.lowlevel.checkpoint()
        operation = operation_of(operation_type)
        strategy = wish.get("strategy")
        wanted, first = self._selection.decide(operation, wanted_by(wish), strategy)
        if wanted.id is None and belongs_to_one(operation, {}, strategy):
            wanted = self._selection.home(operation, wanted)
        return self._selection.explain(operation, wanted, strategy, first)

    # -- statistics --------------------------------------------------------------------------------------------

    def record_operation_response_time(self, account: TigerAccount, milliseconds: float) -> None:
        """Let the statistics learn from a call that the program has made by itself."""
        self._health.observe(self._snapshot.candidate(account.id), milliseconds)

    def get_routing_statistics(self) -> list[AccountStatistics]:
        """Return what routing has seen of each account since this process opened."""
        return self._health.statistics([self._snapshot.candidate(account_id) for account_id in self._snapshot.rows])

    def _has_dead_token(self, account: TigerAccount) -> bool:
        row = self._snapshot.token(account.id)
        return row.state in (TokenState.NEEDS_REAUTH, TokenState.DISABLED) or self._tokens.has_ended(account)

    async def _route(
        self, operation: Operation, wanted: Eligibility, strategy: str | None, first: Candidate | None
    ) -> TigerAccount:
        wanted, default = self._selection.decide(operation, wanted, strategy)
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
