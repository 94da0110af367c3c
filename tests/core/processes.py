"""Processes of tigercore on one store, and what may come over them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.conftest import World, add
from tigercore import StoreUnavailable, TigerAccount, Tigercore, TokenRefreshStatus, hookimpl, run_on
from tigercore.app import Ports
from tigercore.ports import Change, Record, TokenAttempt
from tigercore.settings import TokenSettings
from tigercore.testing._gateway import token_text
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import ManualClock, driver_context

METHOD = "user_token_refresh"


def timed_world() -> World:
    """Return a world whose gateway goes by the clock of the test: else what it issues bears the real date."""
    clock = ManualClock()
    return World(clock=clock, client=ScriptedTigerClient(context=driver_context(clock)))


@asynccontextmanager
async def process(world: World, seed: int, journal: Path | None = None, **tokens: object) -> AsyncIterator[Tigercore]:
    """Open a process of its own on the store; `seed` makes the name by which others know it."""
    cipher = ToyCipher(ToyOptions("root"), driver_context(world.clock))
    ports = Ports(world.store, cipher, world.client, world.balancers)
    settings = attrs.evolve(world.settings, tokens=TokenSettings(**tokens))  # type: ignore[arg-type]
    rng = random.Random(seed)
    async with run_on(ports, settings, hooks=world.hooks, clock=world.clock, rng=rng, journal=journal) as tiger:
        yield tiger


async def holder(tiger: Tigercore, world: World, developer: int = 1) -> TigerAccount:
    return await add(tiger, license="TBHK", token=token_text(world.clock.now()), tiger_id=f"{20160000 + developer}")


def refreshes(world: World) -> int:
    """Return how often the gateway was asked for a token."""
    return sum(method == METHOD for _, method, _ in world.client.calls)


async def statuses(world: World) -> list[TokenRefreshStatus]:
    return [each.status for each in await world.store.token_attempts()]


def journalled(folder: Path) -> list[Path]:
    return list(folder.glob("*.tgc"))


class Listener:
    """Hear of tokens that were refreshed."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.refreshed = trio.Event()

    @hookimpl
    def tigercore_token_refreshed(self, account: TigerAccount) -> None:
        self.heard.append("refreshed")
        self.refreshed.set()

    @hookimpl
    def tigercore_token_refresh_recovered(self, account: TigerAccount) -> None:
        self.heard.append("recovered")


def ends_well(change: Change) -> bool:
    return (
        isinstance(change, Record)
        and isinstance(change.entry, TokenAttempt)
        and change.entry.status is TokenRefreshStatus.SUCCEEDED
    )


@contextmanager
def no_commit(world: World) -> Iterator[trio.Event]:
    """Let no token into the store; the event comes when one was received."""
    received, apply = trio.Event(), world.store.apply

    async def refuse(changes: Sequence[Change]) -> int:
        if any(map(ends_well, changes)):
            received.set()
            raise StoreUnavailable("the connection was lost")
        return await apply(changes)

    world.store.apply = refuse  # type: ignore[method-assign]
    try:
        yield received
    finally:
        world.store.apply = apply  # type: ignore[method-assign]


async def killed_before_its_commit(
    world: World, tiger: Tigercore, account: TigerAccount, mock_clock: MockClock
) -> None:
    """Let a process receive a token that it journals, and end before the store has taken it."""
    world.clock.advance(60)
    with no_commit(world) as received:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tiger.tokens.refresh_token, account)
            await received.wait()
            nursery.cancel_scope.cancel()
            mock_clock.jump(20)  # longer than a token that was just received is kept from being cancelled
        tiger.tokens._nursery.cancel_scope.cancel()


async def refresh_while_the_store_is_away(world: World, tiger: Tigercore, account: TigerAccount) -> None:
    """Let the gateway's reply meet a store that takes nothing; who asked has the token, and the store has not."""
    world.clock.advance(60)
    world.client.latency = 1.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tiger.tokens.refresh_token, account)
        await wait_all_tasks_blocked()
        world.backend.broken = True
