from datetime import datetime

import pytest

from tigercore_simulator import calendar
from tigercore_simulator.bars import Bars
from tigercore_simulator.market import Market
from tigercore_simulator.options import Option, Options
from tigercore_simulator.refusals import Refusal
from tigercore_simulator.walk import Walk


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=calendar.NEW_YORK).timestamp()


NOON = at("2026-03-17T12:00:00")


def test_the_same_seed_walks_the_same_way():
    assert Walk(7, "AAPL").price(NOON) == Walk(7, "AAPL").price(NOON)


def test_another_seed_walks_another_way():
    assert Walk(7, "AAPL").price(NOON) != Walk(8, "AAPL").price(NOON)


def test_the_price_does_not_depend_on_what_was_asked_before():
    asked = Walk(7, "AAPL")
    asked.price(NOON + 86_400)
    assert Walk(7, "AAPL").price(NOON) == asked.price(NOON)


def test_the_price_moves_within_the_day():
    walk = Walk(7, "AAPL")
    assert len({walk.price(NOON + 60 * minute) for minute in range(10)}) > 1


def test_the_last_price_is_within_the_bar_of_the_day():
    bar = Walk(7, "AAPL").so_far(NOON)
    assert bar.low <= bar.close <= bar.high


@pytest.mark.parametrize(
    ("when", "status"),
    [
        ("2026-03-17T09:29:59", "NOT_YET_OPEN"),
        ("2026-03-17T09:30:00", "TRADING"),
        ("2026-03-17T16:00:00", "CLOSING"),
        ("2026-03-21T12:00:00", "CLOSING"),
    ],
)
def test_the_state_of_the_market_follows_new_york(when, status):
    assert status == Market(7).state({"market": "US"}, at(when))[0]["status"]


@pytest.mark.parametrize(
    "when", ["2026-03-08T00:00:00", "2026-03-08T23:59:59", "2026-11-01T00:30:00", "2026-07-01T23:30:00"]
)
def test_a_moment_falls_in_its_new_york_day(when):
    assert datetime.fromisoformat(when).date().toordinal() == calendar.day_of(at(when))


def test_more_than_fifty_symbols_are_refused():
    with pytest.raises(Refusal, match="cannot exceed 50"):
        Market(7).real_time({"symbols": ["AAPL"] * 51}, NOON)


def test_daily_bars_leave_weekends_out():
    row = Bars(Market(7)).kline({"symbols": ["AAPL"], "begin_time": "2026-03-02", "end_time": "2026-03-16"}, NOON)[0]
    assert len(row["items"]) == 11


def test_bars_come_oldest_first():
    times = [bar["time"] for bar in Bars(Market(7)).kline({"symbols": ["AAPL"]}, NOON)[0]["items"]]
    assert sorted(times) == times


@pytest.mark.parametrize("period", ["day", "week", "month", "year", "1min", "5min", "60min"])
def test_every_bar_holds_its_prices_between_low_and_high(period):
    items = Bars(Market(7)).kline({"symbols": ["AAPL"], "period": period}, NOON)[0]["items"]
    assert all(bar["low"] <= min(bar["open"], bar["close"]) <= bar["high"] for bar in items)


def test_no_bar_is_of_the_future():
    items = Bars(Market(7)).kline({"symbols": ["AAPL"], "period": "1min"}, NOON)[0]["items"]
    assert items[-1]["time"] <= NOON * 1000


def test_a_limit_over_1200_is_refused():
    with pytest.raises(Refusal, match="limit"):
        Bars(Market(7)).kline({"symbols": ["AAPL"], "limit": 1201}, NOON)


def test_an_option_is_named_in_21_characters():
    expiry = int(at("2025-08-15T00:00:00") * 1000)
    assert Option("AAPL", expiry, "put", 90.0).identifier == "AAPL  250815P00090000"


def test_a_call_and_a_put_differ_by_the_forward():
    market = Market(7)
    options = Options(market, 7)
    expiry = int(at("2026-03-20T00:00:00") * 1000)
    strike = round(market.spot("AAPL", NOON).last)
    call, put = (options.price(Option("AAPL", expiry, right, strike), NOON) for right in ("call", "put"))
    assert pytest.approx(market.spot("AAPL", NOON).last - strike, abs=0.2) == call - put
