"""The load of the demo: workers that route a mix of calls, no faster than the gateway's budgets allow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import count, cycle
from typing import Any, final

import attrs
import trio

from tigercore.app import Tigercore
from tigercore.cli.demo.calls import Ledger
from tigercore.errors import TigerCoreError
from tigercore.model import AccountType, LoadBalanceStrategy, MarketPermission, OperationType
from tigercore.operations import operation as operation_of

STRATEGIES = tuple(LoadBalanceStrategy)
_WORKERS = 8
_CAREFUL = 0.5  # share of a budget that is used, for no strategy spends all of them evenly
_MOST = 60.0  # jobs per second, however short the demo is
_WINDOW = 60.0  # seconds over which the gateway counts (protocol 8.1)
_SYMBOLS = ("AAPL", "MSFT", "NVDA", "AMZN", "TSLA")
_QUOTE, _POSITIONS, _ASSETS, _ORDERS, _TRADE = range(5)
_MIX = (
    *(_QUOTE, _QUOTE, _POSITIONS, _QUOTE, _QUOTE, _ASSETS),
    *(_QUOTE, _QUOTE, _QUOTE, _QUOTE, _QUOTE, _TRADE),
    *(_QUOTE, _QUOTE, _POSITIONS, _QUOTE, _QUOTE, _ASSETS),
    *(_QUOTE, _QUOTE, _QUOTE, _QUOTE, _QUOTE, _ORDERS),
)


def rate(developers: int, seconds: float) -> float:
    """Return how many jobs a second keep the load within the budgets of so many developers."""
    window = min(seconds, _WINDOW)
    everyone = ((_QUOTE, "quote_real_time"), (_POSITIONS, "positions"), (_ASSETS, "prime_assets"), (_ORDERS, "orders"))
    allowed = [_allowed(job, method, developers) for job, method in everyone]
    allowed.append(_allowed(_TRADE, "place_order", 1))  # all of them go to the default trading account
    return min(min(allowed) / window, _MOST)


def _allowed(job: int, method: str, developers: int) -> float:
    return operation_of(method).per_minute * developers * _CAREFUL * len(_MIX) / _MIX.count(job)


@final
@attrs.define
class Load:
    """Route calls for `seconds` from `began` on, in the clock of trio; each strategy has its turn."""

    tiger: Tigercore
    ledger: Ledger
    rate: float
    began: float
    seconds: float
    _next: float = 0.0
    _marks: count[int] = attrs.field(factory=lambda: count(1))

    @property
    def strategy(self) -> LoadBalanceStrategy:
        """Return the strategy whose turn it is."""
        passed = (trio.current_time() - self.began) / self.seconds
        return STRATEGIES[min(int(passed * len(STRATEGIES)), len(STRATEGIES) - 1)]

    async def run(self) -> None:
        """Work until the time is over and every call has ended."""
        jobs = cycle(_MIX)
        async with trio.open_nursery() as nursery:
            for _ in range(_WORKERS):
                nursery.start_soon(self._work, jobs)

    async def _work(self, jobs: cycle[int]) -> None:
        do: Sequence[Callable[[], Awaitable[None]]] = (
            self._quote,
            self._positions,
            self._assets,
            self._orders,
            self._trade,
        )
        while await self._turn():
            try:
                await do[next(jobs)]()
            except TigerCoreError:
                continue  # kept by the ledger, which tells of it in the end

    async def _turn(self) -> bool:
        """Wait for the next free place in time; say whether it is before the end."""
        at = self._next = max(self._next + 1 / self.rate, trio.current_time())
        if at >= self.began + self.seconds:
            return False
        await trio.sleep_until(at)
        return True

    # -- jobs --------------------------------------------------------------------------------------------------

    async def _quote(self) -> None:
        symbol = _SYMBOLS[len(self.ledger.calls) % len(_SYMBOLS)]
        await self._routed(OperationType.QUOTE, {"symbols": [symbol]}, market_permissions=[MarketPermission.US_STOCK])

    async def _positions(self) -> None:
        await self._routed(OperationType.POSITIONS)

    async def _assets(self) -> None:
        await self._routed(OperationType.ACCOUNT_INFO, account_type=AccountType.PRIME)

    async def _orders(self) -> None:
        await self._routed(OperationType.ORDERS)

    async def _trade(self) -> None:
        """Place a paper order far below the market, look at it, and cancel it on the account that it went to."""
        with self.ledger.call(operation_of(OperationType.PLACE_ORDER), None) as placing:
            order = await self.tiger.execute(
                OperationType.PLACE_ORDER,
                self._order(),
                account_type=AccountType.PAPER,
                market_permissions=[MarketPermission.US_STOCK],
            )
        named = {"id": order["id"]}
        with self.ledger.call(operation_of(OperationType.ORDERS), None):
            await self.tiger.execute(OperationType.ORDERS, named, account=placing.attempts[-1].account_id)
        with self.ledger.call(operation_of(OperationType.CANCEL_ORDER), None):
            await self.tiger.execute(OperationType.CANCEL_ORDER, named)  # the router knows whose order it is

    def _order(self) -> dict[str, Any]:
        return {
            "symbol": "AAPL",
            "market": "US",
            "currency": "USD",
            "sec_type": "STK",
            "action": "BUY",
            "order_type": "LMT",
            "limit_price": 1,
            "total_quantity": 1,
            "user_mark": f"demo-{next(self._marks)}",
        }

    async def _routed(self, kind: OperationType, params: dict[str, Any] | None = None, **wish: Any) -> None:
        strategy = self.strategy
        with self.ledger.call(operation_of(kind), strategy):
            await self.tiger.execute(kind, params, strategy=strategy, **wish)
