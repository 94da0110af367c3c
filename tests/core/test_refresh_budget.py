"""The gateway takes ten refreshes a minute of one developer: the eleventh never reaches it."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest

from tests.conftest import World, add
from tigercore import RefreshTrigger, TigerAccount, Tigercore, TokenRateLimitError
from tigercore.ports import Change, Put
from tigercore.testing._gateway import token_text
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing.clock import ManualClock, driver_context


@pytest.fixture
def world() -> World:
    """Return a world whose gateway goes by the clock of the test: else what it issues bears the real date."""
    clock = ManualClock()
    return World(clock=clock, client=ScriptedTigerClient(context=driver_context(clock)))


@pytest.fixture
async def holder(world: World, tiger: Tigercore) -> TigerAccount:
    return await add(tiger, license="TBHK", token=token_text(world.clock.now()))


async def ask(world: World, tiger: Tigercore, account: TigerAccount, times: int) -> None:
    """Refresh a token so many times, a second apart."""
    for _ in range(times):
        world.clock.advance(1)
        assert (True, None) == await tiger.tokens.refresh_token(account)


async def test_the_eleventh_refresh_of_a_minute_is_told_how_long_to_wait(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    await ask(world, tiger, holder, 10)
    with pytest.raises(TokenRateLimitError) as caught:
        await tiger.tokens._source.refresh(holder, RefreshTrigger.MANUAL)
    assert pytest.approx(51) == caught.value.retry_after  # until the first of them is a minute old


async def test_the_eleventh_refresh_of_a_minute_leaves_no_trace(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    await ask(world, tiger, holder, 10)
    before = await world.store.token_rows()
    assert not (await tiger.tokens.refresh_token(holder)).success
    assert before == await world.store.token_rows()
    assert (10, 10) == (len(world.client.calls), len(await world.store.token_attempts()))


async def test_accounts_of_one_developer_share_the_ten(world: World, tiger: Tigercore, holder: TigerAccount) -> None:
    sibling = await add(tiger, license="TBHK")
    await ask(world, tiger, holder, 5)
    await ask(world, tiger, sibling, 5)
    assert not (await tiger.tokens.refresh_token(sibling)).success


async def test_the_minute_rolls(world: World, tiger: Tigercore, holder: TigerAccount) -> None:
    await ask(world, tiger, holder, 10)
    world.clock.advance(50.5)  # and the first of them is over a minute old, the second not
    await ask(world, tiger, holder, 1)
    assert not (await tiger.tokens.refresh_token(holder)).success


async def test_a_lease_that_another_process_has_taken_first_costs_nothing(
    world: World, tiger: Tigercore, holder: TigerAccount
) -> None:
    apply = world.store.apply

    async def too_late(changes: Sequence[Change]) -> int:
        """Let somebody else write the row before whoever tries to lease it."""
        if any(isinstance(change, Put) for change in changes):
            [row] = await world.store.token_rows()
            await apply([Put(attrs.evolve(row))])
        return await apply(changes)

    world.store.apply = too_late  # type: ignore[method-assign]
    for _ in range(10):
        world.clock.advance(1)
        assert not (await tiger.tokens.refresh_token(holder)).success
    assert [] == world.client.calls
    world.store.apply = apply  # type: ignore[method-assign]
    await ask(world, tiger, holder, 10)
