"""The table of methods: what each needs, and who answers it."""

from collections.abc import Callable
from random import Random

from attrs import frozen

from tigercore_simulator import profile
from tigercore_simulator.bars import Bars
from tigercore_simulator.broker import Broker, Pace
from tigercore_simulator.developers import Developer
from tigercore_simulator.fundamentals import Fundamentals
from tigercore_simulator.limits import Limits
from tigercore_simulator.market import Market
from tigercore_simulator.options import Options
from tigercore_simulator.oracle import Oracle
from tigercore_simulator.refusals import common
from tigercore_simulator.scopes import ACCOUNT, QUOTE, TRADE, WRITE
from tigercore_simulator.seats import Seats, permissions
from tigercore_simulator.tokens import LICENSE, REFRESH, Tokens
from tigercore_simulator.trading import Trading
from tigercore_simulator.wire import Params


@frozen
class Call:
    """Hold one admitted request."""

    developer: Developer
    method: str
    account: str | None
    device: str
    params: Params
    now: float


Answer = Callable[[Call], object]
_Plain = Callable[[Params, float], object]


@frozen
class Method:
    """Say how a method is answered, which scope of OAuth 2.0 it needs, and whether an account or the quote seat.

    Without a scope it is for those who sign.
    """

    answer: Answer
    scope: str | None
    needs_account: bool = False
    needs_seat: bool = False


@frozen
class Rooms:
    """Hold what the methods work on."""

    market: Market
    options: Options
    fundamentals: Fundamentals
    trading: Trading
    tokens: Tokens
    seats: Seats
    limits: Limits
    oracle: Oracle


def furnish(seed: int, limits: Limits, pace: Pace, tokens: Tokens, oracle: Oracle) -> Rooms:
    """Make everything the methods work on from one seed."""
    market = Market(seed)
    options = Options(market, seed)
    broker = Broker(market, options, Random(f"{seed}:broker"), pace)
    trading = Trading(broker, market, oracle)
    return Rooms(market, options, Fundamentals(market, seed), trading, tokens, Seats(), limits, oracle)


def table(rooms: Rooms) -> dict[str, Method]:
    """Return every method the gateway knows, by name."""
    return _quotes(rooms) | _free(rooms) | _orders(rooms.trading) | _own(rooms)


def _quotes(rooms: Rooms) -> dict[str, Method]:
    market, bars, options = rooms.market, Bars(rooms.market), rooms.options
    plain: dict[str, _Plain] = {
        "quote_real_time": market.real_time,
        "brief": market.brief,
        "quote_depth": market.depth,
        "trade_tick": market.ticks,
        "timeline": bars.timeline,
        "kline": bars.kline,
        "option_expiration": options.expirations,
        "option_chain": options.chain,
        "option_brief": options.briefs,
    }
    return {name: Method(_plainly(answer), QUOTE, needs_seat=True) for name, answer in plain.items()}


def _free(rooms: Rooms) -> dict[str, Method]:
    plain: dict[str, _Plain] = {
        "market_state": rooms.market.state,
        "quote_delay": rooms.market.delayed,
        "financial_daily": rooms.fundamentals.daily,
        "financial_report": rooms.fundamentals.report,
        "corporate_action": rooms.fundamentals.action,
        "stock_fundamental": rooms.fundamentals.stock,
        "trading_calendar": rooms.fundamentals.calendar,
    }
    return {name: Method(_plainly(answer), QUOTE) for name, answer in plain.items()}


def _orders(trading: Trading) -> dict[str, Method]:
    plain: dict[str, tuple[_Plain, str]] = {
        "order_no": (trading.order_no, WRITE),
        "modify_order": (trading.modify, WRITE),
        "cancel_order": (trading.cancel, WRITE),
        "preview_order": (trading.preview, TRADE),
        "orders": (trading.orders, TRADE),
        "active_orders": (trading.active, TRADE),
        "inactive_orders": (trading.inactive, TRADE),
        "filled_orders": (trading.filled, TRADE),
        "order_transactions": (trading.transactions, TRADE),
        "positions": (trading.positions, TRADE),
        "prime_assets": (trading.prime_assets, ACCOUNT),
        "assets": (trading.assets, ACCOUNT),
        "aggregate_assets": (trading.aggregate, ACCOUNT),
    }
    methods = {name: Method(_plainly(answer), scope, needs_account=True) for name, (answer, scope) in plain.items()}
    return methods | {"place_order": Method(_placing(trading), WRITE, needs_account=True)}


def _own(rooms: Rooms) -> dict[str, Method]:
    return {
        "accounts": Method(lambda call: profile.accounts(call.developer, call.account), ACCOUNT),
        "user_license": Method(lambda call: profile.license_of(call.developer), ACCOUNT),
        REFRESH: Method(lambda call: _refresh(rooms, call), None),
        "kline_quota": Method(lambda call: profile.kline_quota(), QUOTE),
        "addon_entitlements": Method(lambda call: profile.entitlements(rooms.limits), ACCOUNT),
        "get_quote_permission": Method(lambda call: permissions(), QUOTE),
        "grab_quote_permission": Method(lambda call: rooms.seats.grab(call.developer.tiger_id, call.device), QUOTE),
    }


def _placing(trading: Trading) -> Answer:
    return lambda call: trading.place(call.params, call.now, call.developer.tiger_id)


def _plainly(answer: _Plain) -> Answer:
    return lambda call: answer(call.params, call.now)


def _refresh(rooms: Rooms, call: Call) -> object:
    tiger_id = call.developer.tiger_id
    if call.developer.license != LICENSE:
        raise common("the current requested method does not support")
    token = rooms.tokens.rotate(tiger_id, call.now)
    rooms.oracle.refreshes[tiger_id].generations.append(token.created_ms)
    return profile.refreshed(call.developer, token)
