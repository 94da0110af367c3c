"""The accounts: the orders of each, its ledger, and what its open orders set aside."""

from decimal import Decimal

from tigercore_simulator.ledger import Ledger, commission, money
from tigercore_simulator.orders import ZERO, Contract, Order

_PAPER_CASH, _PRIME_CASH = Decimal(1_000_000), Decimal(100_000)


class Account:
    """Keep the orders and the ledger of one account."""

    def __init__(self, number: str, first_order_id: int) -> None:
        self.number = number
        self.ledger = Ledger(_PAPER_CASH if len(number) == 17 else _PRIME_CASH)
        self.orders: dict[int, Order] = {}
        self._active: dict[int, Order] = {}
        self.next_order_id = first_order_id
        self.worked = 0.0

    def take_order_id(self) -> int:
        """Return the next local order number."""
        self.next_order_id += 1
        return self.next_order_id

    def put(self, order: Order) -> None:
        """Keep an order as it stands now."""
        self.orders[order.id] = order
        if order.is_active:
            self._active[order.id] = order
        else:
            self._active.pop(order.id, None)

    def active(self) -> list[Order]:
        """Return the orders that may still be filled."""
        return list(self._active.values())

    def locked(self, currency: str, besides: int = 0) -> Decimal:
        """Return the cash set aside for open purchases."""
        wanted = (order for order in self.active() if order.action == "BUY" and order.id != besides)
        return sum((cost(each) for each in wanted if each.contract.currency == currency), ZERO)

    def promised(self, contract: Contract, besides: int = 0) -> Decimal:
        """Return the quantity set aside for open sales."""
        wanted = (order for order in self.active() if order.action == "SELL" and order.id != besides)
        return sum((each.left for each in wanted if each.contract == contract), ZERO)


def cost(order: Order) -> Decimal:
    """Return the cash an order still needs, the commission included."""
    return money(order.left * order.price * order.contract.multiplier) + commission(order.left)
