"""A clock that moves when it is told to."""

from __future__ import annotations

import logging
import random
from datetime import UTC, datetime, timedelta
from typing import final

from tigercore.clock import Clock
from tigercore.ports import DriverContext


@final
class ManualClock(Clock):
    """Stand still at `start` until `advance` is called."""

    def __init__(self, start: datetime = datetime(2026, 1, 5, 12, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0

    def advance(self, seconds: float) -> None:
        """Move both times forward by this many seconds."""
        self._elapsed += seconds

    def step(self, seconds: float) -> None:
        """Set the wall time forward or back, as a person or NTP does; no time passes."""
        self._start += timedelta(seconds=seconds)

    def now(self) -> datetime:
        """Return the wall time of the test, aware, in UTC."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the seconds that the test has let pass."""
        return self._elapsed


def driver_context(clock: Clock | None = None, seed: int = 0) -> DriverContext:
    """Return what a driver is opened with: a clock of the test's, seeded randomness and a quiet log."""
    return DriverContext(clock or ManualClock(), random.Random(seed), logging.getLogger("tigercore.test"))
