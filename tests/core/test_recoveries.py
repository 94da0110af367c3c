"""What comes after a loss: a kill, a store or a gateway that was away, a stuck loop, a reply that never came."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.conftest import World
from tests.core.processes import (
    METHOD,
    Listener,
    ends_well,
    holder,
    journalled,
    killed_before_its_commit,
    no_commit,
    process,
    refresh_while_the_store_is_away,
    refreshes,
    statuses,
    timed_world,
)
from tigercore import (
    JournalUnusable,
    NotProcessed,
    OutcomeUnknown,
    TokenRefreshStatus,
    TokenState,
    Unauthorized,
    _keeper,
)
from tigercore._outage import Outage
from tigercore._plugins import Hooks
from tigercore.ports import Change, Put, TokenRow
from tigercore.settings import TokenSettings
from tigercore.testing._gateway import token_text
from tigercore.testing.clock import ManualClock

DAY = 86_400.0
STUCK = TokenSettings().lease + 120.0  # seconds without a sign of life


@pytest.fixture
def world() -> World:
    return timed_world()


@pytest.fixture
def listener(world: World) -> Listener:
    world.hooks = Hooks([listener := Listener()])
    return listener


# -- of the store ----------------------------------------------------------------------------------------------


async def test_a_token_whose_process_was_killed_between_reply_and_commit_is_stored_by_the_next(
    world: World, listener: Listener, mock_clock: MockClock, tmp_path: Path
) -> None:
    async with process(world, 1, tmp_path / "j") as dying:
        account = await holder(dying, world)
        await killed_before_its_commit(world, dying, account, mock_clock)
    assert 1 == len(journalled(tmp_path / "j"))
    [lost], fresh = await world.store.token_rows(), dying.tokens._snapshot.token(account.id).sealed
    assert (TokenState.REFRESHING, False) == (lost.state, lost.sealed == fresh)
    assert [] == listener.heard
    async with process(world, 2, tmp_path / "j", auto_refresh=True) as heir:
        await listener.refreshed.wait()
        token = await heir.tokens.token_for(account)
        assert token is not None
        assert world.clock.now() == token.issued_at
    assert [TokenRefreshStatus.SUCCEEDED] == await statuses(world)
    assert 1 == refreshes(world)
    assert [] == journalled(tmp_path / "j")


async def test_a_token_in_the_journal_outlives_the_account_that_led_its_developer(
    world: World, mock_clock: MockClock, tmp_path: Path
) -> None:
    async with process(world, 1, tmp_path / "j") as dying:
        accounts = [await holder(dying, world), await holder(dying, world)]
        await killed_before_its_commit(world, dying, accounts[0], mock_clock)
    led, left = sorted(accounts, key=lambda each: each.id)
    async with process(world, 2) as tiger:
        await tiger.accounts.delete_account(led.id)
    world.clock.advance(3600)
    async with process(world, 3, tmp_path / "j") as heir:
        token = await heir.tokens.token_for(left)
        assert token is not None
        assert world.clock.now() - timedelta(seconds=3600) == token.issued_at
    assert [] == journalled(tmp_path / "j")


async def test_a_token_that_is_being_stored_is_not_adopted_beside_that(
    world: World, autojump_clock: MockClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with process(world, 1, tmp_path / "j") as tiger:
        account = await holder(tiger, world)
        await tiger.tokens.refresh_token(account)  # which makes the journal
        await refresh_while_the_store_is_away(world, tiger, account)
        assert 1 == len(journalled(tmp_path / "j"))
        await tiger.tokens._source._refresher._keeper.adopt()
        world.backend.broken = False
        await trio.sleep(60)
    assert [TokenRefreshStatus.SUCCEEDED] * 2 == await statuses(world)
    assert not any("was not stored" in record.getMessage() for record in caplog.records)


async def test_an_attempt_whose_token_is_being_stored_is_not_called_lost(
    world: World, autojump_clock: MockClock
) -> None:
    apply = world.store.apply

    async def late(changes: Sequence[Change]) -> int:
        """Carry out the end of a refresh, and tell so a second later."""
        if any(map(ends_well, changes)):
            await trio.sleep(1)
        return await apply(changes)

    async with process(world, 1) as tiger:
        account = await holder(tiger, world)
        world.store.apply = late  # type: ignore[method-assign]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tiger.tokens.refresh_token, account)
            await wait_all_tasks_blocked()
            await tiger.tokens._source._refresher.end_lost_attempts()
            assert [TokenRefreshStatus.STARTED] == await statuses(world)
    assert [TokenRefreshStatus.SUCCEEDED] == await statuses(world)


async def test_plugins_hear_of_a_refresh_once_the_store_has_it(
    world: World, listener: Listener, autojump_clock: MockClock
) -> None:
    async with process(world, 1) as tiger:
        await refresh_while_the_store_is_away(world, tiger, await holder(tiger, world))
        assert [] == listener.heard
        world.backend.broken = False
        await trio.sleep(60)
    assert ["refreshed"] == listener.heard


async def test_plugins_hear_of_a_recovery_once_the_store_has_it(
    world: World, listener: Listener, autojump_clock: MockClock
) -> None:
    async with process(world, 1) as tiger:
        account = await holder(tiger, world)
        world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"))
        await tiger.tokens.refresh_token(account)
        await refresh_while_the_store_is_away(world, tiger, account)
        assert [] == listener.heard
        world.backend.broken = False
        await trio.sleep(60)
    assert ["refreshed", "recovered"] == listener.heard


async def test_a_disk_that_keeps_an_entry_of_the_journal_spoils_no_refresh(
    world: World, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise JournalUnusable("the disk is read-only")

    async with process(world, 1) as tiger:
        account = await holder(tiger, world)
        monkeypatch.setattr(tiger.tokens._source._refresher._keeper._journal, "drop", refuse)
        assert (await tiger.tokens.refresh_token(account)).success
    assert ["refreshed"] == listener.heard


async def test_an_entry_of_another_version_is_left_alone_and_ends_nobody(
    world: World, mock_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_keeper, "_written", lambda *_: '{"of": "tomorrow"}')
    async with process(world, 1, tmp_path / "j") as dying:
        account = await holder(dying, world)
        await killed_before_its_commit(world, dying, account, mock_clock)
    async with process(world, 2, tmp_path / "j") as tiger:
        await tiger.tokens._source._refresher._keeper.adopt()
    assert 1 == len(journalled(tmp_path / "j"))


async def test_plugins_hear_nothing_of_a_token_that_came_too_late(
    world: World, listener: Listener, autojump_clock: MockClock
) -> None:
    async with process(world, 1) as tiger:
        account = await holder(tiger, world)
        await refresh_while_the_store_is_away(world, tiger, account)
        world.clock.advance(60)
        await trio.sleep(0.01)
        world.backend.broken = False
        await tiger.accounts.update_tokens(account.id, token_text(world.clock.now()))
        await trio.sleep(60)
    assert [TokenRefreshStatus.LOST] == await statuses(world)
    assert [] == listener.heard


async def test_a_token_in_hand_is_stored_at_once_if_somebody_needs_it(
    world: World, mock_clock: MockClock, tmp_path: Path
) -> None:
    async with process(world, 1, tmp_path / "j") as tiger:
        account = await holder(tiger, world)
        with no_commit(world) as received:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tiger.tokens.refresh_token, account)
                await received.wait()
                mock_clock.jump(20)  # longer than who asked waits for the store
            await wait_all_tasks_blocked(0.1)
        await tiger.tokens._source._refresher._keeper.adopt()
        assert [TokenRefreshStatus.SUCCEEDED] == await statuses(world)
    assert [] == journalled(tmp_path / "j")


async def test_a_token_row_whose_account_was_removed_meanwhile_is_not_kept(
    world: World, autojump_clock: MockClock
) -> None:
    apply = world.store.apply

    async def late(changes: Sequence[Change]) -> int:
        """Carry the taking of a lease out, and tell so after what others do."""
        revision = await apply(changes)
        if any(isinstance(each, Put) and each.row.id == account.id for each in changes):
            await trio.sleep(0.05)
        return revision

    async with process(world, 1, auto_refresh=True) as tiger:
        account = await holder(tiger, world)
        await wait_all_tasks_blocked()
        tiger.tokens._snapshot.fall_behind = lambda: None  # type: ignore[method-assign]  # a feed that is late
        world.store.apply = late  # type: ignore[method-assign]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tiger.tokens.refresh_token, account)
            await wait_all_tasks_blocked()
            await tiger.accounts.delete_account(account.id)
        await trio.sleep(5)
        assert tiger.tokens.scheduler_status().running
        assert {} == dict(tiger.tokens._snapshot.tokens)


async def test_a_disk_that_keeps_what_is_stored_already_ends_no_process(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def refuse(*_: object) -> None:
        raise JournalUnusable("the disk is read-only")

    async with process(world, 1, tmp_path / "j") as tiger:
        keeper = tiger.tokens._source._refresher._keeper
        monkeypatch.setattr(keeper._journal, "drop", refuse)
        assert (await tiger.tokens.refresh_token(await holder(tiger, world))).success
        for _ in range(2):
            await keeper.adopt()
    assert [TokenRefreshStatus.SUCCEEDED] == await statuses(world)
    assert 1 == len(journalled(tmp_path / "j"))


async def test_what_a_process_that_died_has_leased_is_refreshed_by_a_command(world: World) -> None:
    async with process(world, 1) as tiger:
        await holder(tiger, world)
        world.clock.advance(20 * DAY)
        await world.store.claim_due_tokens("the dead", 60, 1)
    for _ in range(2):  # first it is in doubt, and then it is known to live
        world.clock.advance(3600)
        async with process(world, 2) as tiger:
            await tiger.tokens.refresh_expired_tokens()
    assert [TokenState.VALID] == [row.state for row in await world.store.token_rows()]


# -- of a reply ------------------------------------------------------------------------------------------------


async def test_two_schedulers_that_find_a_refresh_lost_send_one_more(world: World, autojump_clock: MockClock) -> None:
    async with process(world, 1) as tiger:
        account = await holder(tiger, world)
        world.clock.advance(60)
        world.client.fail(None, METHOD, OutcomeUnknown(METHOD, "no reply"))
        await tiger.tokens.refresh_token(account)
    world.client.fail(None, "accounts", Unauthorized("accounts", "dead", code=401), times=2)
    world.client.latency = 1.0
    world.clock.advance(TokenSettings().settle)
    async with process(world, 2, auto_refresh=True), process(world, 3, auto_refresh=True):
        await trio.sleep(30)
    assert 2 == refreshes(world)
    assert [TokenRefreshStatus.LOST, TokenRefreshStatus.SUCCEEDED] == sorted(await statuses(world))
    assert [TokenState.VALID] == [row.state for row in await world.store.token_rows()]


# -- of the gateway --------------------------------------------------------------------------------------------


async def test_while_the_gateway_is_down_one_refresh_is_under_way(world: World, autojump_clock: MockClock) -> None:
    async with process(world, 1, parallel=4) as tiger:
        for developer in range(12):
            await holder(tiger, world, developer)
        world.clock.advance(20 * DAY)
        world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"), times=100)
        await tiger.tokens.start_background_refresh_scheduler()
        await wait_all_tasks_blocked()
        assert tiger.tokens.scheduler_status().outage
        for _ in range(3):
            before = refreshes(world)
            world.clock.advance(300)  # longer than any wait for the next try
            await trio.sleep(300)
            assert 1 == refreshes(world) - before


async def test_the_first_answer_ends_an_outage_and_the_rest_follows(world: World, autojump_clock: MockClock) -> None:
    async with process(world, 1, parallel=4) as tiger:
        for developer in range(12):
            await holder(tiger, world, developer)
        world.clock.advance(20 * DAY)
        world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"), times=4)
        await tiger.tokens.start_background_refresh_scheduler()
        await wait_all_tasks_blocked()
        assert tiger.tokens.scheduler_status().outage
        world.clock.advance(300)
        await trio.sleep(300)
        assert not tiger.tokens.scheduler_status().outage
    states = [each.issued_at == world.clock.now() for each in await world.store.token_rows()]
    assert [True] * 12 == states


def test_an_outage_after_another_begins_with_short_waits() -> None:
    outage = Outage(ManualClock(), random.Random(1))
    for number in range(50):
        outage.silent(str(number))
    assert outage.wait() > 100
    outage.answered()
    for number in range(3):
        outage.silent(str(number))
    assert 0 < outage.wait() <= 5


# -- of the loop -----------------------------------------------------------------------------------------------


async def test_a_loop_that_has_nothing_to_do_is_not_stuck(world: World, autojump_clock: MockClock) -> None:
    async with process(world, 1, auto_refresh=True) as tiger:
        await holder(tiger, world)
        await trio.sleep(DAY)
        status = tiger.tokens.scheduler_status()
        assert (True, 0) == (status.running, status.restarts)


async def test_a_loop_is_stuck_after_a_lease_and_two_minutes(world: World, autojump_clock: MockClock) -> None:
    async def hang(*_: object) -> list[TokenRow]:
        return await trio.sleep_forever()

    async with process(world, 1) as tiger:
        await holder(tiger, world)
        world.clock.advance(20 * DAY)
        world.store.claim_due_tokens = hang  # type: ignore[assignment,method-assign]  # a driver that never returns
        await tiger.tokens.start_background_refresh_scheduler()
        await trio.sleep(STUCK - 1)
        assert 0 == tiger.tokens.scheduler_status().restarts
        await trio.sleep(2)
        assert 1 == tiger.tokens.scheduler_status().restarts


async def test_a_scheduler_that_was_stopped_says_so(world: World) -> None:
    async with process(world, 1, auto_refresh=True) as tiger:
        await wait_all_tasks_blocked()
        assert tiger.tokens.scheduler_status().running
        await tiger.tokens.stop_background_tasks()
        await wait_all_tasks_blocked()
        assert not tiger.tokens.scheduler_status().running
