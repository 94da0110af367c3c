"""Opened secrets, kept for a while: so many at most, and none longer than its time."""

from __future__ import annotations

from typing import Generic, TypeVar, final
from uuid import UUID

from tigercore.clock import Clock

V = TypeVar("V")
_MOST = 16_384


@final
class TtlCache(Generic[V]):
    """Keep one value for each account, for `seconds` after it was put; the oldest goes if there are too many."""

    def __init__(self, clock: Clock, seconds: float, most: int = _MOST) -> None:
        self._clock = clock
        self._seconds = seconds
        self._most = most
        self._kept: dict[UUID, tuple[float, V]] = {}

    def get(self, account_id: UUID) -> V | None:
        """Return what is kept, None if nothing is, or if its time is over."""
        kept = self._kept.get(account_id)
        if kept is None or kept[0] <= self._clock.monotonic():
            return None
        return kept[1]

    def put(self, account_id: UUID, value: V) -> None:
        """Keep a value from now on, in the place of the one before."""
        self._kept.pop(account_id, None)  # so that the dict stays in the order of time
        self._kept[account_id] = (self._clock.monotonic() + self._seconds, value)
        if len(self._kept) > self._most:
            del self._kept[next(iter(self._kept))]

    def drop(self, account_id: UUID) -> None:
        """Keep nothing for an account."""
        self._kept.pop(account_id, None)

    def sweep(self) -> None:
        """Drop whatever has had its time."""
        now = self._clock.monotonic()
        while self._kept and next(iter(self._kept.values()))[0] <= now:
            del self._kept[next(iter(self._kept))]

    def clear(self) -> None:
        """Drop everything."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)
