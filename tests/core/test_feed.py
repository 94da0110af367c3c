"""A freeze reaches every program that is open, within seconds, whatever else it cannot read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any
from uuid import UUID

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.conftest import World, add, reopened
from tigercore import KeyRing, KeyUnavailable, SigningFrozen, StoreUnavailable, TigerAccount, Tigercore, run_on
from tigercore._feed import PATIENCE
from tigercore._founding import freeze_ring
from tigercore.app import Ports
from tigercore.model import AuditEntry
from tigercore.ports import AccountRow
from tigercore.testing._memory_store import MemoryAccountStore, MemoryOptions
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import ManualClock, driver_context

ENTRY = AuditEntry(ManualClock().now(), "test", "keyring.freeze", "panic")
LONG = 150.0  # seconds in which what fails has long been tried again as seldom as it ever is


class SlowRoot(ToyCipher):
    """A cipher whose root is away when it is told so: it refuses, or lets one wait."""

    away: Callable[[], Awaitable[object]] | None = None

    async def unlock(self, ring: KeyRing) -> None:
        if self.away is not None:
            await self.away()
        await super().unlock(ring)


class SlowRows(MemoryAccountStore):
    """A store that takes its time to read accounts when it is told so."""

    seconds = 0.0

    async def accounts(self, ids: Collection[UUID] | None = None) -> list[AccountRow]:
        if self.seconds:
            await trio.sleep(self.seconds)
        return await super().accounts(ids)


async def refuse() -> None:
    raise KeyUnavailable("the root does not answer")


def cipher(root: str = "root") -> SlowRoot:
    return SlowRoot(ToyOptions(root), driver_context(seed=len(root)))


def opened(world: World, cipher: ToyCipher, store: Any = None) -> AbstractAsyncContextManager[Tigercore]:
    ports = Ports(store or world.store, cipher, world.client, world.balancers)
    return run_on(ports, world.settings, clock=world.clock)


def stands(world: World, ring: KeyRing) -> None:
    """Put a ring into the store as somebody does who writes to the database."""
    world.backend.tables.ring = ring
    world.backend.tables.revision += 1
    world.backend.commit(world.backend.tables)


async def seconds_until_frozen(tiger: Tigercore, account: TigerAccount) -> float:
    began = trio.current_time()
    with trio.fail_after(LONG), suppress(SigningFrozen):
        while tiger.accounts.signer(account):  # noqa: ASYNC110  (nobody announces a freeze)
            await trio.sleep(0.1)
    return trio.current_time() - began


async def test_a_program_that_has_long_failed_to_follow_is_frozen_at_once(
    world: World, tiger: Tigercore, autojump_clock: trio.abc.Clock
) -> None:
    account = await add(tiger)
    async with reopened(world) as other:
        await other.keys.rekey_root(cipher("another"))
    async with opened(world, cipher("another")) as moved:
        await moved.keys.rotate()
    await trio.sleep(LONG)
    await freeze_ring(world.store, cipher("another"), ENTRY)
    assert await seconds_until_frozen(tiger, account) < 1


async def test_a_program_that_waits_for_its_root_is_frozen_at_once(
    world: World, autojump_clock: trio.abc.Clock
) -> None:
    root = cipher()
    async with opened(world, root) as tiger:
        account = await add(tiger)
        root.away = trio.sleep_forever
        async with reopened(world) as other:
            await other.keys.rotate(keep_old=True)
            await trio.sleep(LONG)
            await freeze_ring(world.store, cipher(), ENTRY)
        assert await seconds_until_frozen(tiger, account) < 1


async def test_a_program_whose_store_was_long_away_is_frozen_soon_after_it_is_back(
    world: World, tiger: Tigercore, autojump_clock: trio.abc.Clock
) -> None:
    account = await add(tiger)
    world.backend.broken = True
    with pytest.raises(StoreUnavailable):
        await tiger.keys.verify()
    world.backend._written.set()
    await trio.sleep(LONG)
    world.backend.broken = False
    await freeze_ring(world.store, cipher(), ENTRY)
    assert await seconds_until_frozen(tiger, account) < PATIENCE + 1


async def test_a_freeze_of_an_older_ring_that_was_put_back_is_believed(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    old = tiger.keys.export()
    await tiger.keys.freeze()
    await tiger.keys.unfreeze()
    stands(world, old)
    await freeze_ring(world.store, cipher(), ENTRY)
    await wait_all_tasks_blocked()
    with pytest.raises(SigningFrozen):
        tiger.accounts.signer(account)


async def test_no_older_ring_ends_a_freeze_that_was_believed(world: World, autojump_clock: trio.abc.Clock) -> None:
    root = cipher()
    async with opened(world, root) as tiger:
        account = await add(tiger)
        root.away = refuse
        async with reopened(world) as other:
            await other.keys.rotate()
            old = other.keys.export()
            await other.keys.freeze()
        await trio.sleep(LONG)
        root.away = None
        stands(world, old)
        await trio.sleep(LONG)
        with pytest.raises(SigningFrozen):
            tiger.accounts.signer(account)


async def test_to_unfreeze_ends_a_freeze_that_stands_no_more(world: World, tiger: Tigercore) -> None:
    account, ring = await add(tiger), tiger.keys.export()
    stands(world, KeyRing(ring.id, ring.active, frozen=True, version=ring.version))
    await wait_all_tasks_blocked()
    assert tiger.tokens._vault.is_frozen
    stands(world, ring)
    await tiger.keys.unfreeze()
    assert tiger.accounts.signer(account)


async def test_a_freeze_that_is_cancelled_after_it_was_written_is_caught_up_with(
    world: World, autojump_clock: trio.abc.Clock
) -> None:
    store = SlowRows(MemoryOptions(world.backend), driver_context(world.clock))
    async with opened(world, cipher(), store) as tiger, trio.open_nursery() as nursery:
        account = await add(tiger)
        store.seconds = 3.0
        nursery.start_soon(tiger.tokens.distrust, account, None)  # reads, and lets nobody else
        await trio.sleep(0.5)
        with trio.move_on_after(1):
            await tiger.keys.freeze()
        assert await seconds_until_frozen(tiger, account) < 10
