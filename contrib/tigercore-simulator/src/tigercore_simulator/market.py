"""The market: quotes of any symbol, from one seed."""

import re
from collections.abc import Sequence
from random import Random

from attrs import frozen

from tigercore_simulator import calendar
from tigercore_simulator.refusals import business
from tigercore_simulator.walk import Walk
from tigercore_simulator.wire import Json, Params

_SYMBOL = re.compile(r"[A-Z][A-Z0-9.]{0,9}|[0-9]{4,6}")
_MOST_SYMBOLS = 50
_DELAY = 900.0
_MARKETS = ("US", "HK", "CN")
_OUTSIDE = "Pre-Mkt"


@frozen
class Spot:
    """Hold what a symbol costs at a moment."""

    bid: float
    ask: float
    last: float


class Market:
    """Quote symbols at a moment; what it says depends on the seed and the moment alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._walks: dict[str, Walk] = {}

    def walk(self, symbol: str) -> Walk:
        """Return the walk of a symbol, or refuse what cannot be one."""
        found = self._walks.get(symbol)
        if found is None:
            found = self._walks[symbol] = self._start(symbol)
        return found

    def spot(self, symbol: str, now: float) -> Spot:
        """Return what a symbol costs now."""
        last = self.walk(symbol).price(now)
        spread = max(0.01, round(last * 0.0001, 2))
        return Spot(round(last - spread, 2), round(last + spread, 2), last)

    def state(self, params: Params, now: float) -> list[Json]:
        """Answer ``market_state``."""
        wanted = str(params.get("market", "ALL"))
        if wanted not in (*_MARKETS, "ALL"):
            raise business(f"'market' {wanted} not supported")
        return [_state(name, now) for name in _MARKETS if wanted in (name, "ALL")]

    def real_time(self, params: Params, now: float) -> list[Json]:
        """Answer ``quote_real_time``."""
        extended = bool(params.get("include_hour_trading"))
        return [self._real_time(symbol, now, extended) for symbol in symbols(params)]

    def brief(self, params: Params, now: float) -> Json:
        """Answer ``brief``."""
        return {"items": [self._brief(symbol, now) for symbol in symbols(params)]}

    def delayed(self, params: Params, now: float) -> list[Json]:
        """Answer ``quote_delay``."""
        return [self._delayed(symbol, now - _DELAY) for symbol in symbols(params)]

    def depth(self, params: Params, now: float) -> list[Json]:
        """Answer ``quote_depth``."""
        return [self._depth(symbol, now) for symbol in symbols(params)]

    def ticks(self, params: Params, now: float) -> list[Json]:
        """Answer ``trade_tick``."""
        count = min(_whole(params.get("limit"), 200), 2000)
        return [self._ticks(symbol, now, count) for symbol in symbols(params)]

    def previous_close(self, symbol: str, now: float) -> float:
        """Return the close of the last trading day before a moment."""
        today = calendar.day_of(now)
        return self.walk(symbol).day(next(calendar.trading_days_back(today - 1, today - 8))).close

    def _start(self, symbol: str) -> Walk:
        if not _SYMBOL.fullmatch(symbol):
            raise business(f"symbol '{symbol}' not supported")
        return Walk(self._seed, symbol)

    def _real_time(self, symbol: str, now: float, extended: bool) -> Json:
        draw = self._draw(symbol, now)
        spot = self.spot(symbol, now)
        quote = self._bar(symbol, now) | {
            "latestPrice": spot.last,
            "latestTime": _ms(now),
            "askPrice": spot.ask,
            "askSize": draw.randint(1, 40) * 100,
            "bidPrice": spot.bid,
            "bidSize": draw.randint(1, 40) * 100,
            "status": "NORMAL",
        }
        return quote | self._hour_trading(symbol, now) if extended else quote

    def _hour_trading(self, symbol: str, now: float) -> Json:
        spot, before = self.spot(symbol, now), self.previous_close(symbol, now)
        shown = calendar.next_opening(now).strftime("%H:%M %Z")
        hours = {"tag": _OUTSIDE, "latestPrice": spot.last, "preClose": before, "latestTime": shown}
        return {"hourTrading": hours | {"volume": 0, "timestamp": _ms(now)}}

    def _bar(self, symbol: str, now: float) -> Json:
        bar = self.walk(symbol).so_far(now)
        prices = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close, "volume": bar.volume}
        return {"symbol": symbol, "preClose": self.previous_close(symbol, now), **prices}

    def _brief(self, symbol: str, now: float) -> Json:
        spot = self.spot(symbol, now)
        sides = {"askPrice": spot.ask, "bidPrice": spot.bid, "preClose": self.previous_close(symbol, now)}
        place = {"symbol": symbol, "market": market_of(symbol), "secType": "STK", "name": symbol}
        return place | sides | {"latestPrice": spot.last, "timestamp": _ms(now), "halted": 0.0, "delay": 0}

    def _delayed(self, symbol: str, then: float) -> Json:
        return self._bar(symbol, then) | {"halted": 0.0, "time": _ms(then)}

    def _depth(self, symbol: str, now: float) -> Json:
        spot, draw = self.spot(symbol, now), self._draw(symbol, now)
        asks = [_level(spot.ask + n / 100, draw) for n in range(10)]
        bids = [_level(max(spot.bid - n / 100, 0.01), draw) for n in range(10)]
        return {"symbol": symbol, "asks": asks, "bids": bids}

    def _ticks(self, symbol: str, now: float, count: int) -> Json:
        # Trades are numbered by the second they happen in, so the same trade keeps its number.
        end = int(now)
        walk = self.walk(symbol)
        items = [_tick(walk, second, self._draw(symbol, second)) for second in range(end - count, end)]
        return {"symbol": symbol, "beginIndex": end - count, "endIndex": end, "items": items}

    def _draw(self, symbol: str, now: float) -> Random:
        return Random(f"{self._seed}:{symbol}:{int(now)}")


def symbols(params: Params, most: int = _MOST_SYMBOLS) -> Sequence[str]:
    """Return the symbols a request names."""
    named = params.get("symbols") or ([params["symbol"]] if params.get("symbol") else [])
    if not isinstance(named, list) or not 0 < len(named) <= most:
        raise business(f"symbols cannot be empty and cannot exceed {most}")
    return [str(symbol) for symbol in named]


def market_of(symbol: str) -> str:
    """Return the market a symbol trades on."""
    if not symbol.isdigit():
        return "US"
    return "CN" if len(symbol) == 6 else "HK"


def currency_of(symbol: str) -> str:
    """Return the currency a symbol trades in."""
    return {"US": "USD", "HK": "HKD", "CN": "CNH"}[market_of(symbol)]


def _state(market: str, now: float) -> Json:
    sentence, word = calendar.session(now)
    opens = calendar.next_opening(now)
    shown = opens.strftime("%m-%d %H:%M:%S") + (opens.strftime(" %Z") if market == "US" else "")
    return {"market": market, "marketStatus": sentence, "status": word, "openTime": shown}


def _level(price: float, draw: Random) -> dict[str, float]:
    return {"price": round(price, 2), "count": draw.randint(1, 9), "volume": draw.randint(1, 90) * 10}


def _tick(walk: Walk, second: int, draw: Random) -> Json:
    kind = "+" if draw.random() < 0.5 else "-"
    size = draw.randint(1, 20) * 10
    return {"time": second * 1000, "volume": size, "price": walk.price(second), "type": kind, "cond": ""}


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and value > 0 else default


def _ms(now: float) -> int:
    return int(now * 1000)
