"""The bars of symbols: k-lines of every period, and the line of a day."""

import base64
import binascii
from collections.abc import Callable, Iterator
from datetime import date
from itertools import groupby, islice

from attrs import evolve, frozen

from tigercore_simulator.calendar import (
    CLOSING,
    OPENING,
    day_of,
    is_trading_day,
    midnight,
    minute_of,
    moment,
    trading_days_back,
)
from tigercore_simulator.market import Market, symbols
from tigercore_simulator.refusals import business
from tigercore_simulator.walk import FIRST_DAY, Bar, Walk, merge
from tigercore_simulator.wire import Json, Params

_MOST = 1200
_MINUTES = {"1min": 1, "3min": 3, "5min": 5, "10min": 10, "15min": 15, "30min": 30, "60min": 60}
_GROUPS: dict[str, Callable[[date], object]] = {
    "week": lambda day: day.isocalendar()[:2],
    "month": lambda day: (day.year, day.month),
    "year": lambda day: day.year,
}


@frozen
class Span:
    """Say which bars are asked for."""

    period: str
    begin: float
    end: float
    limit: int


class Bars:
    """Draw bars from the walks of a market."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def kline(self, params: Params, now: float) -> list[Json]:
        """Answer ``kline``."""
        span = _span(params, now)
        return [self._kline(symbol, span, now) for symbol in symbols(params)]

    def timeline(self, params: Params, now: float) -> list[Json]:
        """Answer ``timeline``."""
        begin = moment(params.get("begin_time"), 0.0)
        return [self._timeline(symbol, begin, now) for symbol in symbols(params)]

    def _kline(self, symbol: str, span: Span, now: float) -> Json:
        newest = _newest_first(self._market.walk(symbol), span, now)
        found = list(islice(newest, span.limit + 1))
        more = len(found) > span.limit and span.begin > 0
        items = [bar.as_json() for bar in reversed(found[: span.limit])]
        token = _page_token(found[span.limit - 1]) if more else None
        return {"symbol": symbol, "period": span.period, "nextPageToken": token, "items": items}

    def _timeline(self, symbol: str, begin: float, now: float) -> Json:
        day = day_of(now)
        while not is_trading_day(day):
            day -= 1
        items = [_point(bar) for bar in _minute_bars(self._market.walk(symbol), day, 1, now)]
        later = [item for item in items if item["time"] >= begin * 1000]
        close = self._market.previous_close(symbol, now)
        return {"symbol": symbol, "preClose": close, "intraday": {"items": later}}


def _span(params: Params, now: float) -> Span:
    limit, period = params.get("limit", 251), str(params.get("period", "day"))
    if not isinstance(limit, int) or not 0 < limit <= _MOST:
        raise business(f"field 'limit' is between 1 and {_MOST}")
    if period not in _MINUTES and period not in _GROUPS and period != "day":
        raise business(f"field 'period' {period} not supported")
    end = min(moment(params.get("end_time"), now), now)
    span = Span(period, moment(params.get("begin_time"), 0.0), end, limit)
    token = params.get("page_token")
    return evolve(span, end=_read_page_token(str(token))) if token else span


def _newest_first(walk: Walk, span: Span, now: float) -> Iterator[Bar]:
    for bar in _all_newest_first(walk, span, now):
        if bar.time < span.begin * 1000:
            return
        if bar.time <= span.end * 1000:
            yield bar


def _all_newest_first(walk: Walk, span: Span, now: float) -> Iterator[Bar]:
    days = trading_days_back(day_of(span.end), FIRST_DAY)
    if span.period in _MINUTES:
        step = _MINUTES[span.period]
        return (bar for day in days for bar in reversed(_minute_bars(walk, day, step, now)))
    daily = (_day_bar(walk, day, now) for day in days if midnight(day) <= now)
    return daily if span.period == "day" else _grouped(daily, span.period)


def _grouped(daily: Iterator[Bar], period: str) -> Iterator[Bar]:
    key = _GROUPS[period]
    for _, group in groupby(daily, lambda bar: key(date.fromordinal(day_of(bar.time / 1000)))):
        oldest_first = list(group)[::-1]
        yield merge(oldest_first[0].time, oldest_first)


def _day_bar(walk: Walk, day: int, now: float) -> Bar:
    whole = walk.so_far(now) if day == day_of(now) else walk.day(day)
    return evolve(whole, time=midnight(day) * 1000)


def _minute_bars(walk: Walk, day: int, step: int, now: float) -> list[Bar]:
    last = min(CLOSING, int(minute_of(now, day)) + 1)
    start = midnight(day) * 1000
    volume = walk.day(day).volume * step // (CLOSING - OPENING)
    edges = range(OPENING, last, step)
    return [_minute_bar(walk.minutes(day, at, at + step), start + at * 60_000, volume) for at in edges]


def _minute_bar(prices: tuple[float, ...], time: int, volume: int) -> Bar:
    rounded = [round(price, 2) for price in prices]
    return Bar(time, rounded[0], max(rounded), min(rounded), rounded[-1], volume)


def _point(bar: Bar) -> dict[str, float]:
    average = round((bar.high + bar.low) / 2, 4)
    return {"time": bar.time, "price": bar.close, "avgPrice": average, "volume": bar.volume}


def _page_token(oldest: Bar) -> str:
    return base64.b64encode(f"kline|{oldest.time - 1}".encode()).decode()


def _read_page_token(token: str) -> float:
    try:
        name, time = base64.b64decode(token, validate=True).decode().split("|")
        if name == "kline":
            return int(time) / 1000
    except (binascii.Error, ValueError):
        pass
    raise business("page_token is not valid")
