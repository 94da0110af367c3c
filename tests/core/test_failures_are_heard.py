"""Plugins hear of every refresh that failed, whatever kept it from being begun or told of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.conftest import World
from tests.core.processes import METHOD, holder, process, timed_world
from tigercore import NotProcessed, OutcomeUnknown, StaleVersion, TokenState, hookimpl
from tigercore._plugins import Hooks
from tigercore.ports import Change, Put, TokenRow
from tigercore.settings import TokenSettings

DAY = 86_400.0


@pytest.fixture
def world() -> World:
    return timed_world()


class Mourner:
    """Hear of refreshes that failed."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []

    @hookimpl
    def tigercore_token_refresh_failed(self, reason: str, failures: int) -> None:
        self.heard.append((reason, failures))


async def test_plugins_hear_of_a_refresh_that_could_not_be_begun(world: World, tmp_path: Path) -> None:
    world.hooks = Hooks([mourner := Mourner()])
    tmp_path.joinpath("j").mkdir()
    tmp_path.joinpath("j").chmod(0o777)
    async with process(world, 1, tmp_path / "j", auto_refresh=True) as tiger:
        await holder(tiger, world)
        world.clock.advance(20 * DAY)
        await tiger.tokens.start_background_refresh_scheduler()
        await trio.testing.wait_all_tasks_blocked(0.2)
    assert [(True, 1)] == [("chmod 700" in reason, failures) for reason, failures in mourner.heard]


def gives_up(change: Change) -> bool:
    return (
        isinstance(change, Put) and isinstance(change.row, TokenRow) and change.row.state is not TokenState.REFRESHING
    )


def takes_a_lease(change: Change) -> bool:
    return isinstance(change, Put) and isinstance(change.row, TokenRow) and change.row.state is TokenState.REFRESHING


async def test_plugins_hear_of_a_failure_that_the_store_is_slow_to_take(
    world: World, autojump_clock: MockClock
) -> None:
    apply, world.hooks = world.store.apply, Hooks([mourner := Mourner()])

    async def slow(changes: Sequence[Change]) -> int:
        await trio.sleep(30 * any(map(gives_up, changes)))
        return await apply(changes)

    async with process(world, 1) as tiger:
        account = await holder(tiger, world)
        world.client.fail(None, METHOD, NotProcessed(METHOD, "connection refused"))
        world.store.apply = slow  # type: ignore[method-assign]
        assert not (await tiger.tokens.refresh_token(account)).success
    assert 1 == len(mourner.heard)


async def test_plugins_hear_of_a_token_in_doubt_of_which_nobody_could_be_asked(world: World) -> None:
    world.hooks = Hooks([mourner := Mourner()])
    async with process(world, 1) as tiger:
        account = await holder(tiger, world)
        world.client.fail(None, METHOD, OutcomeUnknown(METHOD, "no reply"))
        await tiger.tokens.refresh_token(account)
        world.clock.advance(TokenSettings().settle)
        world.client.fail(None, "accounts", NotProcessed("accounts", "connection refused"))
        await tiger.tokens.refresh_token(account)
    assert [1, 2] == [failures for _, failures in mourner.heard]


async def test_plugins_hear_of_a_lease_that_could_not_be_taken(world: World) -> None:
    apply, world.hooks = world.store.apply, Hooks([mourner := Mourner()])

    async def refuse(changes: Sequence[Change]) -> int:
        if any(map(takes_a_lease, changes)):
            raise StaleVersion("somebody was faster")
        return await apply(changes)

    async with process(world, 1) as tiger:
        account = await holder(tiger, world)
        world.store.apply = refuse  # type: ignore[method-assign]
        assert not (await tiger.tokens.refresh_token(account)).success
    assert 1 == len(mourner.heard)
