"""Two processes write to one store at once: when it is quiet, both hold in memory what stands there."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import timedelta
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.conftest import World, add
from tigercore import Tigercore, TigerCoreError, run_on
from tigercore.app import Ports
from tigercore.ports import Change, Remove
from tigercore.testing._gateway import token_text
from tigercore.testing._memory_store import MemoryAccountStore
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import driver_context


def opened(world: World, seed: int) -> AbstractAsyncContextManager[Tigercore]:
    """Open the world as another process does, which gives accounts other ids."""
    cipher = ToyCipher(ToyOptions("root"), driver_context(world.clock))
    ports = Ports(world.store, cipher, world.client, world.balancers)
    return run_on(ports, world.settings, clock=world.clock, rng=random.Random(seed))


async def write_something(tiger: Tigercore, world: World, rng: random.Random) -> None:
    """Create, change or delete an account, claim a token, or record a line."""
    rows = list(tiger.router._snapshot.rows)
    match rng.randrange(7):
        case 0:
            await add(tiger, license="TBHK", token=token_text(world.clock.now(), timedelta(days=15)))
        case 1 if len(rows) > 2:
            await tiger.accounts.delete_account(rng.choice(rows))
        case 2:
            await tiger.audit.commit([], "test.note", "nothing")
        case 3:
            await world.store.claim_due_tokens("other", 60, 1)
        case 4 if rows:
            await tiger.accounts.set_default_data_account(rng.choice(rows))
        case _ if rows:
            await tiger.accounts.update_account(rng.choice(rows), {"description": str(rng.random())})


async def be_busy(tiger: Tigercore, world: World, rng: random.Random) -> None:
    """Write again and again; what the other one has deleted meanwhile cannot be changed."""
    for _ in range(25):
        with suppress(TigerCoreError):
            await write_something(tiger, world, rng)
        for _ in range(rng.randrange(4)):
            await trio.lowlevel.checkpoint()


async def require_agreement(world: World, *tigers: Tigercore) -> None:
    """Pass if all hold what stands in the store."""
    await wait_all_tasks_blocked()
    rows, tokens = await world.store.accounts(), await world.store.token_rows()
    for snapshot in (tiger.router._snapshot for tiger in tigers):
        assert {row.id: row for row in rows} == dict(snapshot.rows)
        assert {row.id: row for row in tokens} == dict(snapshot.tokens)


@pytest.mark.parametrize("seed", range(60))
async def test_two_processes_hold_what_stands_however_their_writes_meet(
    world: World, tiger: Tigercore, seed: int
) -> None:
    async with opened(world, seed + 1000) as other:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(be_busy, tiger, world, random.Random(seed))
            nursery.start_soon(be_busy, other, world, random.Random(seed + 1000))
            if seed % 3 == 0:
                nursery.start_soon(tiger.keys.rotate)
        await require_agreement(world, tiger, other)


class SlowAnswers:
    """A store that has committed a batch, and does something before it says so."""

    def __init__(self, store: MemoryAccountStore, meanwhile: Any) -> None:
        self._store = store
        self._meanwhile = meanwhile

    async def apply(self, changes: Sequence[Change]) -> int:
        revision = await self._store.apply(changes)
        await self._meanwhile()
        return revision

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_an_account_that_others_delete_before_its_creation_has_returned_stays_deleted(
    world: World, tiger: Tigercore
) -> None:
    snapshot = tiger.router._snapshot

    async def delete_and_load() -> None:
        snapshot._store = world.store
        (row,) = await world.store.accounts()
        await world.store.apply([Remove(row.id, row.version)])
        await snapshot.load()

    snapshot._store = SlowAnswers(world.store, delete_and_load)  # type: ignore[assignment]
    with suppress(TigerCoreError):  # it is gone, and cannot be returned
        await add(tiger)
    await require_agreement(world, tiger)


async def test_an_account_that_others_delete_while_its_creation_is_noted_beside_a_load_stays_deleted(
    world: World, tiger: Tigercore
) -> None:
    snapshot, created, told = tiger.router._snapshot, trio.Event(), trio.Event()

    async def delete() -> None:
        snapshot._store = world.store
        (row,) = await world.store.accounts()
        await world.store.apply([Remove(row.id, row.version)])
        told.set()
        await created.wait()

    class SlowReads(SlowAnswers):
        async def delta(self, after: int = -1) -> Any:
            delta = await self._store.delta(after)
            created.set()
            for _ in range(5):
                await trio.lowlevel.checkpoint()
            return delta

    async def create() -> None:
        with suppress(TigerCoreError):
            await add(tiger)

    async with trio.open_nursery() as nursery:
        snapshot._store = SlowAnswers(world.store, delete)  # type: ignore[assignment]
        nursery.start_soon(create)
        await told.wait()
        snapshot._store = SlowReads(world.store, None)  # type: ignore[assignment]
        nursery.start_soon(snapshot.load)
    await require_agreement(world, tiger)
