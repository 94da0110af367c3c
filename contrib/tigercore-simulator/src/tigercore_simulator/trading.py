"""The trading methods: orders, transactions, positions and assets, as the gateway answers them."""

import base64
import binascii
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from tigercore_simulator import calendar, statements
from tigercore_simulator.accounts import Account
from tigercore_simulator.broker import Broker
from tigercore_simulator.ledger import Fill, Position, commission, money, position_row
from tigercore_simulator.market import Market
from tigercore_simulator.oracle import Oracle, Placed
from tigercore_simulator.orders import ACTIVE, Contract, Order, Status
from tigercore_simulator.refusals import Refusal, business
from tigercore_simulator.wire import Json, Params

_MOST = 300
_LONGEST = 90 * 86_400.0
_ENDED = frozenset({Status.CANCELLED, Status.INACTIVE})

T = TypeVar("T", Order, Fill)


class Trading:
    """Answer the methods that work on an account."""

    def __init__(self, broker: Broker, market: Market, oracle: Oracle) -> None:
        self._broker = broker
        self._market = market
        self._oracle = oracle

    def order_no(self, params: Params, now: float) -> Json:
        """Answer ``order_no``."""
        return {"orderId": self._broker.next_order_id(params, now)}

    def place(self, params: Params, now: float, tiger_id: str) -> Json:
        """Answer ``place_order``."""
        order = self._broker.place(params, now)
        self._oracle.placed(_placed(order, tiger_id))
        return {"id": order.id, "subIds": [], "orderId": order.order_id, "orders": [order.as_json()]}

    def modify(self, params: Params, now: float) -> Json:
        """Answer ``modify_order``."""
        return {"id": self._broker.modify(params, now).id}

    def cancel(self, params: Params, now: float) -> Json:
        """Answer ``cancel_order``."""
        return {"id": self._broker.cancel(params, now).id}

    def preview(self, params: Params, now: float) -> Json:
        """Answer ``preview_order``."""
        account = self._broker.account(str(params["account"]), now)
        order = self._broker.draft(params, now)
        why = self._why_not(account, order, now)
        return _preview(order, account.ledger.total_cash(), why)

    def orders(self, params: Params, now: float) -> Json:
        """Answer ``orders``: one order when the request names one, a page of them otherwise."""
        if params.get("id") or params.get("order_id"):
            return self._broker.find(params, now)[1].as_json()
        states = frozenset(map(str, params.get("states") or [])) or None
        return self._list(params, now, lambda order: states is None or order.status in states)

    def active(self, params: Params, now: float) -> Json:
        """Answer ``active_orders``."""
        return self._list(params, now, lambda order: order.status in ACTIVE)

    def inactive(self, params: Params, now: float) -> Json:
        """Answer ``inactive_orders``."""
        return self._list(params, now, lambda order: order.status in _ENDED)

    def filled(self, params: Params, now: float) -> Json:
        """Answer ``filled_orders``."""
        _check_dates(params, now)
        return self._list(params, now, lambda order: order.status is Status.FILLED)

    def transactions(self, params: Params, now: float) -> Json:
        """Answer ``order_transactions``."""
        account = self._account(params, now)
        begin = _date(params, "since_date", "start_date", default=0.0)
        end = _date(params, "to_date", "end_date", default=now)
        wanted = [fill for fill in account.ledger.fills if begin <= fill.at <= end and _is_of(fill.order, params)]
        rows, token = _page(wanted, params, "order_transactions|0|0||")
        return {"nextPageToken": token, "items": [_transaction(fill) for fill in rows]}

    def positions(self, params: Params, now: float) -> Json:
        """Answer ``positions``."""
        account = self._account(params, now)
        held = [each for each in account.ledger.held() if _is_wanted(each.contract, params)]
        return {"items": [self._position(each, account.number, now) for each in held]}

    def prime_assets(self, params: Params, now: float) -> Json:
        """Answer ``prime_assets``."""
        account = self._account(params, now)
        quote = self._broker.quoter(now)
        return statements.prime_assets(account.number, account.ledger, quote, account.locked("USD"), now)

    def assets(self, params: Params, now: float) -> Json:
        """Answer ``assets``."""
        account = self._account(params, now)
        return statements.assets(account.number, account.ledger, self._broker.quoter(now), account.locked("USD"))

    def aggregate(self, params: Params, now: float) -> Json:
        """Answer ``aggregate_assets``."""
        account = self._account(params, now)
        return statements.aggregate(account.ledger, self._broker.quoter(now), account.locked("USD"))

    def _account(self, params: Params, now: float) -> Account:
        return self._broker.account(str(params["account"]), now)

    def _list(self, params: Params, now: float, wanted: Callable[[Order], bool]) -> Json:
        begin, end = _date(params, "start_date", default=0.0), _date(params, "end_date", default=now)
        orders = self._account(params, now).orders.values()
        found = [each for each in orders if begin <= each.placed <= end and wanted(each)]
        rows, token = _page([each for each in found if _is_wanted(each.contract, params)], params, "orders|null|null|")
        return {"nextPageToken": token, "items": [order.as_json() for order in rows]}

    def _position(self, position: Position, account: str, now: float) -> Json:
        contract = position.contract
        price = self._broker.price(contract, now)
        close = price if contract.option else Decimal(str(self._market.previous_close(contract.symbol, now)))
        return position_row(position, account, price, close, now)

    def _why_not(self, account: Account, order: Order, now: float) -> str | None:
        try:
            self._broker.check_means(account, order)
        except Refusal as refusal:
            return refusal.message
        return None


def _preview(order: Order, cash: Decimal, why: str | None) -> Json:
    cost = money(order.quantity * order.price * order.contract.multiplier)
    margin = {"initMargin": cost, "maintMargin": cost, "commission": commission(order.quantity), "gst": 0.0}
    return {"isPass": why is None, "message": why} | margin | {"availableEE": cash, "excessLiquidity": cash}


def _placed(order: Order, tiger_id: str) -> Placed:
    return Placed(
        tiger_id,
        order.account,
        order.id,
        order.order_id,
        order.user_mark,
        order.contract.symbol,
        order.action,
        order.quantity,
    )


def _transaction(fill: Fill) -> Json:
    order = fill.order
    return order.contract.as_json() | {
        "id": fill.id,
        "accountId": int(order.account),
        "orderId": order.id,
        "action": order.action,
        "filledQuantity": int(fill.quantity.scaleb(order.scale)),
        "filledQuantityScale": order.scale,
        "filledPrice": fill.price,
        "filledAmount": fill.amount,
        "transactedAt": calendar.shown(fill.at),
        "transactionTime": int(fill.at * 1000),
    }


def _is_wanted(contract: Contract, params: Params) -> bool:
    have = contract.as_json()
    named = (("symbol", "symbol"), ("sec_type", "secType"), ("market", "market"), ("currency", "currency"))
    return all(params.get(name) in (None, "", "ALL", have[key]) for name, key in named)


def _is_of(order: Order, params: Params) -> bool:
    wanted = params.get("order_id")
    return (wanted is None or order.id == wanted) and _is_wanted(order.contract, params)


def _date(params: Params, *names: str, default: float) -> float:
    value = next((params[name] for name in names if params.get(name) is not None), None)
    text = str(value)
    if len(text) == 8 and text.isdigit():
        value = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return calendar.moment(value, default)


def _check_dates(params: Params, now: float) -> None:
    if params.get("start_date") is None or params.get("end_date") is None:
        raise business("field 'start_date' and 'end_date' cannot be empty")
    if _date(params, "end_date", default=now) - _date(params, "start_date", default=now) > _LONGEST:
        raise business("the range of dates cannot exceed 90 days")


def _page(rows: Sequence[T], params: Params, prefix: str) -> tuple[Sequence[T], str]:
    limit = params.get("limit", 100)
    if not isinstance(limit, int) or not 0 < limit <= _MOST:
        raise business(f"field 'limit' is between 1 and {_MOST}")
    before = _read_token(str(params.get("page_token") or ""), prefix)
    newest = [row for row in reversed(rows) if before is None or row.id < before]
    page = newest[:limit]
    more = len(newest) > limit
    return page, base64.b64encode(f"{prefix}{page[-1].id}".encode()).decode() if more else ""


def _read_token(token: str, prefix: str) -> int | None:
    if not token:
        return None
    try:
        text = base64.b64decode(token, validate=True).decode()
        if text.startswith(prefix):
            return int(text.removeprefix(prefix))
    except (binascii.Error, ValueError):
        pass
    raise business("page_token is not valid")
