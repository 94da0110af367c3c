"""The scheduler beside the clock, the gateway and other processes: what it does, tells, and leaves alone."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.conftest import World, add
from tigercore import (
    NotProcessed,
    RateLimited,
    RefreshTrigger,
    SchedulerStatus,
    TigerAccount,
    Tigercore,
    TokenRefreshStatus,
    hookimpl,
    run_on,
)
from tigercore._plugins import Hooks
from tigercore.app import Ports
from tigercore.ports import TokenRow
from tigercore.settings import TokenSettings
from tigercore.testing._gateway import token_text
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import driver_context

METHOD = "user_token_refresh"
DAY = 86_400.0

_seeds = itertools.count(2)  # of the names by which processes know each other


@asynccontextmanager
async def scheduled(world: World, **changes: object) -> AsyncIterator[Tigercore]:
    """Open another process on what is stored, which keeps its tokens alive."""
    cipher = ToyCipher(ToyOptions("root"), driver_context(world.clock))
    ports = Ports(world.store, cipher, world.client, world.balancers)
    settings = attrs.evolve(world.settings, tokens=TokenSettings(auto_refresh=True, **changes))  # type: ignore[arg-type]
    async with run_on(ports, settings, hooks=world.hooks, clock=world.clock, rng=random.Random(next(_seeds))) as tiger:
        yield tiger


def minted(world: World) -> dict[str, str]:
    return {"token": token_text(world.clock.now(), timedelta(days=30), tail=b"another token 16")}


async def holders(tiger: Tigercore, world: World, count: int, days: float = 30) -> list[TigerAccount]:
    """Add accounts of as many developers, each with a token."""
    token = token_text(world.clock.now(), timedelta(days=days))
    return [await add(tiger, license="TBHK", token=token, tiger_id=f"{20160000 + at}") for at in range(count)]


async def refreshes(world: World) -> list[tuple[RefreshTrigger, TokenRefreshStatus]]:
    return [(each.trigger, each.status) for each in await world.store.token_attempts()]


async def test_a_process_without_a_scheduler_says_so(tiger: Tigercore) -> None:
    assert SchedulerStatus(False) == tiger.tokens.scheduler_status()


async def test_a_scheduler_that_was_stopped_has_stopped(world: World, tiger: Tigercore) -> None:
    await tiger.tokens.start_background_refresh_scheduler()
    await wait_all_tasks_blocked()
    await tiger.tokens.stop_background_tasks()
    assert not tiger.tokens.scheduler_status().running


async def test_a_scheduler_that_is_stopped_and_started_at_once_runs(world: World, tiger: Tigercore) -> None:
    await tiger.tokens.start_background_refresh_scheduler()
    for _ in range(20):  # trio takes tasks up in any order
        await wait_all_tasks_blocked()
        await tiger.tokens.stop_background_tasks()
        await tiger.tokens.start_background_refresh_scheduler()
        await wait_all_tasks_blocked()
        assert tiger.tokens.scheduler_status().running


async def test_a_scheduler_begins_anew_once_the_one_that_was_stopped_has_ended(
    world: World, tiger: Tigercore, autojump_clock: MockClock
) -> None:
    seconds = iter((1, 10))

    async def slow(*_: object) -> list[TokenRow]:
        with trio.CancelScope(shield=True):
            await trio.sleep(next(seconds))
        return []

    await holders(tiger, world, 1)
    world.clock.advance(20 * DAY)
    world.store.claim_due_tokens = slow  # type: ignore[assignment,method-assign]
    await tiger.tokens.start_background_refresh_scheduler()
    await wait_all_tasks_blocked()
    with trio.CancelScope() as impatient:
        impatient.cancel()
        await tiger.tokens.stop_background_tasks()
    await tiger.tokens.start_background_refresh_scheduler()
    await trio.sleep(2)
    assert tiger.tokens.scheduler_status().running


async def test_the_log_says_why_a_token_was_not_refreshed(
    world: World, tiger: Tigercore, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    [holder] = await holders(tiger, world, 1)
    world.clock.advance(20 * DAY)
    async with tiger.tokens.writing(holder):
        await tiger.tokens.start_background_refresh_scheduler()
        await trio.sleep(6)
    assert ["calls that write are under way; its token can wait"] == [
        record.getMessage().rpartition(": ")[2] for record in caplog.records
    ]


async def test_the_status_counts_what_will_fall_due(world: World, tiger: Tigercore) -> None:
    await holders(tiger, world, 3)
    await add(tiger)  # an account that needs no token
    await tiger.tokens.start_background_refresh_scheduler()
    await wait_all_tasks_blocked()
    assert SchedulerStatus(True, waiting=3) == tiger.tokens.scheduler_status()


async def test_the_status_says_by_how_much_work_is_late(world: World, tiger: Tigercore) -> None:
    [holder] = await holders(tiger, world, 1)
    await tiger.tokens.schedule_token_refresh(holder, world.clock.now() + timedelta(hours=1))
    await tiger.tokens.start_background_refresh_scheduler()
    await wait_all_tasks_blocked()
    world.clock.advance(3600 + 600)
    assert pytest.approx(600) == tiger.tokens.scheduler_status().overdue


async def test_a_token_near_its_end_is_refreshed_for_that_reason(world: World, tiger: Tigercore) -> None:
    await holders(tiger, world, 1)
    world.clock.advance(29.9 * DAY)
    world.client.answer(METHOD, minted(world))
    await tiger.tokens.start_background_refresh_scheduler()
    await wait_all_tasks_blocked()
    assert [(RefreshTrigger.EXPIRY_SOON, TokenRefreshStatus.SUCCEEDED)] == await refreshes(world)


async def test_a_refresh_that_can_wait_is_put_off_to_after_a_markets_opening(world: World, tiger: Tigercore) -> None:
    await holders(tiger, world, 1)
    opening = datetime(2026, 1, 25, 14, 30, tzinfo=world.clock.now().tzinfo)
    world.clock.advance((opening - world.clock.now()).total_seconds())
    world.client.answer(METHOD, minted(world))
    await tiger.tokens.start_background_refresh_scheduler()
    await wait_all_tasks_blocked()
    assert [] == await refreshes(world)
    [row] = await world.store.token_rows()
    assert opening + timedelta(minutes=10) == row.next_at


async def test_a_token_at_its_last_call_waits_for_no_market(world: World, tiger: Tigercore) -> None:
    await holders(tiger, world, 1, days=20.2)
    opening = datetime(2026, 1, 25, 14, 30, tzinfo=world.clock.now().tzinfo)
    world.clock.advance((opening - world.clock.now()).total_seconds())
    world.client.answer(METHOD, minted(world))
    await tiger.tokens.start_background_refresh_scheduler()
    await wait_all_tasks_blocked()
    assert [(RefreshTrigger.EXPIRY_SOON, TokenRefreshStatus.SUCCEEDED)] == await refreshes(world)


async def test_no_more_refreshes_are_under_way_than_may_be(
    world: World, tiger: Tigercore, autojump_clock: MockClock
) -> None:
    await holders(tiger, world, 5)
    world.clock.advance(20 * DAY)
    world.client.latency = 5.0
    async with scheduled(world, parallel=2):
        await wait_all_tasks_blocked()
        assert 2 == len(world.client.calls)


async def test_two_processes_share_the_work_and_do_none_of_it_twice(world: World, tiger: Tigercore) -> None:
    await holders(tiger, world, 8)
    world.clock.advance(20 * DAY)
    world.client.answer(METHOD, minted(world))
    async with scheduled(world, parallel=2), scheduled(world, parallel=2):
        await wait_all_tasks_blocked()
    assert [(RefreshTrigger.SCHEDULED, TokenRefreshStatus.SUCCEEDED)] * 8 == await refreshes(world)
    assert 8 == len(world.client.calls)


async def test_when_nobody_gets_an_answer_one_try_follows_the_other(world: World, tiger: Tigercore) -> None:
    await holders(tiger, world, 20)
    world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"), 20)
    world.clock.advance(20 * DAY)
    async with scheduled(world, parallel=4) as other:
        await wait_all_tasks_blocked()
        assert other.tokens.scheduler_status().outage
        assert len(world.client.calls) < 8


async def test_a_loop_that_is_stuck_is_started_anew(
    world: World, tiger: Tigercore, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = trio.Event()
    claim = world.store.claim_due_tokens

    async def hang(*_: object) -> list[object]:
        stuck.set()
        await trio.sleep_forever()
        raise AssertionError

    await holders(tiger, world, 1)
    world.clock.advance(20 * DAY)
    world.store.claim_due_tokens = hang  # type: ignore[assignment,method-assign]  # a driver that never returns
    await tiger.tokens.start_background_refresh_scheduler()
    await stuck.wait()
    world.store.claim_due_tokens = claim  # type: ignore[method-assign]
    world.client.answer(METHOD, minted(world))
    await trio.sleep(600)
    assert 1 == tiger.tokens.scheduler_status().restarts
    assert [(RefreshTrigger.SCHEDULED, TokenRefreshStatus.SUCCEEDED)] == await refreshes(world)
    assert any("no sign of life" in record.getMessage() for record in caplog.records)


async def test_the_gateways_patience_is_remembered_by_every_process(world: World, tiger: Tigercore) -> None:
    [holder] = await holders(tiger, world, 1)
    world.client.fail(None, METHOD, RateLimited(METHOD, "rate limit error", retry_after=500.0))
    assert not (await tiger.tokens.refresh_token(holder)).success
    async with world.open() as other:
        success, error = await other.tokens.refresh_token(holder)
        assert (False, True) == (success, "another 500 s" in str(error))
        assert 1 == len(world.client.calls)
        world.clock.advance(501)
        world.client.answer(METHOD, minted(world))
        assert (True, None) == await other.tokens.refresh_token(holder)


class Listener:
    """Hear of tokens that could not be refreshed, and of those that could at last."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @hookimpl
    def tigercore_token_expiring(self, account: TigerAccount, expires_at: datetime, seconds: float) -> None:
        self.heard.append(f"{seconds / 3600:.0f} h left")

    @hookimpl
    def tigercore_token_refresh_failed(self, account: TigerAccount, reason: str, failures: int) -> None:
        self.heard.append(f"failed {failures}")

    @hookimpl
    def tigercore_token_refresh_recovered(self, account: TigerAccount) -> None:
        self.heard.append("recovered")


@pytest.fixture
def listener(world: World) -> Listener:
    world.hooks = Hooks([listener := Listener()])
    return listener


async def test_a_token_that_nobody_could_refresh_rings_four_times(world: World, listener: Listener) -> None:
    async with world.open() as tiger:
        [holder] = await holders(tiger, world, 1)
        world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"))
        await tiger.tokens.refresh_token(holder)
        alarms, row = tiger.tokens._scheduler._alarms, tiger.tokens._snapshot.token(holder.id)
        alarms.set(row)
        for _ in range(30 * 24 - 1):
            world.clock.advance(3600)
            alarms.ring()
    assert ["failed 1", "168 h left", "72 h left", "24 h left", "6 h left"] == listener.heard


async def test_a_token_that_is_as_it_should_be_rings_not(world: World, listener: Listener) -> None:
    async with world.open() as tiger:
        [holder] = await holders(tiger, world, 1)
        await tiger.tokens.schedule_token_refresh(holder, world.clock.now() + timedelta(days=29.99))
        alarms = tiger.tokens._scheduler._alarms
        alarms.set(tiger.tokens._snapshot.token(holder.id))
        for _ in range(29 * 24):
            world.clock.advance(3600)
            alarms.ring()
    assert [] == listener.heard


async def test_plugins_hear_of_failures_and_of_the_end_of_them(world: World, listener: Listener) -> None:
    async with world.open() as tiger:
        [holder] = await holders(tiger, world, 1)
        for _ in range(2):
            world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"))
            await tiger.tokens.refresh_token(holder)
        world.client.answer(METHOD, minted(world))
        await tiger.tokens.refresh_token(holder)
    assert ["failed 1", "failed 2", "recovered"] == listener.heard
