"""Options: expirations, chains and quotes, priced off the market by the textbook formula."""

from collections.abc import Iterator
from datetime import date
from math import erf, exp, log, pi, sqrt
from random import Random

from attrs import frozen

from tigercore_simulator.calendar import day_of, iso, midnight, moment
from tigercore_simulator.market import Market, symbols
from tigercore_simulator.refusals import business
from tigercore_simulator.wire import Json, Params

_RATE = 0.04
_WEEKS = 12
_STRIKES = 10
_YEAR = 365 * 86_400.0
_STEPS = ((25, 0.5), (100, 1.0), (250, 2.5))
_GREEKS = ("delta", "gamma", "theta", "vega", "rho")


@frozen
class Option:
    """Name one option."""

    symbol: str
    expiry: int
    right: str
    strike: float

    @property
    def identifier(self) -> str:
        """Return the name of the option in 21 characters."""
        day = date.fromordinal(day_of(self.expiry / 1000)).strftime("%y%m%d")
        return f"{self.symbol:<6}{day}{self.right[0].upper()}{round(self.strike * 1000):08d}"


class Options:
    """Quote options on the symbols of a market."""

    def __init__(self, market: Market, seed: int) -> None:
        self._market = market
        self._seed = seed

    def expirations(self, params: Params, now: float) -> list[Json]:
        """Answer ``option_expiration``."""
        days = list(_fridays(day_of(now)))
        return [_expirations(symbol, days) for symbol in symbols(params, 30)]

    def chain(self, params: Params, now: float) -> list[Json]:
        """Answer ``option_chain``."""
        wanted = params.get("option_filter") or {}
        return [self._chain(_basic(each), wanted, now) for each in _basics(params)]

    def briefs(self, params: Params, now: float) -> list[Json]:
        """Answer ``option_brief``."""
        return [self._brief(read_option(each), now) for each in _basics(params)]

    def price(self, option: Option, now: float) -> float:
        """Return what an option costs."""
        return max(0.01, round(self._values(option, now)["price"], 2))

    def _chain(self, basic: tuple[str, int], wanted: Params, now: float) -> Json:
        symbol, expiry = basic
        spot = self._market.spot(symbol, now).last
        rows = (self._row(symbol, expiry, strike, wanted, now) for strike in _strikes(self._market.walk(symbol).base))
        return {"symbol": symbol, "expiry": expiry, "spot": spot, "items": [row for row in rows if row]}

    def _row(self, symbol: str, expiry: int, strike: float, wanted: Params, now: float) -> Json:
        spot = self._market.spot(symbol, now).last
        quotes = {right: self._quote(Option(symbol, expiry, right, strike), now) for right in ("put", "call")}
        return {right: quote for right, quote in quotes.items() if _passes(quote, wanted, spot, strike)}

    def _quote(self, option: Option, now: float) -> Json:
        values, draw = self._values(option, now), Random(f"{self._seed}:{option.identifier}")
        last = self.price(option, now)
        greeks = {name: round(values[name], 6) for name in _GREEKS}
        sides = {"askPrice": round(last + 0.02, 2), "askSize": 10, "bidPrice": max(0.01, round(last - 0.02, 2))}
        traded = {"bidSize": 10, "volume": draw.randint(0, 4000), "openInterest": draw.randint(0, 9000)}
        past = {"latestPrice": last, "preClose": last, "lastTimestamp": int(now * 1000)}
        return _named(option) | sides | traded | past | greeks | {"impliedVol": values["volatility"]}

    def _brief(self, option: Option, now: float) -> Json:
        quote = self._quote(option, now)
        bar = dict.fromkeys(("open", "high", "low"), quote["latestPrice"])
        shown = f"{float(str(quote['impliedVol'])) * 100:.2f}%"
        extra = {"volatility": shown, "ratesBonds": _RATE, "change": 0.0, "timestamp": int(now * 1000)}
        return {"symbol": option.symbol, "expiry": option.expiry} | quote | bar | extra

    def _values(self, option: Option, now: float) -> dict[str, float]:
        spot = self._market.spot(option.symbol, now).last
        volatility = round(Random(f"{self._seed}:{option.symbol}:volatility").uniform(0.18, 0.6), 4)
        years = max(option.expiry / 1000 + 57_600 - now, 60) / _YEAR
        return _black_scholes(option.right, spot, option.strike, years, volatility)


def read_option(params: Params) -> Option:
    """Read which option a request names."""
    symbol, expiry = _basic(params)
    right = str(params.get("right", "")).lower()
    if right not in ("call", "put"):
        raise business("option symbol format error")
    return Option(symbol, expiry, right, _number(params.get("strike")))


def _basics(params: Params) -> list[Params]:
    named = params.get("option_basic")
    if not isinstance(named, list) or not 0 < len(named) <= 30:
        raise business("field 'option_basic' cannot be empty and cannot exceed 30")
    return named


def _basic(params: Params) -> tuple[str, int]:
    expiry = params.get("expiry")
    if not params.get("symbol") or not expiry:
        raise business("option symbol format error")
    return str(params["symbol"]), midnight(_day(expiry)) * 1000


def _day(expiry: object) -> int:
    text = str(expiry)
    # Orders name a day as eight digits, quotes as epoch milliseconds.
    if len(text) == 8 and text.isdigit():
        expiry = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return day_of(moment(expiry, 0.0))


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise business("option symbol format error") from None


def _fridays(today: int) -> Iterator[int]:
    first = today + (4 - date.fromordinal(today).weekday()) % 7
    return iter(range(first, first + 7 * _WEEKS, 7))


def _expirations(symbol: str, days: list[int]) -> Json:
    # The third Friday of a month is its monthly expiration.
    tags = ["m" if 15 <= date.fromordinal(day).day <= 21 else "w" for day in days]
    stamps = [midnight(day) * 1000 for day in days]
    names = {"symbol": symbol, "optionSymbols": [symbol] * len(days), "count": len(days)}
    return names | {"dates": [iso(day) for day in days], "timestamps": stamps, "periodTags": tags}


def _strikes(base: float) -> list[float]:
    step = next((step for below, step in _STEPS if base < below), 5.0)
    middle = round(base / step)
    return [n * step for n in range(max(1, middle - _STRIKES), middle + _STRIKES + 1)]


def _named(option: Option) -> Json:
    named = {"identifier": option.identifier, "strike": str(option.strike), "right": option.right}
    return named | {"multiplier": 100}


def _passes(quote: Params, wanted: Params, spot: float, strike: float) -> bool:
    ranges = {"impliedVol": wanted.get("implied_volatility"), "openInterest": wanted.get("open_interest")}
    ranges |= wanted.get("greeks") or {}
    inside = all(_between(quote[name], limits) for name, limits in ranges.items() if limits)
    in_the_money = (strike < spot) == (quote["right"] == "call")
    return inside and wanted.get("in_the_money") in (None, in_the_money)


def _between(value: float, limits: Params) -> bool:
    low, high = limits.get("min"), limits.get("max")
    return (low is None or value >= low) and (high is None or value <= high)


def _normal(value: float) -> float:
    return (1 + erf(value / sqrt(2))) / 2


def _black_scholes(right: str, spot: float, strike: float, years: float, volatility: float) -> dict[str, float]:
    root = volatility * sqrt(years)
    upper = (log(spot / strike) + (_RATE + volatility**2 / 2) * years) / root
    lower = upper - root
    sign = 1 if right == "call" else -1
    discounted, density = strike * exp(-_RATE * years), exp(-(upper**2) / 2) / sqrt(2 * pi)
    decay = spot * density * volatility / (2 * sqrt(years))
    return {
        "price": sign * (spot * _normal(sign * upper) - discounted * _normal(sign * lower)),
        "delta": sign * _normal(sign * upper),
        "gamma": density / (spot * root),
        "theta": (-decay - sign * _RATE * discounted * _normal(sign * lower)) / 365,
        "vega": spot * density * sqrt(years) / 100,
        "rho": sign * discounted * years * _normal(sign * lower) / 100,
        "volatility": volatility,
    }
