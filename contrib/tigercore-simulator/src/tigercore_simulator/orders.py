"""Orders as values: what is bought or sold, how, and how far it has come."""

from decimal import Decimal, InvalidOperation
from enum import StrEnum

from attrs import frozen

from tigercore_simulator.market import currency_of, market_of
from tigercore_simulator.options import Option, read_option
from tigercore_simulator.refusals import business, standard
from tigercore_simulator.wire import Json, Params

ZERO = Decimal(0)
_KEEPS = ("action", "order_type", "symbol", "sec_type")


class Status(StrEnum):
    """Name the states an order lives through."""

    INITIAL = "Initial"
    SUBMITTED = "Submitted"
    PENDING_CANCEL = "PendingCancel"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    INACTIVE = "Inactive"


ACTIVE = frozenset({Status.INITIAL, Status.SUBMITTED, Status.PENDING_CANCEL})


@frozen
class Contract:
    """Name what is traded."""

    symbol: str
    sec_type: str
    option: Option | None = None

    @property
    def identifier(self) -> str:
        """Return the one name of the contract."""
        return self.option.identifier if self.option else self.symbol

    @property
    def multiplier(self) -> int:
        """Return how many units one contract stands for."""
        return 100 if self.option else 1

    @property
    def currency(self) -> str:
        """Return the currency it is paid in."""
        return currency_of(self.symbol)

    def as_json(self) -> Json:
        """Return the contract as the gateway writes it."""
        place = {"symbol": self.symbol, "market": market_of(self.symbol), "secType": self.sec_type}
        named = place | {"currency": self.currency, "identifier": self.identifier}
        if self.option is None:
            return named
        terms = {"strike": str(self.option.strike), "right": self.option.right.upper(), "multiplier": 100}
        return named | terms | {"expiry": self.option.expiry}


@frozen
class Order:
    """Hold one order as it stands; ``since`` is when it was last placed, modified or cancelled."""

    id: int
    order_id: int
    account: str
    contract: Contract
    action: str
    order_type: str
    quantity: Decimal
    scale: int
    limit: Decimal | None
    time_in_force: str
    outside_rth: bool
    user_mark: str
    placed: float
    since: float
    updated: float
    estimate: Decimal = ZERO
    status: Status = Status.INITIAL
    filled: Decimal = ZERO
    average: Decimal = ZERO
    commission: Decimal = ZERO
    realized: Decimal = ZERO
    remark: str = ""
    replaced: str = "NONE"
    cancelled: str = "NONE"

    @property
    def is_active(self) -> bool:
        """Tell whether the order may still be filled."""
        return self.status in ACTIVE

    @property
    def price(self) -> Decimal:
        """Return the price to set money aside at."""
        return self.estimate if self.limit is None else self.limit

    @property
    def left(self) -> Decimal:
        """Return the quantity not filled yet."""
        return self.quantity - self.filled

    def as_json(self) -> Json:
        """Return the order as the gateway writes it."""
        return self.contract.as_json() | self._terms() | self._progress() | self._standing()

    def _terms(self) -> Json:
        return {
            "id": self.id,
            "orderId": self.order_id,
            "externalId": str(self.order_id),
            "account": self.account,
            "action": self.action,
            "orderType": self.order_type,
            "limitPrice": self.limit,
            "timeInForce": self.time_in_force,
            "outsideRth": self.outside_rth,
            "userMark": self.user_mark,
            "algoStrategy": self.order_type,
            "tradingSessionType": "RTH",
        }

    def _progress(self) -> Json:
        return {
            "totalQuantity": int(self.quantity.scaleb(self.scale)),
            "totalQuantityScale": self.scale,
            "filledQuantity": int(self.filled.scaleb(self.scale)),
            "filledQuantityScale": self.scale,
            "filledCashAmount": self.filled * self.average * self.contract.multiplier,
            "avgFillPrice": self.average,
            "commission": self.commission,
            "gst": 0.0,
            "realizedPnl": self.realized,
        }

    def _standing(self) -> Json:
        return {
            "status": self.status.value,
            "openTime": int(self.placed * 1000),
            "updateTime": int(self.updated * 1000),
            "latestTime": int(self.updated * 1000),
            "name": self.contract.symbol,
            "remark": self.remark,
            "liquidation": False,
            "source": "OpenApi",
            "discount": 0,
            "replaceStatus": self.replaced,
            "cancelStatus": self.cancelled,
            "canModify": self.status in (Status.INITIAL, Status.SUBMITTED),
            "canCancel": self.status in (Status.INITIAL, Status.SUBMITTED),
            "isOpen": True,
        }


def read_contract(params: Params) -> Contract:
    """Read what an order is for."""
    symbol, sec_type = str(params.get("symbol") or ""), str(params.get("sec_type") or "STK")
    if not symbol:
        raise business("field 'symbol' cannot be empty")
    if sec_type == "STK":
        return Contract(symbol, sec_type)
    if sec_type != "OPT":
        raise standard("bad_request:We don't support trading of this stock now")
    option = read_option(params)
    return Contract(symbol, sec_type, option)


def read_order(params: Params, id: int, order_id: int, now: float) -> Order:
    """Read an order from the parameters of a request."""
    quantity, scale = read_quantity(params)
    return Order(
        id=id,
        order_id=order_id,
        account=str(params["account"]),
        contract=read_contract(params),
        action=_one_of(params, "action", ("BUY", "SELL")),
        order_type=_one_of(params, "order_type", ("MKT", "LMT")),
        quantity=quantity,
        scale=scale,
        limit=read_limit(params),
        time_in_force=_one_of(params, "time_in_force", ("DAY", "GTC"), "DAY"),
        outside_rth=bool(params.get("outside_rth", False)),
        user_mark=str(params.get("user_mark") or ""),
        placed=now,
        since=now,
        updated=now,
    )


def read_quantity(params: Params) -> tuple[Decimal, int]:
    """Read how much an order is for, and with how many decimal places."""
    scale = params.get("total_quantity_scale") or 0
    if not isinstance(scale, int) or not 0 <= scale <= 10:
        raise business("field 'total_quantity_scale' invalid")
    quantity = read_decimal(params, "total_quantity").scaleb(-scale)
    if quantity <= 0:
        raise business("field 'total_quantity' invalid")
    return quantity, max(scale, -int(quantity.normalize().as_tuple().exponent), 0)


def read_limit(params: Params) -> Decimal | None:
    """Read the limit of an order, if it has one."""
    if params.get("order_type") != "LMT":
        return None
    limit = read_decimal(params, "limit_price")
    if limit <= 0:
        raise business("field 'limit_price' invalid")
    return limit


def read_decimal(params: Params, name: str) -> Decimal:
    """Read a number a request must have."""
    value = params.get(name)
    if value is None:
        raise business(f"field '{name}' cannot be empty")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise business(f"field '{name}' invalid") from None
    if not number.is_finite() or abs(number) > 10**12:
        raise business(f"field '{name}' invalid")
    return number


def check_same(order: Order, params: Params) -> None:
    """Refuse a change of what cannot change."""
    have = (order.action, order.order_type, order.contract.symbol, order.contract.sec_type)
    for name, value in zip(_KEEPS, have, strict=True):
        if params.get(name, value) not in (value, None):
            raise standard(f"bad_request:The order's {name} cannot be modified")


def _one_of(params: Params, name: str, known: tuple[str, ...], default: str = "") -> str:
    value = str(params.get(name) or default)
    if value not in known:
        raise business(f"'{name}' {value} not supported")
    return value
