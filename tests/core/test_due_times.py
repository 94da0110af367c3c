"""When tokens fall due: by the gateway's time, told in the store's, and apart from the markets' busiest minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import World, add
from tigercore import License, Secret, Tigercore, Token, TokenState
from tigercore import _refresh as rules
from tigercore._duetimes import DueTimes
from tigercore._gatewayclock import GatewayClock
from tigercore._quiet import after_quiet
from tigercore._snapshot import Snapshot
from tigercore.ports import TokenRow
from tigercore.testing._memory_store import MemoryAccountStore, MemoryOptions
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing.clock import ManualClock, driver_context

ID = UUID(int=1)
OPENING = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)  # of New York, in winter
FROM, UNTIL = OPENING - timedelta(minutes=10), OPENING + timedelta(minutes=10)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LIFE = timedelta(days=15)
AHEAD = timedelta(seconds=40)  # by which the store's clock is ahead of the machine's


def token(born: datetime, life: timedelta = LIFE) -> Token:
    return Token(Secret("token"), born, born + life)


def row(born: datetime, life: timedelta = LIFE) -> TokenRow:
    return TokenRow(ID, TokenState.VALID, issued_at=born, expires_at=born + life)


def due_of(given: Token) -> datetime:
    """Return when a token is due by the rules alone."""
    due = rules.due_at(ID, given, NOON, 0.5)
    assert due is not None
    return due


def due_at(moment: datetime) -> Token:
    """Return a token that is due at this moment by the rules alone."""
    return token(NOON + (moment - due_of(token(NOON))))


def plain(now: datetime = NOON) -> DueTimes:
    """Return due times where all clocks show the same."""
    clock = ManualClock(now)
    snapshot = Snapshot(MemoryAccountStore(MemoryOptions(), driver_context(clock)), _nothing, clock)
    return DueTimes(snapshot, GatewayClock(clock, ScriptedTigerClient(context=driver_context(clock))), 0.5)


async def _nothing(_: object) -> None:
    raise AssertionError("nobody reads the store here")


def test_a_token_that_has_no_end_never_falls_due() -> None:
    assert plain().of(ID, Token(Secret("token"), NOON), None) is None


def test_a_token_falls_due_when_the_rules_say_so() -> None:
    assert NOON == plain().of(ID, due_at(NOON), License.TBUS)


def test_what_falls_due_near_an_opening_is_put_off_to_after_it() -> None:
    assert UNTIL == plain().of(ID, due_at(OPENING), License.TBUS)


def test_the_markets_are_those_of_the_license() -> None:
    close = NOON.replace(hour=8)
    due = [plain().of(ID, due_at(close), license) for license in (License.TBUS, License.TBHK)]
    assert [close, close + timedelta(minutes=10)] == due


@pytest.mark.parametrize(
    ("waits", "end"),
    [(False, UNTIL), (False, UNTIL + timedelta(seconds=299)), (True, UNTIL + timedelta(seconds=300))],
    ids=["ends with it", "ends soon after it", "ends later"],
)
def test_a_token_that_would_end_in_the_quiet_time_does_not_wait_for_it(waits: bool, end: datetime) -> None:
    share = (due_of(token(NOON)) - NOON) / LIFE
    life = (end - OPENING) / (1 - share)  # of a token that is due at the opening, or as good as
    held = token(end - life, life)
    assert (UNTIL if waits else due_of(held)) == plain().of(ID, held, License.TBUS)


@given(st.timedeltas(timedelta(minutes=30), timedelta(days=60)), st.timedeltas(timedelta(0), timedelta(days=2)))
def test_a_token_falls_due_in_its_life_and_in_no_quiet_time(life: timedelta, later: timedelta) -> None:
    held = token(NOON + later, life)
    due = plain().of(ID, held, License.TBAU)
    assert due is not None
    assert held.expires_at is not None
    assert NOON + later < due < held.expires_at
    assert due in (due_of(held), after_quiet(License.TBAU, due_of(held)))


# -- whether a refresh that is due has to wait -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "now"),
    [(None, FROM - timedelta(seconds=1)), (UNTIL, FROM), (UNTIL, OPENING), (None, UNTIL)],
    ids=["before", "begins", "within", "over"],
)
def test_a_refresh_waits_for_the_end_of_a_quiet_time(expected: datetime | None, now: datetime) -> None:
    assert expected == plain(now).after_quiet(row(NOON - LIFE / 2), License.TBUS)


def test_a_refresh_waits_for_no_market_of_others() -> None:
    assert plain(NOON.replace(hour=8)).after_quiet(row(NOON - LIFE / 2), License.TBUS) is None


@pytest.mark.parametrize(
    ("expected", "left"),
    [
        (None, timedelta(hours=6)),
        (None, timedelta(hours=6, minutes=10)),
        (UNTIL, timedelta(hours=6, minutes=10, seconds=1)),
    ],
    ids=["has begun", "begins meanwhile", "begins later"],
)
def test_at_its_last_call_a_refresh_waits_for_nothing(expected: datetime | None, left: timedelta) -> None:
    assert expected == plain(OPENING).after_quiet(row(OPENING + left - LIFE), License.TBUS)


def test_a_token_without_an_end_can_always_wait() -> None:
    endless = TokenRow(ID, TokenState.VALID, issued_at=NOON)
    assert UNTIL == plain(OPENING).after_quiet(endless, License.TBUS)


# -- in whose time -----------------------------------------------------------------------------------------------


@pytest.fixture
def world() -> World:
    """Return a world in which the machine, the store and the gateway show different times."""
    machine, store = ManualClock(NOON), ManualClock(NOON + AHEAD)
    world = World(clock=machine, client=ScriptedTigerClient(context=driver_context(machine)))
    world.store = MemoryAccountStore(MemoryOptions(world.backend), driver_context(store))
    world.client.ahead = -100.0
    return world


async def test_what_the_gateways_clock_decides_is_told_in_the_stores_time(world: World, tiger: Tigercore) -> None:
    await tiger.tokens.validate_token(await add(tiger))  # and now the gateway's time is known
    world.clock.advance(3600)
    store, gateway = NOON + AHEAD + timedelta(hours=1), NOON + timedelta(hours=1, seconds=-100)
    due = tiger.tokens._due
    assert store == due.in_store_time(gateway)
    assert store + timedelta(days=1) == due.of(ID, due_at(gateway + timedelta(days=1)), License.TBUS)


async def test_the_end_of_a_quiet_time_is_told_in_the_stores_time(world: World, tiger: Tigercore) -> None:
    await tiger.tokens.validate_token(await add(tiger))
    opening_here = OPENING + timedelta(seconds=100)  # when the gateway's clock shows that it is
    world.clock.advance((opening_here - NOON).total_seconds())
    expected = opening_here + AHEAD + timedelta(minutes=10)
    assert expected == tiger.tokens._due.after_quiet(row(OPENING - LIFE / 2), License.TBUS)
