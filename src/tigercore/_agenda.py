"""What is to be done when: a heap over the next moment of each account, of which only the first is ever looked at."""

from __future__ import annotations

import heapq
from datetime import datetime
from typing import final
from uuid import UUID


@final
class Agenda:
    """Keep one moment for each account; entries that were changed stay in the heap until they come up."""

    def __init__(self) -> None:
        self._when: dict[UUID, float] = {}
        self._heap: list[tuple[float, UUID]] = []

    def put(self, account_id: UUID, moment: datetime | None) -> None:
        """Set an account's moment in the place of the one before; None: nothing is to be done about it."""
        if moment is None:
            self._when.pop(account_id, None)
            return
        when = moment.timestamp()
        if self._when.get(account_id) != when:
            self._when[account_id] = when
            heapq.heappush(self._heap, (when, account_id))
            if len(self._heap) > 2 * len(self._when) + 1000:
                self._heap = [(when, account_id) for account_id, when in self._when.items()]
                heapq.heapify(self._heap)

    def first(self) -> tuple[UUID, float] | None:
        """Return the account whose moment comes first, and the moment in seconds since 1970."""
        while self._heap:
            when, account_id = self._heap[0]
            if self._when.get(account_id) == when:
                return account_id, when
            heapq.heappop(self._heap)
        return None

    def take(self, account_id: UUID) -> None:
        """Strike an account out until it is put again."""
        self._when.pop(account_id, None)

    def __len__(self) -> int:
        return len(self._when)
