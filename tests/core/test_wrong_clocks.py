"""A clock that is wrong, or is set: what is expired is decided by the gateway's time, and a person is told."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from tests.conftest import World, add
from tigercore import (
    RefreshTrigger,
    TigerAccount,
    Tigercore,
    TokenNeedsReauthorisation,
    TokenRefreshStatus,
    TokenState,
    Unauthorized,
)
from tigercore.testing._gateway import token_text
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing.clock import ManualClock, driver_context

_HOUR = 3600.0


@pytest.fixture
def world() -> World:
    """Return a world in which the client goes by the clock that is set wrong."""
    clock = ManualClock()
    return World(clock=clock, client=ScriptedTigerClient(context=driver_context(clock)))


async def _holder(world: World, tiger: Tigercore, minutes: float = 30) -> TigerAccount:
    token = token_text(world.clock.now(), timedelta(minutes=minutes))
    return await add(tiger, license="TBHK", token=token)


def _set_clock(world: World, seconds: float) -> None:
    world.clock.step(seconds)
    world.client.ahead -= seconds


@pytest.mark.parametrize("wrong", [_HOUR, -_HOUR])
async def test_a_token_that_lives_is_used_whatever_the_clock_says(world: World, tiger: Tigercore, wrong: float) -> None:
    holder = await _holder(world, tiger)
    _set_clock(world, wrong)
    assert await tiger.tokens.token_for(holder) is not None
    assert TokenState.VALID is (await tiger.tokens.get_token_status(holder)).state


@pytest.mark.parametrize("step", [_HOUR, -_HOUR])
async def test_a_step_of_the_clock_ends_no_token(world: World, tiger: Tigercore, step: float) -> None:
    holder = await _holder(world, tiger)
    assert (True, None) == await tiger.tokens.validate_token(holder)
    _set_clock(world, step)
    calls = len(world.client.calls)
    assert await tiger.tokens.token_for(holder) is not None
    assert calls == len(world.client.calls)  # nothing had to be asked


@pytest.mark.parametrize("step", [_HOUR, -_HOUR])
async def test_a_token_that_has_ended_is_not_used_after_a_step(world: World, tiger: Tigercore, step: float) -> None:
    holder = await _holder(world, tiger)
    assert (True, None) == await tiger.tokens.validate_token(holder)
    _set_clock(world, step)
    world.clock.advance(31 * 60)
    world.client.fail(None, "accounts", Unauthorized("accounts", "dead", code=401))
    with pytest.raises(TokenNeedsReauthorisation):
        await tiger.tokens.token_for(holder)


@pytest.mark.parametrize(("wrong", "way"), [(_HOUR, "3600 s ahead of"), (-_HOUR, "3600 s behind")])
async def test_a_wrong_clock_is_told_of_once(
    world: World, tiger: Tigercore, caplog: pytest.LogCaptureFixture, wrong: float, way: str
) -> None:
    holder = await _holder(world, tiger, minutes=60 * 24 * 30)
    _set_clock(world, wrong)
    caplog.set_level(logging.WARNING, "tigercore.tokens")
    for _ in range(3):
        await tiger.tokens.refresh_token(holder)
    told = [each for each in caplog.messages if "gateway's" in each]
    assert [f"this machine's clock is {way} the gateway's: set it (NTP)"] == told


async def test_who_cannot_judge_leaves_the_lease_of_another_alone(world: World, tiger: Tigercore) -> None:
    holder = await _holder(world, tiger)
    async with world.open() as other:
        exchange, snapshot = other.tokens._source._refresher._exchange, other.tokens._snapshot
        [row], account = snapshot.token_family(holder), snapshot.row(holder.id).account
        await exchange._begin(account, [row], RefreshTrigger.MANUAL, ())  # and now the gateway takes its time
        [leased] = await world.store.token_rows()
        world.clock.step(_HOUR)  # the token has ended, as far as this process can tell
        await tiger.tokens._snapshot.load()
        assert await tiger.tokens.token_for(holder) is not None
        assert [leased] == await world.store.token_rows()
        assert [TokenRefreshStatus.STARTED] == [each.status for each in await world.store.token_attempts()]
