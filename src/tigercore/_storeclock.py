"""The store's time, as far as its answers tell it: what leases and due times are measured by."""

from __future__ import annotations

import logging
from collections import deque
from datetime import datetime, timedelta
from typing import final

from tigercore.clock import Clock

_log = logging.getLogger("tigercore.tokens")
_STEP = timedelta(seconds=60)  # what an answer may differ from what was expected before it counts as a step
_WORTH_A_WARNING = 60.0  # seconds by which this machine's clock may differ (reliability 3.3)


@final
class StoreClock:
    """Go on from what the store has said, by the clock that never steps.

    What is believed is never ahead of the store by more than an answer's delay. A step backward is believed at once,
    one forward after `hold` seconds: until then nothing that others have in hand is taken for over.
    """

    def __init__(self, clock: Clock, hold: float = 0.0) -> None:
        self._clock = clock
        self._hold = hold
        # The store's time at the zero of `monotonic`, and since when that counts. Each is a step ahead of the one
        # before it; the first is believed.
        self._zeros: deque[tuple[datetime, float]] = deque()
        self._difference = 0.0
        self._told: float | None = None

    @property
    def difference(self) -> float:
        """Return by how many seconds the store was ahead of this machine's wall time when it answered last."""
        return self._difference

    def now(self) -> datetime:
        """Return the store's time; this machine's own until the store has said anything."""
        if not self._zeros:
            return self._clock.now()
        monotonic = self._clock.monotonic()
        while len(self._zeros) > 1 and self._zeros[1][1] <= monotonic:
            self._zeros.popleft()
        return self._zeros[0][0] + timedelta(seconds=monotonic)

    def seen(self, store_now: datetime, asked_at: float) -> None:
        """Take note of the time that the store said when it was asked at this moment of `monotonic`."""
        received_at = self._clock.monotonic()
        self.now()  # what has come to count by now counts
        zero = store_now - timedelta(seconds=received_at)  # or later: when in between it read its clock nobody knows
        if self._zeros:
            expected = self._zeros[-1][0]
            zero = min(max(expected, zero), zero + timedelta(seconds=received_at - asked_at))
            self._tell_of_step(zero - expected)
        self._believe(zero, received_at)
        self._compare(zero + timedelta(seconds=received_at) - self._clock.now())

    def _believe(self, zero: datetime, moment: float) -> None:
        """Let this count in the place of whatever it is no step ahead of, from when that counts."""
        counts = moment + self._hold if self._zeros else moment
        while self._zeros and zero - self._zeros[-1][0] <= _STEP:
            counts = self._zeros.pop()[1]
        self._zeros.append((zero, counts))

    def _tell_of_step(self, step: timedelta) -> None:
        seconds = step.total_seconds()
        if step > _STEP:
            told = "the store's clock stepped forward by %.0f s, or this machine slept; that counts in %.0f s"
            _log.warning(told, seconds, self._hold)
        elif step < -_STEP:
            _log.warning("the store's clock stepped backward by %.0f s", -seconds)

    def _compare(self, ahead: timedelta) -> None:
        """Tell the log if this machine's clock differs from the store's, once until that has changed by a minute."""
        difference = self._difference = ahead.total_seconds()
        if abs(difference) <= _WORTH_A_WARNING:
            self._told = None
        elif self._told is None or abs(difference - self._told) > _WORTH_A_WARNING:
            self._told = difference
            way = "behind" if difference > 0 else "ahead of"
            _log.warning("this machine's clock is %.0f s %s the store's: set it (NTP)", abs(difference), way)
