"""The demo's acts, in order: a gateway, an installation, tokens, load, a failure half-way, and the figures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Never

import trio

from tigercore.app import open_tigercore
from tigercore.cli.demo.accounts import enrol, install, refresh_tokens
from tigercore.cli.demo.calls import Ledger, Stage
from tigercore.cli.demo.gateway import Simulator, SimulatorFailed, open_simulator
from tigercore.cli.demo.load import Load, rate
from tigercore.cli.demo.summary import Summary
from tigercore.cli.demo.table import Scene, Screen
from tigercore.errors import TigerCoreError

_DEVELOPERS, _SEED, _BROKEN = 6, 7, 3  # how many, the seed, and which of them is to fail: not the default account's
_BREAK, _HEAL, _HEAL_AT_LAST = 0.5, 0.75, 0.9  # shares of the time


async def play(seconds: float, screen: Screen, ledger: Ledger) -> Summary:
    """Run the demo in a folder of its own, which is gone afterwards, and return the figures.

    :raises TigerCoreError: something stood in the way.
    """
    failures: list[TigerCoreError] = []
    try:
        with TemporaryDirectory(prefix="tigercore-demo-") as place:  # made with mode 0700
            async with _watched_simulator(Path(place)) as simulator:
                screen.step(
                    f"a gateway on this machine, {simulator.admin.removesuffix('/admin')}, with made-up accounts"
                )
                return await _play_with(simulator, Path(place), seconds, screen, ledger)
    except* TigerCoreError as group:
        failures.extend(_leaves(group))
    raise min(failures, key=lambda failure: not isinstance(failure, SimulatorFailed)) from None


@asynccontextmanager
async def _watched_simulator(place: Path) -> AsyncIterator[Simulator]:
    """Run the simulator; should it end by itself, so does the block."""
    async with open_simulator(place, developers=_DEVELOPERS, seed=_SEED) as simulator, trio.open_nursery() as nursery:
        nursery.start_soon(_fail_when_ended, simulator)
        yield simulator
        nursery.cancel_scope.cancel()


async def _fail_when_ended(simulator: Simulator) -> Never:
    raise await simulator.ended()


async def _play_with(simulator: Simulator, place: Path, seconds: float, screen: Screen, ledger: Ledger) -> Summary:
    settings = await install(place)
    screen.step("a root key and an encrypted database, for this run only")
    async with open_tigercore(settings, hooks=[ledger]) as tiger:
        developers = await enrol(tiger, simulator)
        screen.step(f"{sum(len(each.accounts) for each in developers)} accounts enrolled from the portal's files")
        await refresh_tokens(tiger, developers)
        screen.step(f"{ledger.token_refreshes} tokens refreshed")
        load = Load(tiger, ledger, rate(len(developers), seconds), trio.current_time(), seconds)
        scene = Scene(load, ledger, developers, developers[_BROKEN])
        await _perform(simulator, scene, screen)
        return Summary(scene.elapsed, developers, scene.broken, ledger, await simulator.orders())


async def _perform(simulator: Simulator, scene: Scene, screen: Screen) -> None:
    """Let the load run, and the failure with it; when both are over, the screen stands still."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(screen.follow, scene)
        async with trio.open_nursery() as acts:
            acts.start_soon(scene.load.run)
            acts.start_soon(_break_and_heal, simulator, scene)
        nursery.cancel_scope.cancel()


async def _break_and_heal(simulator: Simulator, scene: Scene) -> None:
    began, seconds, ledger = scene.load.began, scene.load.seconds, scene.ledger
    await trio.sleep_until(began + seconds * _BREAK)
    await simulator.fail(scene.broken.tiger_id)
    ledger.stage = Stage.DURING
    await trio.sleep_until(began + seconds * _HEAL)
    with trio.move_on_at(began + seconds * _HEAL_AT_LAST):  # in a short demo it may take a little longer
        await ledger.ejected.wait()
    await simulator.heal()
    ledger.stage = Stage.AFTER


def _leaves(group: BaseExceptionGroup[TigerCoreError]) -> Iterator[TigerCoreError]:
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each)
        else:
            yield each
