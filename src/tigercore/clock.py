"""Time, as a thing that is passed in."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import final

__all__ = ["Clock", "SystemClock"]


class Clock(ABC):
    """Tell the time of day and the time that never runs backwards."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""

    @abstractmethod
    def monotonic(self) -> float:
        """Return seconds since some fixed moment; only differences mean anything."""


@final
class SystemClock(Clock):
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Return the machine's wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic time in seconds."""
        return time.monotonic()
