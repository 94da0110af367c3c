"""The random walk of one symbol: a bar for each day, a price for each minute."""

from datetime import date
from functools import lru_cache
from math import exp
from random import Random

from attrs import frozen

from tigercore_simulator.calendar import CLOSING, OPENING, day_of, minute_of

FIRST_DAY = date(2020, 1, 1).toordinal()
_LAST_MINUTE = 1440
_DAILY = 0.016
_MINUTELY = 0.0004


@frozen
class Bar:
    """Hold the prices and the volume of a span of time."""

    time: int
    open: float
    high: float
    low: float
    close: float
    volume: int

    def as_json(self) -> dict[str, float]:
        """Return the bar as the gateway writes it."""
        middle = (self.high + self.low + self.close) / 3
        return {
            "time": self.time,
            "open": self.open,
            "close": self.close,
            "high": self.high,
            "low": self.low,
            "volume": self.volume,
            "amount": round(middle * self.volume, 2),
        }


def merge(time: int, bars: list[Bar]) -> Bar:
    """Make one bar of several that follow each other."""
    return Bar(
        time,
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
    )


class Walk:
    """Walk one symbol through time; the same seed walks the same way."""

    def __init__(self, seed: int, symbol: str) -> None:
        self._name = f"{seed}:{symbol}"
        self._random = Random(self._name)
        self.base = round(exp(self._random.uniform(3.0, 6.0)), 2)
        self._days: list[Bar] = []
        self._path = lru_cache(maxsize=64)(self._walk_day)

    def day(self, ordinal: int) -> Bar:
        """Return the whole bar of a day."""
        index = max(0, ordinal - FIRST_DAY)
        while len(self._days) <= index:
            self._days.append(self._next_day())
        return self._days[index]

    def price(self, now: float) -> float:
        """Return the price at a moment."""
        ordinal = day_of(now)
        minute = minute_of(now, ordinal)
        path = self._path(ordinal)
        step = min(int(minute), _LAST_MINUTE - 1)
        return round(path[step] + (path[step + 1] - path[step]) * (minute - step), 2)

    def so_far(self, now: float) -> Bar:
        """Return the bar of a day that is not over yet."""
        ordinal = day_of(now)
        whole = self.day(ordinal)
        minute = minute_of(now, ordinal)
        part = min(max((minute - OPENING) / (CLOSING - OPENING), 0.0), 1.0)
        seen = [*self._path(ordinal)[OPENING : min(int(minute), CLOSING) + 1], self.price(now)]
        opening = whole.open if minute >= OPENING else seen[0]
        low, high = round(min(opening, *seen), 2), round(max(opening, *seen), 2)
        return Bar(whole.time, opening, high, low, self.price(now), int(whole.volume * part))

    def minutes(self, ordinal: int, start: int, end: int) -> tuple[float, ...]:
        """Return the prices at the minutes of a day, both ends included."""
        return self._path(ordinal)[start : end + 1]

    def _next_day(self) -> Bar:
        draw = self._random.gauss
        before = self._days[-1].close if self._days else self.base
        # A pull towards the base keeps years of walking within sight of where it began.
        opening = before * exp(draw(0, _DAILY / 3)) * (self.base / before) ** 0.002
        closing = opening * exp(draw(0, _DAILY))
        high = max(opening, closing) * (1 + abs(draw(0, _DAILY / 3)))
        low = min(opening, closing) * (1 - abs(draw(0, _DAILY / 3)))
        volume = int(self._random.uniform(1e6, 9e7))
        return Bar(0, round(opening, 2), round(high, 2), round(low, 2), round(closing, 2), volume)

    def _walk_day(self, ordinal: int) -> tuple[float, ...]:
        draw = Random(f"{self._name}:{ordinal}")
        before, today = self.day(ordinal - 1), self.day(ordinal)
        early = _bridge(draw, before.close, today.open, OPENING)
        regular = _bridge(draw, today.open, today.close, CLOSING - OPENING)
        late = _bridge(draw, today.close, today.close, _LAST_MINUTE - CLOSING)
        within = [min(max(price, today.low), today.high) for price in regular]
        return (*early, *within, *late, today.close)


def _bridge(random: Random, start: float, end: float, steps: int) -> list[float]:
    walked = [0.0]
    for _ in range(steps):
        walked.append(walked[-1] + random.gauss(0, _MINUTELY))
    drift = walked[-1]
    line = ((start + (end - start) * n / steps, walked[n] - drift * n / steps) for n in range(steps))
    return [straight * (1 + wiggle) for straight, wiggle in line]
