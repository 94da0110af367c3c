"""The limits of the gateway: rolling windows per developer and method, and per account."""

from collections import defaultdict, deque
from collections.abc import Hashable

from attrs import frozen

from tigercore_simulator.refusals import limited, throttled

_HIGH = frozenset(
    {
        "order_no",
        "place_order",
        "modify_order",
        "cancel_order",
        "orders",
        "active_orders",
        "inactive_orders",
        "filled_orders",
        "timeline",
        "hour_trading_timeline",
        "trade_tick",
        "quote_real_time",
        "quote_overnight",
        "option_brief",
        "option_trade_tick",
        "future_tick",
        "future_real_time_quote",
    }
)
_LOW = frozenset(
    {
        "grab_quote_permission",
        "get_quote_permission",
        "user_license",
        "user_token_refresh",
        "kline_quota",
        "market_state",
        "quote_delay",
        "all_symbols",
        "all_symbol_names",
        "stock_detail",
        "market_scanner",
        "market_scanner_tags",
        "trade_rank",
        "broker_hold",
        "future_exchange",
        "fund_details",
    }
)
_THROTTLED = frozenset({"place_order", "modify_order"})
_MINUTE = 60.0
_SECOND = 1.0


@frozen
class Limits:
    """Say how many requests a minute a method takes, and how many orders a second an account takes."""

    high: int = 120
    medium: int = 60
    low: int = 10
    orders_per_second: int = 5

    def of(self, method: str) -> int:
        """Return the limit of a method, in requests per minute."""
        if method in _HIGH:
            return self.high
        return self.low if method in _LOW else self.medium


DOCUMENTED = Limits()
UNLIMITED = Limits(high=10**9, medium=10**9, low=10**9, orders_per_second=10**9)


class Windows:
    """Count what each developer and each account has sent in its rolling window."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sent: defaultdict[Hashable, deque[float]] = defaultdict(deque)

    def admit(self, tiger_id: str, method: str, now: float) -> None:
        """Count a request, or refuse it when its method is at the limit."""
        limit = self._limits.of(method)
        if not self._take((tiger_id, method), limit, now, _MINUTE):
            raise limited(method, limit)

    def admit_order(self, account: str, method: str, now: float) -> None:
        """Count an order message, or refuse it when its account is at the limit."""
        if method not in _THROTTLED:
            return
        if not self._take(account, self._limits.orders_per_second, now, _SECOND):
            raise throttled()

    def _take(self, key: Hashable, limit: int, now: float, span: float) -> bool:
        sent = self._sent[key]
        while sent and sent[0] <= now - span:
            sent.popleft()
        if len(sent) >= limit:
            return False
        sent.append(now)
        return True
