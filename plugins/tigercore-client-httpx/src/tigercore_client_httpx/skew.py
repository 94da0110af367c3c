"""How far the gateway's clock is from ours, by the stamps of its replies."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Any, final

from tigercore.ports import Clock

__all__ = ["Skew"]

_KEPT = 5  # one stamp alone may have been held up on its way, or be nonsense (reliability 3.3)
_RANGE = range(1_000_000_000_000, 10_000_000_000_000)  # of stamps in ms that can be a moment of our time


@final
class Skew:
    """Keep what the last stamps say, by the clock that never steps; the median of it is what counts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._zeros: deque[float] = deque(maxlen=_KEPT)  # the gateway's time at the zero of `monotonic`
        self._zero: float | None = None

    @property
    def seconds(self) -> float | None:
        """Return the difference as it is now: a step of our own clock shows at once."""
        if self._zero is None:
            return None
        return self._zero + self._clock.monotonic() - self._clock.now().timestamp()

    def learn(self, stamp: Any) -> None:
        """Take note of a reply's stamp, in ms since 1970; whatever else it is says nothing."""
        if type(stamp) is int and stamp in _RANGE:
            self._zeros.append(stamp / 1000 - self._clock.monotonic())
            self._zero = median(self._zeros)
