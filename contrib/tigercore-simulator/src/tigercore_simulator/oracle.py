"""The oracle: what was executed, whatever the client was told."""

from collections import Counter
from decimal import Decimal

from attrs import asdict, frozen

from tigercore_simulator.refusals import Refusal


@frozen
class Placed:
    """Hold one order that reached the book."""

    tiger_id: str
    account: str
    id: int
    order_id: int
    user_mark: str
    symbol: str
    action: str
    quantity: Decimal


@frozen
class Done:
    """Name what was executed: whose method, on which account."""

    tiger_id: str
    account: str | None
    method: str


class Oracle:
    """Count executed calls, refused calls, placed orders and accepted token refreshes."""

    def __init__(self) -> None:
        self.executed: Counter[Done] = Counter()
        self.refused: Counter[tuple[str, str, int]] = Counter()
        self.token_refreshes: Counter[str] = Counter()
        self.orders: list[Placed] = []

    def count(self, tiger_id: str | None = None, *, account: str | None = None, method: str | None = None) -> int:
        """Return how many executed calls match; what is not named matches all."""
        wanted = (tiger_id, account, method)
        return sum(times for done, times in self.executed.items() if _matches(done, wanted))

    def orders_of(self, account: str) -> tuple[Placed, ...]:
        """Return the orders of one account, oldest first."""
        return tuple(order for order in self.orders if order.account == account)

    def done(self, tiger_id: str, account: str | None, method: str) -> None:
        """Count a call that was executed."""
        self.executed[Done(tiger_id, account, method)] += 1
        if method == "user_token_refresh":
            self.token_refreshes[tiger_id] += 1

    def refuse(self, tiger_id: str, method: str, refusal: Refusal) -> None:
        """Count a call that was refused."""
        self.refused[tiger_id, method, refusal.code] += 1

    def placed(self, order: Placed) -> None:
        """Keep an order that reached the book."""
        self.orders.append(order)

    def snapshot(self) -> dict[str, object]:
        """Return everything counted so far as a JSON object."""
        return {
            "executed": [_row(done) | {"times": times} for done, times in self.executed.items()],
            "refused": [
                {"tiger_id": tiger_id, "method": method, "code": code, "times": times}
                for (tiger_id, method, code), times in self.refused.items()
            ],
            "token_refreshes": dict(self.token_refreshes),
            "orders": [_row(order) | {"quantity": str(order.quantity)} for order in self.orders],
        }


def _matches(done: Done, wanted: tuple[str | None, str | None, str | None]) -> bool:
    found = (done.tiger_id, done.account, done.method)
    return all(want is None or want == have for want, have in zip(wanted, found, strict=True))


def _row(value: Done | Placed) -> dict[str, object]:
    return asdict(value)
