"""Days and moments of the simulated exchanges, all on New York time."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from tigercore_simulator.refusals import business

NEW_YORK = ZoneInfo("America/New_York")
OPENING, CLOSING = 570, 960
_MINUTE = 60


@lru_cache(maxsize=20_000)
def midnight(ordinal: int) -> int:
    """Return when a day begins, in epoch seconds."""
    day = date.fromordinal(ordinal)
    return int(datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).timestamp())


def day_of(now: float) -> int:
    """Return the ordinal of the day a moment falls in."""
    # Every zone of New York is behind UTC by less than six hours.
    guess = date(1970, 1, 1).toordinal() + int((now - 4 * 3600) // 86_400)
    return guess if midnight(guess) <= now < midnight(guess + 1) else _exact(now)


def minute_of(now: float, ordinal: int) -> float:
    """Return how many minutes of a day have passed."""
    return (now - midnight(ordinal)) / _MINUTE


def is_trading_day(ordinal: int) -> bool:
    """Tell whether a day is one of the five the exchanges open on."""
    return date.fromordinal(ordinal).weekday() < 5


def trading_days_back(ordinal: int, first: int) -> Iterator[int]:
    """Yield the trading days from one day back to another."""
    return (day for day in range(ordinal, first - 1, -1) if is_trading_day(day))


def iso(ordinal: int) -> str:
    """Return a day as year-month-day."""
    return date.fromordinal(ordinal).isoformat()


def shown(now: float) -> str:
    """Return a moment as year-month-day and time of day."""
    return datetime.fromtimestamp(now, NEW_YORK).strftime("%Y-%m-%d %H:%M:%S")


def moment(value: object, default: float) -> float:
    """Read a moment given as epoch milliseconds or as text, in epoch seconds."""
    if value is None or value == -1 or value == "":
        return default
    if isinstance(value, int):
        return value / 1000
    return _parsed(str(value))


def session(now: float) -> tuple[str, str]:
    """Return the state of the market as a sentence and as a word."""
    day = day_of(now)
    minute = minute_of(now, day)
    if not is_trading_day(day):
        return "Closed", "CLOSING"
    if minute < OPENING:
        return "Not Yet Opened", "NOT_YET_OPEN"
    return ("Trading", "TRADING") if minute < CLOSING else ("Closed", "CLOSING")


def next_opening(now: float) -> datetime:
    """Return when the market opens next, or has opened today."""
    day = day_of(now)
    if minute_of(now, day) >= CLOSING:
        day += 1
    while not is_trading_day(day):
        day += 1
    return datetime.fromtimestamp(midnight(day), NEW_YORK) + timedelta(minutes=OPENING)


def _exact(now: float) -> int:
    return datetime.fromtimestamp(now, NEW_YORK).date().toordinal()


def _parsed(text: str) -> float:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise business(f"'{text}' is not a date") from None
    return (when if when.tzinfo else when.replace(tzinfo=NEW_YORK)).timestamp()
