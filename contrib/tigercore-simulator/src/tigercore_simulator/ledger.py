"""What one account owns: cash, positions, and the fills that changed them."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from attrs import evolve, frozen

from tigercore_simulator.orders import ZERO, Contract, Order
from tigercore_simulator.wire import Json

CENT = Decimal("0.01")
RATES = {"USD": Decimal(1), "HKD": Decimal("0.128"), "CNH": Decimal("0.14")}
_PER_UNIT = Decimal("0.0099")

Quote = Callable[[Contract], Decimal]


@frozen
class Fill:
    """Hold one fill of an order."""

    id: int
    order: Order
    quantity: Decimal
    price: Decimal
    commission: Decimal
    at: float

    @property
    def amount(self) -> Decimal:
        """Return the money that changed hands, without the commission."""
        return money(self.quantity * self.price * self.order.contract.multiplier)


@frozen
class Position:
    """Hold what an account owns of one contract."""

    contract: Contract
    quantity: Decimal = ZERO
    average: Decimal = ZERO
    realized: Decimal = ZERO

    def bought(self, fill: Fill) -> "Position":
        """Return the position after a purchase."""
        units = fill.quantity * self.contract.multiplier
        paid = self.average * self.quantity * self.contract.multiplier + units * fill.price + fill.commission
        quantity = self.quantity + fill.quantity
        return evolve(self, quantity=quantity, average=paid / (quantity * self.contract.multiplier))

    def sold(self, fill: Fill) -> "Position":
        """Return the position after a sale."""
        return evolve(self, quantity=self.quantity - fill.quantity, realized=self.realized + self.gain(fill))

    def gain(self, fill: Fill) -> Decimal:
        """Return what a sale earns."""
        return money((fill.price - self.average) * fill.quantity * self.contract.multiplier - fill.commission)

    def value(self, price: Decimal) -> Decimal:
        """Return what the position is worth at a price."""
        return money(self.quantity * price * self.contract.multiplier)


class Ledger:
    """Keep the cash and the positions of one account."""

    def __init__(self, cash: Decimal) -> None:
        self.cash = dict.fromkeys(RATES, ZERO) | {"USD": cash, "HKD": cash}
        self.positions: dict[str, Position] = {}
        self.fills: list[Fill] = []

    def position(self, contract: Contract) -> Position:
        """Return what is owned of a contract, which may be nothing."""
        return self.positions.get(contract.identifier) or Position(contract)

    def book(self, fill: Fill) -> Decimal:
        """Change cash and positions by a fill, and return what it earned."""
        contract = fill.order.contract
        before = self.position(contract)
        buys = fill.order.action == "BUY"
        moved = -fill.amount if buys else fill.amount
        self.cash[contract.currency] += moved - fill.commission
        self.positions[contract.identifier] = before.bought(fill) if buys else before.sold(fill)
        self.fills.append(fill)
        return ZERO if buys else before.gain(fill)

    def held(self) -> list[Position]:
        """Return the positions that are not empty."""
        return [position for position in self.positions.values() if position.quantity]

    def market_value(self, quote: Quote, currency: str | None = None) -> Decimal:
        """Return what the positions are worth, in one currency or all of them in US dollars."""
        if currency is None:
            return money(sum((self.market_value(quote, each) * rate for each, rate in RATES.items()), ZERO))
        held = (each for each in self.held() if each.contract.currency == currency)
        return sum((each.value(quote(each.contract)) for each in held), ZERO)

    def total_cash(self) -> Decimal:
        """Return all cash in US dollars."""
        return money(sum((self.cash[each] * rate for each, rate in RATES.items()), ZERO))

    def realized(self) -> Decimal:
        """Return what all sales have earned, in US dollars."""
        return money(sum((each.realized * RATES[each.contract.currency] for each in self.positions.values()), ZERO))

    def unrealized(self, quote: Quote) -> Decimal:
        """Return what selling everything would earn, in US dollars."""
        gains = (_gain(each, quote(each.contract)) * RATES[each.contract.currency] for each in self.held())
        return money(sum(gains, ZERO))


def money(amount: Decimal) -> Decimal:
    """Round an amount to whole cents."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def commission(quantity: Decimal) -> Decimal:
    """Return what the broker asks for trading a quantity."""
    return money(max(quantity * _PER_UNIT, CENT))


def position_row(position: Position, account: str, price: Decimal, close: Decimal, now: float) -> Json:
    """Return a position as the gateway writes it."""
    gain = _gain(position, price)
    cost = position.average * position.quantity * position.contract.multiplier
    return (
        position.contract.as_json()
        | _quantities(position.quantity)
        | {
            "account": account,
            "averageCost": position.average.quantize(Decimal("0.0001")),
            "latestPrice": price,
            "marketValue": position.value(price),
            "unrealizedPnl": gain,
            "unrealizedPnlPercent": round(float(gain / cost), 4) if cost else 0.0,
            "realizedPnl": position.realized,
            "multiplier": float(position.contract.multiplier),
            "status": 0,
            "todayPnl": position.value(price) - position.value(close),
            "lastClosePrice": close,
            "updateTimestamp": int(now * 1000),
            "categories": [],
        }
    )


def _gain(position: Position, price: Decimal) -> Decimal:
    return money((price - position.average) * position.quantity * position.contract.multiplier)


def _quantities(quantity: Decimal) -> Json:
    scale = max(0, -int(quantity.normalize().as_tuple().exponent))
    whole = int(quantity.scaleb(scale))
    return {"position": whole, "positionScale": scale, "positionQty": quantity, "salableQty": quantity}
