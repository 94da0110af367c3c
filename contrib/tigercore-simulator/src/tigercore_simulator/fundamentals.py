"""Fundamentals, corporate actions and the calendar, made up from the seed."""

from collections.abc import Iterator
from datetime import date
from math import ceil
from random import Random

from tigercore_simulator.calendar import day_of, is_trading_day, iso, midnight, moment
from tigercore_simulator.market import Market, currency_of, market_of, symbols
from tigercore_simulator.refusals import business
from tigercore_simulator.wire import Json, Params

_RATIOS = (
    "roe",
    "roa",
    "pbRate",
    "psRate",
    "divideRate",
    "ttmEps",
    "lyrEps",
    "volumeRatio",
    "turnoverRate",
    "ttmPeRate",
    "lyrPeRate",
)
_MOST_DAYS = 3660
_YEAR = 365 * 86_400.0
_ACTIONS = ("SPLIT", "DIVIDEND", "EARNING")


class Fundamentals:
    """Answer what is known about companies and days."""

    def __init__(self, market: Market, seed: int) -> None:
        self._market = market
        self._seed = seed

    def daily(self, params: Params, now: float) -> list[Json]:
        """Answer ``financial_daily``."""
        days = [day for day in _days(params, now) if is_trading_day(day)]
        pairs = [(symbol, name) for symbol in symbols(params) for name in _fields(params)]
        return [self._daily(symbol, name, day) for symbol, name in pairs for day in days]

    def report(self, params: Params, now: float) -> list[Json]:
        """Answer ``financial_report``."""
        year = date.fromordinal(day_of(now)).year - 1
        years = range(year - 3, year + 1)
        pairs = [(symbol, name) for symbol in symbols(params) for name in _fields(params)]
        return [self._report(symbol, name, each) for symbol, name in pairs for each in years]

    def action(self, params: Params, now: float) -> dict[str, list[Json]]:
        """Answer ``corporate_action``."""
        kind = str(params.get("action_type", "")).upper()
        if kind not in _ACTIONS:
            return {}
        days = [day for day in _days(params, now) if _is_quarter_day(day)]
        return {symbol: [self._action(symbol, kind, day) for day in days] for symbol in symbols(params)}

    def stock(self, params: Params, now: float) -> list[Json]:
        """Answer ``stock_fundamental``."""
        return [self._stock(symbol, now) for symbol in symbols(params)]

    def calendar(self, params: Params, now: float) -> list[Json]:
        """Answer ``trading_calendar``."""
        return [
            {"date": iso(day), "type": "TRADING" if is_trading_day(day) else "NON_TRADING"}
            for day in _days(params, now)
        ]

    def _number(self, *names: object) -> Random:
        return Random(":".join(map(str, (self._seed, *names))))

    def _daily(self, symbol: str, name: str, day: int) -> Json:
        value = round(self._number(symbol, name).uniform(1e8, 2e10))
        return {"symbol": symbol, "date": midnight(day) * 1000, "field": name, "value": float(value)}

    def _report(self, symbol: str, name: str, year: int) -> Json:
        value = f"{self._number(symbol, name, year).uniform(1e8, 2e11):.4E}"
        dates = {"filingDate": f"{year + 1}-02-15", "periodEndDate": f"{year}-12-31"}
        return {"symbol": symbol, "currency": currency_of(symbol), "field": name, "value": value} | dates

    def _action(self, symbol: str, kind: str, day: int) -> Json:
        place = {"symbol": symbol, "market": market_of(symbol), "exchange": "NASDAQ"}
        when = {"executeDate": iso(day), "actionType": kind}
        return place | when | self._details(symbol, kind, day)

    def _details(self, symbol: str, kind: str, day: int) -> Json:
        draw = self._number(symbol, kind, day)
        if kind == "SPLIT":
            return {"fromFactor": 1.0, "toFactor": 2.0, "ratio": 2.0}
        if kind == "DIVIDEND":
            dates = {"announcedDate": iso(day - 30), "recordDate": iso(day + 1), "payDate": iso(day + 14)}
            return {"amount": round(draw.uniform(0.1, 1), 2), "currency": currency_of(symbol)} | dates
        results = {"expectedEps": round(draw.uniform(0.5, 3), 2), "actualEps": round(draw.uniform(0.5, 3), 2)}
        quarter = {"reportDate": iso(day), "reportTime": "After market", "fiscalQuarterEnding": iso(day)[:7]}
        return results | quarter

    def _stock(self, symbol: str, now: float) -> Json:
        draw = self._number(symbol, "ratios")
        ratios = {name: round(draw.uniform(0.01, 40), 4) for name in _RATIOS}
        year = [self._market.walk(symbol).day(day) for day in range(day_of(now) - 365, day_of(now))]
        week52 = {"week52High": max(bar.high for bar in year), "week52Low": min(bar.low for bar in year)}
        worth = round(self._market.spot(symbol, now).last * draw.uniform(1e8, 2e10))
        return {"symbol": symbol, "items": [ratios | week52 | {"marketCap": worth, "floatMarketCap": worth}]}


def _fields(params: Params) -> list[str]:
    named = params.get("fields")
    if not isinstance(named, list) or not named:
        raise business("field 'fields' cannot be empty")
    return [str(name) for name in named]


def _days(params: Params, now: float) -> Iterator[int]:
    begin = moment(params.get("begin_date"), now - _YEAR)
    end = moment(params.get("end_date"), now)
    first, last = day_of(begin), _last_before(end)
    if last - first > _MOST_DAYS:
        raise business(f"no more than {ceil(_MOST_DAYS / 366)} years at a time")
    return iter(range(first, last + 1))


def _last_before(end: float) -> int:
    # The end of a range of days is not part of it.
    return day_of(end - 1)


def _is_quarter_day(day: int) -> bool:
    when = date.fromordinal(day)
    return when.day == 15 and when.month % 3 == 0
