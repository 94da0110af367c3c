"""The broker: takes orders, lets them live on the clock, and keeps what the accounts own."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from math import inf
from random import Random

from attrs import evolve, frozen

from tigercore_simulator import calendar
from tigercore_simulator.accounts import Account, cost
from tigercore_simulator.ledger import Fill, commission
from tigercore_simulator.market import Market
from tigercore_simulator.options import Options
from tigercore_simulator.orders import Contract, Order, Status, check_same, read_limit, read_order, read_quantity
from tigercore_simulator.refusals import standard
from tigercore_simulator.wire import Params

_FIRST_ID = 40_000_000_000_000_000
_SHARES_OF_TWO = 2


@frozen
class Pace:
    """Say how many seconds after it was placed an order is submitted, filled in half and filled."""

    submit: float = 0.07
    first_fill: float = 0.2
    last_fill: float = 0.5


NATURAL = Pace()


class Broker:
    """Take orders and work them; everything moves on the moments it is told."""

    def __init__(self, market: Market, options: Options, random: Random, pace: Pace) -> None:
        self._market = market
        self._options = options
        self._random = random
        self._pace = pace
        self._accounts: dict[str, Account] = {}
        self._last_id = _FIRST_ID + random.randrange(10**12)

    def account(self, number: str, now: float) -> Account:
        """Return an account with its orders worked up to now."""
        account = self._account(number)
        for order in account.active():
            account.put(self._work(account, order, now))
        account.worked = now
        return account

    def quoter(self, now: float) -> Callable[[Contract], Decimal]:
        """Return what tells the price of a contract now."""
        return lambda contract: self.price(contract, now)

    def price(self, contract: Contract, now: float) -> Decimal:
        """Return the last price of a contract."""
        if contract.option:
            return _decimal(self._options.price(contract.option, now))
        return _decimal(self._market.spot(contract.symbol, now).last)

    def next_order_id(self, params: Params, now: float) -> int:
        """Hand out the next local order number of an account."""
        return self._account(str(params["account"])).take_order_id()

    def draft(self, params: Params, now: float) -> Order:
        """Read an order without placing it."""
        order = read_order(params, 0, 0, now)
        return evolve(order, estimate=self.price(order.contract, now))

    def place(self, params: Params, now: float) -> Order:
        """Place an order."""
        account = self.account(str(params["account"]), now)
        draft = self.draft(params, now)
        self.check_means(account, draft)
        order = evolve(draft, id=self._take_id(), order_id=params.get("order_id") or account.take_order_id())
        account.put(order)
        return order

    def modify(self, params: Params, now: float) -> Order:
        """Change the quantity or the limit of an order."""
        account, order = self._open_order(params, now, "modified")
        check_same(order, params)
        changed = _changed(order, params, now)
        self.check_means(account, changed)
        account.put(changed)
        return changed

    def cancel(self, params: Params, now: float) -> Order:
        """Cancel an order."""
        account, order = self._open_order(params, now, "cancelled")
        leaving = evolve(order, status=Status.PENDING_CANCEL, since=now, updated=now, cancelled="RECEIVED")
        account.put(leaving)
        return leaving

    def find(self, params: Params, now: float) -> tuple[Account, Order]:
        """Return the order a request names by its global or its local number."""
        account = self.account(str(params["account"]), now)
        for order in _named(account, params):
            return account, order
        raise standard("not_found:Order does not exist")

    def check_means(self, account: Account, order: Order) -> None:
        """Refuse an order its account cannot pay for or deliver."""
        if order.action == "SELL":
            owned = account.ledger.position(order.contract).quantity
            if order.left > owned - account.promised(order.contract, order.id):
                raise standard("bad_request:Insufficient position")
        elif cost(order) > self.means(account, order):
            raise standard("bad_request:Insufficient buying power")

    def means(self, account: Account, order: Order) -> Decimal:
        """Return the cash an order may use."""
        currency = order.contract.currency
        return account.ledger.cash[currency] - account.locked(currency, order.id)

    def _account(self, number: str) -> Account:
        found = self._accounts.get(number)
        if found is None:
            found = self._accounts[number] = Account(number, 1000)
        return found

    def _take_id(self) -> int:
        self._last_id += self._random.randrange(1, 4096) * 256
        return self._last_id

    def _open_order(self, params: Params, now: float, verb: str) -> tuple[Account, Order]:
        account, order = self.find(params, now)
        if order.status in (Status.CANCELLED, Status.PENDING_CANCEL):
            raise standard(f"bad_request:The order has been cancelled and cannot be {verb}")
        if not order.is_active:
            raise standard(f"bad_request:The order is {order.status.value.lower()} and cannot be {verb}")
        return account, order

    def _work(self, account: Account, order: Order, now: float) -> Order:
        if order.status is Status.PENDING_CANCEL:
            return _cancelled(order, now, self._pace.submit)
        if now < order.since + self._pace.submit:
            return order
        if order.status is Status.INITIAL:
            order = evolve(order, status=Status.SUBMITTED, updated=order.since + self._pace.submit)
        end = _end_of_day(order) if order.time_in_force == "DAY" else inf
        for at in self._moments(account, order, now):
            if order.is_active and at < end:
                order = self._trade(account, order, at)
        if order.is_active and now >= end:
            return evolve(order, status=Status.INACTIVE, updated=end, remark="Order expired")
        return order

    def _moments(self, account: Account, order: Order, now: float) -> Iterator[float]:
        # What happened since the account was last looked at does not depend on when it is looked at.
        planned = (order.since + self._pace.first_fill, order.since + self._pace.last_fill)
        yield from (at for at in planned if account.worked < at < now)
        yield now

    def _trade(self, account: Account, order: Order, now: float) -> Order:
        price = self._fill_price(order, now)
        if price is None:
            return order
        half = (order.quantity // _SHARES_OF_TWO).to_integral_value()
        if now >= order.since + self._pace.last_fill:
            return self._fill(account, order, order.left, price, now)
        if now >= order.since + self._pace.first_fill and not order.filled and half:
            return self._fill(account, order, half, price, now)
        return order

    def _fill_price(self, order: Order, now: float) -> Decimal | None:
        price = self.price(order.contract, now)
        if order.limit is None:
            return price
        reached = price <= order.limit if order.action == "BUY" else price >= order.limit
        return price if reached else None

    def _fill(self, account: Account, order: Order, quantity: Decimal, price: Decimal, now: float) -> Order:
        fill = Fill(self._take_id(), order, quantity, price, commission(quantity), now)
        if order.action == "BUY" and fill.amount + fill.commission > account.ledger.cash[order.contract.currency]:
            return evolve(order, status=Status.INACTIVE, updated=now, remark="Insufficient buying power")
        return _after(order, fill, account.ledger.book(fill))


def _named(account: Account, params: Params) -> Iterator[Order]:
    if params.get("id"):
        found = account.orders.get(params["id"])
        return iter([found] if found else [])
    wanted = params.get("order_id")
    return (order for order in account.orders.values() if wanted and order.order_id == wanted)


def _changed(order: Order, params: Params, now: float) -> Order:
    named = params if params.get("order_type") else {**params, "order_type": order.order_type}
    quantity, scale = read_quantity(params) if params.get("total_quantity") else (order.quantity, order.scale)
    limit = read_limit(named) if params.get("limit_price") else order.limit
    if quantity <= order.filled:
        raise standard("bad_request:The quantity is already filled and cannot be modified")
    return evolve(order, quantity=quantity, scale=scale, limit=limit, since=now, updated=now, replaced="REPLACED")


def _after(order: Order, fill: Fill, gain: Decimal) -> Order:
    filled = order.filled + fill.quantity
    spent = order.average * order.filled + fill.price * fill.quantity
    return evolve(
        order,
        filled=filled,
        average=(spent / filled).quantize(Decimal("0.0001")),
        commission=order.commission + fill.commission,
        realized=order.realized + gain,
        status=Status.FILLED if filled == order.quantity else Status.SUBMITTED,
        updated=fill.at,
    )


def _cancelled(order: Order, now: float, after: float) -> Order:
    if now < order.since + after:
        return order
    return evolve(order, status=Status.CANCELLED, updated=order.since + after)


def _end_of_day(order: Order) -> float:
    return calendar.midnight(calendar.day_of(order.placed) + 1)


def _decimal(price: float) -> Decimal:
    return Decimal(str(price))
