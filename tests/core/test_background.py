"""The nursery of the composition root: whose error leaves, and as what."""

from __future__ import annotations

import random

import pytest
import trio

from tests.conftest import World
from tigercore import BackgroundTaskFailed, Tigercore, TigerCoreError, get_account_manager, get_config, hookimpl
from tigercore._background import open_background, supervise
from tigercore._plugins import Hooks


async def crash() -> None:
    raise ZeroDivisionError("task")


async def test_the_callers_exception_leaves_as_itself() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_background() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise KeyError("mine")


async def test_the_callers_group_leaves_as_itself() -> None:
    mine = ExceptionGroup("mine", [KeyError(), ValueError()])
    with pytest.raises(ExceptionGroup) as caught:
        async with open_background():
            raise mine
    assert mine is caught.value


async def test_a_crash_of_a_task_is_loud_and_keeps_its_cause() -> None:
    with pytest.raises(BackgroundTaskFailed) as caught:
        async with open_background() as nursery:
            nursery.start_soon(crash)
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, ExceptionGroup)


async def test_an_interrupt_stays_an_interrupt() -> None:
    async def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(BaseExceptionGroup) as caught:
        async with open_background() as nursery:
            nursery.start_soon(interrupt)
            await trio.sleep_forever()
    assert caught.value.subgroup(KeyboardInterrupt)


async def test_at_the_end_of_the_block_the_tasks_are_cancelled() -> None:
    async with open_background() as nursery:
        nursery.start_soon(trio.sleep_forever)


async def test_a_cancelled_caller_is_cancelled_and_nothing_else() -> None:
    with trio.CancelScope() as scope:
        async with open_background() as nursery:
            nursery.start_soon(trio.sleep_forever)
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_service_that_fails_is_started_again(autojump_clock: trio.abc.Clock) -> None:
    runs = []

    async def service() -> None:
        runs.append(trio.current_time())
        if len(runs) < 3:
            raise ZeroDivisionError

    await supervise(service, random.Random(1))
    assert 3 == len(runs)


async def test_another_error_than_the_awaited_one_leaves() -> None:
    with pytest.raises(ZeroDivisionError):
        await supervise(crash, random.Random(1), KeyError)


async def test_a_plugins_service_runs_beside_the_core(world: World) -> None:
    started = trio.Event()

    async def service() -> None:
        started.set()
        await trio.sleep_forever()

    class Plugin:
        @hookimpl
        def tigercore_services(self, tiger: Tigercore) -> list[object]:
            return [service]

    world.hooks = Hooks([Plugin()])
    async with world.open():
        await started.wait()


async def test_the_accessors_find_what_is_open_around_them(world: World) -> None:
    async with world.open() as tiger:
        assert tiger.accounts is get_account_manager()
        assert tiger.settings is get_config()


def test_outside_the_accessors_say_what_to_do() -> None:
    with pytest.raises(TigerCoreError, match="inside `async with open_tigercore"):
        get_account_manager()


async def test_an_outage_of_the_store_does_not_take_routing_with_it(
    world: World, autojump_clock: trio.abc.Clock
) -> None:
    from tests.conftest import add

    async with world.open() as tiger:
        await add(tiger)
        world.backend.broken = True
        await trio.sleep(300)
        assert tiger.router.pick("QUOTE")
