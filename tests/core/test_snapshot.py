"""The accounts in memory: nothing that was read earlier replaces what was written later."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.conftest import World, add, reopened
from tigercore import (
    AccountStatus,
    KeyRing,
    KeyUnavailable,
    RateLimited,
    Tigercore,
    TokenRefreshStatus,
    TokenState,
    run_on,
)
from tigercore import _rotation as rotation
from tigercore._heldring import HeldRing
from tigercore._snapshot import Snapshot
from tigercore._sweep import PAGE
from tigercore.app import Ports
from tigercore.ports import Change, Delta, Put, Remove
from tigercore.testing._gateway import token_text
from tigercore.testing._memory_store import MemoryAccountStore
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import driver_context


class SlowReads:
    """A store during whose reads something happens, after the rows were taken and before they are handed over."""

    def __init__(self, store: MemoryAccountStore, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._store = store
        self._meanwhile = meanwhile

    async def delta(self, after: int = -1) -> Delta:
        delta = await self._store.delta(after)
        await self._meanwhile()
        return delta

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class AsyncNothing:
    async def __call__(self, *_: object) -> None:
        await trio.lowlevel.checkpoint()


class Deaf:
    """A store whose change feed says nothing."""

    def __init__(self, store: MemoryAccountStore) -> None:
        self._store = store

    async def wait_for_change(self, after: int) -> int:
        if after >= 0:
            await trio.sleep_forever()
        return await self._store.wait_for_change(after)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def snapshot_of(tiger: Tigercore) -> Snapshot:
    return tiger.router._snapshot


async def test_a_read_that_was_overtaken_by_a_write_puts_nothing_back(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    snapshot = snapshot_of(tiger)

    async def suspend() -> None:
        snapshot._store = world.store
        await tiger.accounts.update_account_status(account.id, AccountStatus.SUSPENDED)

    snapshot._store = SlowReads(world.store, suspend)  # type: ignore[assignment]
    await snapshot.load()
    assert AccountStatus.SUSPENDED is snapshot.row(account.id).account.status


async def test_an_account_that_was_created_while_everything_was_read_is_kept(world: World, tiger: Tigercore) -> None:
    created = []
    snapshot = snapshot_of(tiger)

    async def create() -> None:
        snapshot._store = world.store
        created.append(await add(tiger))

    snapshot._store = SlowReads(world.store, create)  # type: ignore[assignment]
    await snapshot.load()
    assert [account.id for account in created] == list(snapshot.rows)


async def test_writes_without_end_do_not_keep_out_those_of_another_process(world: World, tiger: Tigercore) -> None:
    busy, other = await add(tiger), await add(tiger)

    async def write_for_ever() -> None:
        while True:
            await tiger.accounts.update_account(busy.id, {"weight": 1})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write_for_ever)
        row = (await world.store.accounts([other.id]))[0]
        theirs = attrs.evolve(row, account=attrs.evolve(row.account, status=AccountStatus.SUSPENDED))
        await world.store.apply([Put(theirs)])
        while snapshot_of(tiger).row(other.id).account.status is not AccountStatus.SUSPENDED:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


# -- found by killing rotations (tests/torture) --------------------------------------------------------------------


async def test_loads_at_the_same_time_do_not_disturb_each_other(tiger: Tigercore) -> None:
    await add(tiger)
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(snapshot_of(tiger).load)
    assert 1 == len(snapshot_of(tiger).rows)


async def test_a_read_that_began_earlier_does_not_take_away_what_a_later_one_brought(
    world: World, tiger: Tigercore
) -> None:
    snapshot = snapshot_of(tiger)
    async with reopened(world) as other, trio.open_nursery() as nursery:

        async def create_and_load() -> None:
            snapshot._store = world.store
            await add(other)
            nursery.start_soon(snapshot.load)
            for _ in range(20):
                await trio.lowlevel.checkpoint()

        snapshot._store = SlowReads(world.store, create_and_load)  # type: ignore[assignment]
        await snapshot.load()
    assert 1 == len(snapshot.rows)


async def test_an_account_that_others_delete_while_it_is_read_is_gone_altogether(
    world: World, tiger: Tigercore
) -> None:
    await add(tiger)
    snapshot = snapshot_of(tiger)

    async def delete() -> None:
        snapshot._store = world.store
        (row,) = await world.store.accounts()
        await world.store.apply([Remove(row.id, row.version)])

    snapshot._store = SlowReads(world.store, delete)  # type: ignore[assignment]
    await snapshot.load()
    await wait_all_tasks_blocked()
    assert ([], []) == (list(snapshot.rows), list(snapshot.tokens))


@asynccontextmanager
async def deaf(world: World) -> AsyncIterator[Tigercore]:
    """Open the world without the change feed, in which what others do is never heard of."""
    store: Any = Deaf(world.store)
    ports = Ports(store, ToyCipher(ToyOptions("root"), driver_context()), world.client, world.balancers)
    async with run_on(ports, world.settings, clock=world.clock, rng=random.Random(4)) as opened:
        yield opened


async def test_a_load_after_a_rotation_reads_the_ring_and_what_it_has_sealed(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    async with deaf(world) as here:
        await tiger.keys.rotate()
        await snapshot_of(here).load()
        assert await here.accounts.decrypt_credentials(account)
        assert 2 == snapshot_of(here).ring.active


async def test_a_rotation_in_the_midst_of_a_load_is_read_to_its_end(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    async with deaf(world) as here:
        snapshot = snapshot_of(here)
        rotations = [tiger.keys.rotate]

        async def rotate_once() -> None:
            if rotations:
                await rotations.pop()()

        snapshot._store = SlowReads(world.store, rotate_once)  # type: ignore[assignment]
        await snapshot.load()
        assert await here.accounts.decrypt_credentials(account)


async def test_who_retires_a_key_reads_anew_what_others_have_sealed_meanwhile(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    async with deaf(world) as here:
        old = await add(here)
        ring = rotation.staged(here.keys.export(), await here.keys._cipher.create_key(here.keys.export()))
        ready = await here.keys._cipher.authenticate(rotation.activated(ring))  # type: ignore[arg-type]
        await snapshot_of(here).commit([Put(ready)])
        await tiger.router._snapshot.load()
        apply = world.store.apply

        async def after_the_others(changes: Sequence[Change]) -> int:
            world.store.apply = apply  # type: ignore[method-assign]
            await tiger.keys.rewrap()
            return await apply(changes)

        world.store.apply = after_the_others  # type: ignore[method-assign]
        assert await here.keys.retire()
        for each in (account, old):
            assert await here.accounts.decrypt_credentials(each)


async def test_a_refresh_that_fails_beside_another_process_rotation_is_noted_all_the_same(
    world: World, tiger: Tigercore, autojump_clock: object
) -> None:
    token = token_text(world.clock.now(), timedelta(days=15))
    account = await add(tiger, license="TBHK", token=token)
    async with deaf(world) as here, trio.open_nursery() as nursery:
        world.client.fail(None, "user_token_refresh", RateLimited("user_token_refresh", "slow down", retry_after=60))
        world.client.latency = 5.0
        nursery.start_soon(here.tokens.refresh_token, account)
        await wait_all_tasks_blocked()
        await tiger.keys.rotate()
    (attempt,) = await world.store.token_attempts()
    (row,) = await world.store.token_rows()
    assert (TokenRefreshStatus.RATE_LIMITED, TokenState.VALID) == (attempt.status, row.state)


async def test_a_ring_is_unlocked_once() -> None:
    used: list[int] = []

    async def unlock(ring: KeyRing) -> None:
        used.append(ring.version)

    held = HeldRing(unlock)
    for version in (2, 2, 3):
        await held.turn_to(KeyRing(UUID(int=1), 1, version=version))
    assert [2, 3] == used


@pytest.mark.parametrize("name", ["version", "active", "min_decrypt", "epoch"])
async def test_a_ring_that_went_back_is_refused(name: str) -> None:
    held, ring = HeldRing(AsyncNothing()), KeyRing(UUID(int=1), 2, min_decrypt=2, epoch=2, version=2)
    await held.turn_to(ring)
    back = attrs.evolve(attrs.evolve(ring, version=3), **{name: 1})
    with pytest.raises(KeyUnavailable, match=name):
        await held.turn_to(back)
    assert ring == held.ring


async def test_another_ring_is_refused() -> None:
    held = HeldRing(AsyncNothing())
    await held.turn_to(KeyRing(UUID(int=1), 1, version=1))
    with pytest.raises(KeyUnavailable, match="another key ring"):
        await held.turn_to(KeyRing(UUID(int=2), 1, version=2))
    assert UUID(int=1) == held.ring.id


async def test_nothing_is_said_not_to_open_while_another_process_rotates(world: World, tiger: Tigercore) -> None:
    for _ in range(PAGE * 2):
        await add(tiger)
    async with reopened(world) as other, trio.open_nursery() as nursery:
        nursery.start_soon(other.keys.rotate)
        while tiger.keys.status().active == 1:
            assert () == (await tiger.keys.verify()).faults
    assert () == (await tiger.keys.verify()).faults


# -- only what has changed -----------------------------------------------------------------------------------------


class Listening:
    """A store that notes what its deltas have told."""

    def __init__(self, store: MemoryAccountStore) -> None:
        self._store = store
        self.told: list[UUID] = []

    async def delta(self, after: int = -1) -> Delta:
        delta = await self._store.delta(after)
        self.told += [row.id for row in delta.accounts]
        return delta

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_only_what_others_have_changed_is_read_again(world: World, tiger: Tigercore) -> None:
    _, changed = await add(tiger), await add(tiger)
    snapshot, store = snapshot_of(tiger), Listening(world.store)
    snapshot._store = store  # type: ignore[assignment]
    async with reopened(world) as other:
        await other.accounts.update_account_status(changed.id, AccountStatus.SUSPENDED)
        await wait_all_tasks_blocked()
    assert AccountStatus.SUSPENDED is snapshot.row(changed.id).account.status
    assert [changed.id] == store.told


async def test_what_this_process_has_written_is_not_read_again(world: World, tiger: Tigercore) -> None:
    snapshot, store = snapshot_of(tiger), Listening(world.store)
    snapshot._store = store  # type: ignore[assignment]
    await add(tiger)
    await snapshot.load()
    assert [] == store.told


async def test_an_account_that_others_have_removed_is_dropped(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    async with reopened(world) as other:
        await other.accounts.delete_account(account.id)
        await wait_all_tasks_blocked()
    assert ([], []) == (list(snapshot_of(tiger).rows), list(snapshot_of(tiger).tokens))


async def test_records_of_this_process_hide_no_write_of_others(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    async with deaf(world) as here:
        await tiger.accounts.update_account_status(account.id, AccountStatus.SUSPENDED)
        await here.audit.commit([], "test.note", "nothing")
        await snapshot_of(here).load()
        assert AccountStatus.SUSPENDED is snapshot_of(here).row(account.id).account.status


async def test_a_token_that_others_have_claimed_is_read(world: World, tiger: Tigercore) -> None:
    token = token_text(world.clock.now(), timedelta(days=15))
    account = await add(tiger, license="TBHK", token=token)
    world.clock.advance(timedelta(days=14).total_seconds())
    async with deaf(world) as here:
        await world.store.claim_due_tokens("other", 60, 10)
        await snapshot_of(here).load()
        assert TokenState.REFRESHING is snapshot_of(here).token(account.id).state
