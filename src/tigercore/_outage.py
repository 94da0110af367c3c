"""Whether the whole gateway is down: then one refresh is tried after the other. Pure but for a clock."""

from __future__ import annotations

import random
from typing import final

from tigercore.clock import Clock

_ENOUGH = 3  # developers whose refreshes fail in a row, none of them refused
_FIRST, _MOST = 5.0, 300.0  # seconds between two tries


@final
class Outage:
    """Count refreshes that the gateway did not answer, and say when the next one may be tried."""

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._failed: set[str] = set()
        self._tries = 0
        self._next = 0.0

    @property
    def is_on(self) -> bool:
        """Say whether the gateway is taken to be down."""
        return len(self._failed) >= _ENOUGH

    def wait(self) -> float:
        """Return for how many seconds nobody should try, 0.0 while the gateway answers."""
        return max(self._next - self._clock.monotonic(), 0.0) if self.is_on else 0.0

    def answered(self) -> None:
        """Take note that the gateway has answered."""
        self._failed.clear()
        self._tries = 0

    def silent(self, developer: str) -> None:
        """Take note that it has not: what was sent for this developer was lost, or could not be sent."""
        self._failed.add(developer)
        if self.is_on:
            most = min(_FIRST * 2 ** min(self._tries, 10), _MOST)
            self._next = self._clock.monotonic() + self._rng.uniform(0.5, 1.0) * most
            self._tries += 1
