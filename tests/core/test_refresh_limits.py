"""Refreshes that are not sent, because there were too many or it became too late; and how attempts are summed up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import attrs
import pytest

from tests.conftest import World, add
from tigercore import NotProcessed, TigerAccount, Tigercore, TokenRefreshStatus, TokenState
from tigercore.ports import Change
from tigercore.settings import TokenSettings
from tigercore.testing._gateway import token_text
from tigercore.testing.clock import ManualClock

METHOD = "user_token_refresh"


def mint(world: World) -> None:
    """Let the gateway give a token that was issued now."""
    world.client.answer(METHOD, {"token": token_text(world.clock.now(), timedelta(days=30), tail=b"another token 16")})


async def holder(tiger: Tigercore, world: World, developer: str = "20160001") -> TigerAccount:
    return await add(tiger, license="TBHK", token=token_text(world.clock.now()), tiger_id=developer)


async def renew(tiger: Tigercore, world: World, account: TigerAccount) -> str | None:
    """Refresh a token a second later, and return what went wrong."""
    world.clock.advance(1)
    mint(world)
    return (await tiger.tokens.refresh_token(account)).error


@pytest.fixture
def sparing(world: World) -> World:
    """Return a world in which two refreshes a minute are allowed."""
    world.settings = attrs.evolve(world.settings, tokens=TokenSettings(per_minute=2))
    return world


async def test_more_refreshes_in_a_minute_than_the_gateway_takes_are_not_sent(sparing: World) -> None:
    async with sparing.open() as tiger:
        account = await holder(tiger, sparing)
        assert [None, None] == [await renew(tiger, sparing, account) for _ in range(2)]
        error = await renew(tiger, sparing, account)
        assert f"{account.account_name}: 2 refreshes within a minute; wait 58 s" == error
        assert 2 == len(sparing.client.calls)


async def test_a_minute_later_they_are(sparing: World) -> None:
    async with sparing.open() as tiger:
        account = await holder(tiger, sparing)
        for _ in range(3):
            await renew(tiger, sparing, account)
        sparing.clock.advance(58)
        assert await renew(tiger, sparing, account) is None


async def test_each_developer_has_a_minute_of_his_own(sparing: World) -> None:
    async with sparing.open() as tiger:
        one, other = [await holder(tiger, sparing, developer) for developer in ("20160001", "20160002")]
        for _ in range(3):
            await renew(tiger, sparing, one)
        assert await renew(tiger, sparing, other) is None


@pytest.mark.parametrize("pass_by", [ManualClock.advance, ManualClock.step], ids=["held up", "slept"])
async def test_a_lease_that_is_nearly_over_sends_nothing(
    world: World, tiger: Tigercore, pass_by: Callable[[ManualClock, float], None]
) -> None:
    account = await holder(tiger, world)
    apply, lease = world.store.apply, world.settings.tokens.lease

    async def late(changes: Sequence[Change]) -> int:
        world.store.apply = apply  # type: ignore[method-assign]
        revision = await apply(changes)
        pass_by(world.clock, lease - world.settings.tokens.timeout)
        return revision

    world.store.apply = late  # type: ignore[method-assign]
    assert "held up for so long that nothing was sent" in str(await renew(tiger, world, account))
    assert [] == world.client.calls
    assert [TokenRefreshStatus.NOT_SENT] == [each.status for each in await world.store.token_attempts()]
    assert TokenState.VALID is (await tiger.tokens.get_token_status(account)).state


async def test_attempts_are_summed_up_by_account_and_in_all(world: World, tiger: Tigercore) -> None:
    one, other = [await holder(tiger, world, developer) for developer in ("20160001", "20160002")]
    await renew(tiger, world, one)
    for _ in range(2):
        world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"))
        await renew(tiger, world, other)
    mine, theirs, all_of_them = [await tiger.tokens.get_refresh_statistics(1, each) for each in (one, other, None)]
    assert (1, 1.0) == (mine.attempts, mine.success_rate)
    assert (2, 0.0) == (theirs.attempts, theirs.success_rate)
    assert (3, pytest.approx(1 / 3)) == (all_of_them.attempts, all_of_them.success_rate)
    assert {TokenRefreshStatus.SUCCEEDED: 1, TokenRefreshStatus.NOT_SENT: 2} == all_of_them.by_status
    assert [("user_token_refresh: connection refused", 2)] == list(dict(all_of_them.causes).items())


async def test_statistics_reach_back_as_far_as_was_asked_for(world: World, tiger: Tigercore) -> None:
    account = await holder(tiger, world)
    await renew(tiger, world, account)
    world.clock.advance(2 * 86_400)
    assert [0, 1] == [(await tiger.tokens.get_refresh_statistics(days)).attempts for days in (1, 3)]


async def test_a_history_is_read_page_by_page(world: World, tiger: Tigercore) -> None:
    account = await holder(tiger, world)
    for _ in range(5):
        await renew(tiger, world, account)
    whole = await tiger.tokens.get_token_status_history(account)
    first = await tiger.tokens.get_token_status_history(account, 2)
    second = await tiger.tokens.get_token_status_history(account, 10, before=first[-1].id)
    assert (5, whole) == (len(whole), first + second)
    assert sorted((each.started_at for each in whole), reverse=True) == [each.started_at for each in whole]
