"""Alarms for tokens that nobody could refresh: which of them ring, when, for whom, and never twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.conftest import World, add
from tigercore import Authentication, NotProcessed, OutcomeUnknown, TigerAccount, Tigercore, TokenState, hookimpl
from tigercore._alarms import Alarms
from tigercore._plugins import Hooks
from tigercore.ports import TokenRow
from tigercore.testing._gateway import token_text

METHOD = "user_token_refresh"
HOUR = 3600.0
LATER = datetime(2026, 2, 1, tzinfo=UTC)  # when these tests look, no work is late that is due then


class Listener:
    """Hear alarms, as account, end of the token and hours that are left."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, datetime, float]] = []

    @hookimpl
    def tigercore_token_expiring(self, account: TigerAccount, expires_at: datetime, seconds: float) -> None:
        self.heard.append((account.account_name, expires_at, seconds / HOUR))

    @property
    def hours(self) -> list[float]:
        return [hours for _, _, hours in self.heard]


@pytest.fixture
def listener(world: World) -> Listener:
    world.hooks = Hooks([listener := Listener()])
    return listener


@pytest.fixture
async def tiger(world: World, listener: Listener) -> AsyncIterator[Tigercore]:
    """Return tigercore, open with the listener."""
    async with world.open() as opened:
        yield opened


@pytest.fixture
async def holder(world: World, tiger: Tigercore) -> TigerAccount:
    """Return an account whose token lives for thirty days."""
    return await add(tiger, account_name="holder", license="TBHK", token=token_text(world.clock.now()))


@pytest.fixture
def alarms(tiger: Tigercore) -> Alarms:
    return tiger.tokens._scheduler._alarms


def put(tiger: Tigercore, account: TigerAccount, **changes: Any) -> TokenRow:
    """Let the row of a token stand so in memory, as it would after a failure, and return it."""
    row = attrs.evolve(tiger.tokens._snapshot.token(account.id), **{"failures": 1, **changes})
    tiger.tokens._snapshot.hold([row])
    return row


def live_through(world: World, alarms: Alarms, hours: int, step: float = HOUR) -> None:
    for _ in range(hours):
        world.clock.advance(step)
        alarms.ring()


async def test_an_alarm_names_the_account_the_end_and_what_is_left(
    world: World, tiger: Tigercore, holder: TigerAccount, alarms: Alarms, listener: Listener
) -> None:
    alarms.set(put(tiger, holder))
    end = world.clock.now() + timedelta(days=30)
    live_through(world, alarms, 23 * 24)
    [(name, ends, hours)] = listener.heard
    assert ("holder", end) == (name, ends)
    assert pytest.approx(168.0) == hours


async def test_a_level_rings_at_its_moment_and_not_before(
    world: World, tiger: Tigercore, holder: TigerAccount, alarms: Alarms, listener: Listener
) -> None:
    alarms.set(put(tiger, holder))
    world.clock.advance(23 * 24 * HOUR - 1)
    alarms.ring()
    assert [] == listener.heard
    world.clock.advance(1)
    alarms.ring()
    assert 1 == len(listener.heard)


async def test_a_level_that_has_rung_does_not_ring_again(
    world: World, tiger: Tigercore, holder: TigerAccount, alarms: Alarms, listener: Listener
) -> None:
    row = put(tiger, holder)
    alarms.set(row)
    world.clock.advance(23 * 24 * HOUR)
    for _ in range(3):
        alarms.ring()
        alarms.set(row)  # as whenever the row is written
    assert 1 == len(listener.heard)


async def test_levels_that_have_passed_before_a_process_began_do_not_ring(
    world: World, tiger: Tigercore, holder: TigerAccount, alarms: Alarms, listener: Listener
) -> None:
    world.clock.advance(28 * 24 * HOUR)  # two days are left
    alarms.set(put(tiger, holder))
    live_through(world, alarms, 48)
    assert [pytest.approx(24), pytest.approx(6)] == listener.hours


async def test_who_was_held_up_over_two_levels_tells_once(
    world: World, tiger: Tigercore, holder: TigerAccount, alarms: Alarms, listener: Listener
) -> None:
    alarms.set(put(tiger, holder))
    world.clock.advance(28 * 24 * HOUR)
    alarms.ring()
    assert [pytest.approx(48)] == listener.hours


async def test_after_the_end_of_a_token_nothing_is_to_come(
    world: World, tiger: Tigercore, holder: TigerAccount, alarms: Alarms, listener: Listener
) -> None:
    alarms.set(put(tiger, holder))
    live_through(world, alarms, 31 * 24)
    assert 4 == len(listener.heard)
    assert alarms.first() is None


async def test_the_next_level_is_told_in_the_stores_time(world: World, tiger: Tigercore, holder: TigerAccount) -> None:
    alarms, end = tiger.tokens._scheduler._alarms, world.clock.now() + timedelta(days=30)
    world.clock.step(-HOUR)  # the store goes by what it has said, whoever sets the machine's clock
    world.clock.advance(60)
    alarms.set(put(tiger, holder))
    expected = tiger.tokens._snapshot.now() + (end - timedelta(days=7) - world.clock.now())
    assert expected.timestamp() == alarms.first()
    assert world.clock.now() != tiger.tokens._snapshot.now()


@pytest.mark.parametrize(
    "changes",
    [
        {"failures": 3, "next_at": LATER},
        {"failures": 0, "next_at": datetime(2026, 1, 20, tzinfo=UTC)},
        {"failures": 0, "next_at": LATER, "state": TokenState.UNCERTAIN},
        {"failures": 0, "next_at": LATER, "state": TokenState.REFRESHING},
    ],
    ids=["it failed", "it is late", "it is in doubt", "a lease is left"],
)
async def test_whatever_keeps_a_token_from_being_refreshed_is_told(
    world: World, tiger: Tigercore, holder: TigerAccount, alarms: Alarms, listener: Listener, changes: dict[str, Any]
) -> None:
    alarms.set(put(tiger, holder, **changes))
    world.clock.advance(23 * 24 * HOUR)
    alarms.ring()
    assert [pytest.approx(168)] == listener.hours


@pytest.mark.parametrize("state", [TokenState.NEEDS_REAUTH, TokenState.DISABLED])
async def test_a_token_that_nobody_can_refresh_any_more_is_watched_no_longer(
    tiger: Tigercore, holder: TigerAccount, alarms: Alarms, state: TokenState
) -> None:
    alarms.set(put(tiger, holder))
    assert alarms.first() is not None
    alarms.set(put(tiger, holder, state=state))
    assert alarms.first() is None


async def test_a_token_that_was_refreshed_is_watched_for_its_new_end(
    world: World, tiger: Tigercore, holder: TigerAccount, alarms: Alarms
) -> None:
    alarms.set(put(tiger, holder))
    end = world.clock.now() + timedelta(days=60)
    alarms.set(put(tiger, holder, expires_at=end))
    assert (end - timedelta(days=7)).timestamp() == alarms.first()


async def test_a_token_without_an_end_is_not_watched(tiger: Tigercore, holder: TigerAccount, alarms: Alarms) -> None:
    alarms.set(put(tiger, holder, expires_at=None))
    assert alarms.first() is None


async def test_a_grant_is_not_watched_since_its_end_is_not_its_death(
    tiger: Tigercore, holder: TigerAccount, alarms: Alarms
) -> None:
    snapshot = tiger.tokens._snapshot
    row = snapshot.row(holder.id)
    account = attrs.evolve(row.account, authentication=Authentication.OAUTH2, version=row.version + 1)
    snapshot._directory.keep(attrs.evolve(row, account=account))
    alarms.set(put(tiger, holder))
    assert alarms.first() is None


async def test_of_a_developers_accounts_one_rings(
    world: World, tiger: Tigercore, holder: TigerAccount, alarms: Alarms, listener: Listener
) -> None:
    sibling = await add(tiger, license="TBHK")
    for account in (holder, sibling):
        alarms.set(put(tiger, account))
    world.clock.advance(23 * 24 * HOUR)
    alarms.ring()
    assert 1 == len(listener.heard)


async def test_of_a_developers_accounts_that_are_in_doubt_one_rings(
    world: World, tiger: Tigercore, holder: TigerAccount, alarms: Alarms, listener: Listener
) -> None:
    sibling = await add(tiger, license="TBHK")
    world.client.fail(None, METHOD, OutcomeUnknown(METHOD, "no reply"))
    assert not (await tiger.tokens.refresh_token(holder)).success
    for account in (holder, sibling):
        alarms.set(tiger.tokens._snapshot.token(account.id))
    world.clock.advance(23 * 24 * HOUR)
    alarms.ring()
    assert 1 == len(listener.heard)


async def test_an_account_that_was_forgotten_rings_not(
    world: World, tiger: Tigercore, holder: TigerAccount, alarms: Alarms, listener: Listener
) -> None:
    alarms.set(put(tiger, holder))
    alarms.forget(holder.id)
    live_through(world, alarms, 30 * 24)
    assert [] == listener.heard


async def test_an_account_that_was_deleted_before_its_alarm_rings_not(
    world: World, tiger: Tigercore, holder: TigerAccount, alarms: Alarms, listener: Listener
) -> None:
    alarms.set(put(tiger, holder))
    tiger.tokens._snapshot._drop(holder.id)
    live_through(world, alarms, 30 * 24)
    assert [] == listener.heard


async def test_the_scheduler_wakes_up_for_an_alarm(
    world: World, tiger: Tigercore, holder: TigerAccount, listener: Listener, autojump_clock: MockClock
) -> None:
    put(tiger, holder, next_at=LATER)
    world.clock.advance(23 * 24 * HOUR - 30)
    await tiger.tokens.start_background_refresh_scheduler()
    await wait_all_tasks_blocked()
    world.clock.advance(30)
    await trio.sleep(29)
    assert [] == listener.heard
    await trio.sleep(2)
    assert [pytest.approx(168)] == listener.hours


async def test_the_scheduler_sounds_alarms_while_refreshes_fail(
    world: World, tiger: Tigercore, holder: TigerAccount, listener: Listener, autojump_clock: MockClock
) -> None:
    world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"), times=10**6)
    await tiger.tokens.start_background_refresh_scheduler()
    world.clock.advance(22 * 24 * HOUR)
    await trio.sleep(120)
    assert [] == listener.heard
    world.clock.advance(24 * HOUR)
    await trio.sleep(120)
    assert [pytest.approx(168, abs=1)] == listener.hours
