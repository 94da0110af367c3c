"""The oracle: what was executed, whatever the client was told."""

from collections import Counter, defaultdict
from decimal import Decimal

from attrs import asdict, frozen

from tigercore_simulator.refreshes import Refreshes
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
    """Count executed calls, refused calls, placed orders and token refreshes.

    ``refreshes`` are kept by ``tiger_id``, and those of OAuth 2.0 by ``client_id``.
    """

    def __init__(self) -> None:
        self.executed: Counter[Done] = Counter()
        self.refused: Counter[tuple[str, str, int]] = Counter()
        self.refreshes: defaultdict[str, Refreshes] = defaultdict(Refreshes)
        self.orders: list[Placed] = []

    @property
    def token_refreshes(self) -> dict[str, int]:
        """Return how many refreshes were accepted, by whose they were."""
        return {name: len(each.generations) for name, each in self.refreshes.items() if each.generations}

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
            "token_refreshes": self.token_refreshes,
            "refreshes": {name: each.to_json() for name, each in self.refreshes.items()},
            "orders": [_row(order) | {"quantity": str(order.quantity)} for order in self.orders],
        }


def _matches(done: Done, wanted: tuple[str | None, str | None, str | None]) -> bool:
    found = (done.tiger_id, done.account, done.method)
    return all(want is None or want == have for want, have in zip(wanted, found, strict=True))


def _row(value: Done | Placed) -> dict[str, object]:
    return asdict(value)
