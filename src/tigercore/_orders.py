"""Which account an order belongs to, so that a change or a cancel goes nowhere else. Kept in memory for now."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, final
from uuid import UUID

_MOST = 100_000  # orders remembered; the oldest go first


@final
class OrderMap:
    """Remember the accounts of orders that this process has placed."""

    def __init__(self) -> None:
        self._owners: OrderedDict[int, UUID] = OrderedDict()

    def learn(self, reply: Any, account_id: UUID) -> None:
        """Take note of an order that was placed, if the gateway's reply names its id."""
        if isinstance(reply, Mapping) and isinstance(reply.get("id"), int):
            self._owners[reply["id"]] = account_id
            if len(self._owners) > _MOST:
                self._owners.popitem(last=False)

    def owner(self, params: Mapping[str, Any]) -> UUID | None:
        """Return the account of the order that these parameters name, None if it is not known."""
        order_id = params.get("id")
        return self._owners.get(order_id) if isinstance(order_id, int) else None
