"""KeyManager on fakes: rotation, roots, recovery and the emergency stop."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.conftest import World, add, reopened
from tigercore import (
    AccountStatus,
    AccountValidationError,
    AuditEntry,
    Credentials,
    DecryptionFailed,
    KeyRing,
    KeyState,
    KeyUnavailable,
    OperationType,
    RateLimited,
    Secret,
    SigningFrozen,
    StaleVersion,
    StoreUnavailable,
    Tigercore,
    TokenRefreshStatus,
    TokenState,
    run_on,
)
from tigercore._founding import freeze_ring, import_ring
from tigercore._ringfile import dump, parse
from tigercore._sweep import PAGE
from tigercore._vault import Vault
from tigercore.app import Ports
from tigercore.ports import AccountRow, Change, Delta, Put
from tigercore.testing._gateway import token_text
from tigercore.testing._memory_store import MemoryAccountStore
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import ManualClock, driver_context


def states(tiger: Tigercore) -> list[KeyState]:
    return [key.state for key in tiger.keys.status().keys]


def toy(root: str) -> ToyCipher:
    return ToyCipher(ToyOptions(root), driver_context(seed=hash(root) % 1000))


async def holder(world: World, tiger: Tigercore, **changes: object) -> UUID:
    token = token_text(world.clock.now(), timedelta(days=15))
    return (await add(tiger, license="TBHK", token=token, **changes)).id


Work = Callable[[], Awaitable[object]]


class Meanwhile:
    """A store into which somebody else writes just before each of the first batches that fit."""

    def __init__(self, store: MemoryAccountStore, fits: Callable[[Sequence[Change]], bool], *works: Work) -> None:
        self._store = store
        self._fits = fits
        self._works = list(works)

    async def wait_for_change(self, after: int) -> int:
        """Say nothing of what others write."""
        if after >= 0:
            await trio.sleep_forever()
        return await self._store.wait_for_change(after)

    async def apply(self, changes: Sequence[Change]) -> int:
        if self._works and self._fits(changes):
            await self._works.pop(0)()
        return await self._store.apply(changes)

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


# -- rotation ------------------------------------------------------------------------------------------------------


async def test_a_new_store_has_one_active_key(tiger: Tigercore) -> None:
    assert [KeyState.ACTIVE] == states(tiger)


async def test_a_rotation_leaves_a_new_active_key_and_a_retired_one(tiger: Tigercore) -> None:
    found = await tiger.keys.rotate()
    assert ([KeyState.RETIRED, KeyState.ACTIVE], 2, 2) == (states(tiger), found.active, found.min_decrypt)


async def test_a_rotation_seals_everything_with_the_new_key(world: World, tiger: Tigercore) -> None:
    await holder(world, tiger)
    await add(tiger)
    await tiger.keys.rotate()
    rows = [*await world.store.accounts(), *(row for row in await world.store.token_rows() if row.sealed)]
    assert [2, 2, 2] == [row.kek for row in rows]


async def test_everything_opens_after_a_rotation_here_and_in_a_new_process(world: World, tiger: Tigercore) -> None:
    account = await add(tiger, tiger_id="20154321")
    await tiger.keys.rotate()
    async with reopened(world) as other:
        for each in (tiger, other):
            assert "20154321" == (await each.accounts.decrypt_credentials(account))["tiger_id"].reveal()


async def test_a_process_that_was_open_before_follows_a_rotation(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    async with reopened(world) as other:
        await other.keys.rotate()
        await other.keys.rotate()
        await wait_all_tasks_blocked()
        assert 3 == tiger.keys.status().active
        assert await tiger.accounts.decrypt_credentials(account)
        await tiger.accounts.update_account(account.id, {"tiger_id": "20150099"})
    assert [3] == [row.kek for row in await world.store.accounts()]


async def test_accounts_of_one_developer_know_each_other_after_a_rotation(tiger: Tigercore) -> None:
    one = await add(tiger)
    await tiger.keys.rotate()
    two = await add(tiger)
    assert one.developer == two.developer


async def test_a_rotation_with_keep_old_retires_nothing_and_the_next_one_finishes_it(tiger: Tigercore) -> None:
    await tiger.keys.rotate(keep_old=True)
    assert [KeyState.DECRYPT, KeyState.ACTIVE] == states(tiger)
    await tiger.keys.rotate()
    assert [KeyState.RETIRED, KeyState.ACTIVE] == states(tiger)


@pytest.mark.parametrize("steps", range(4))
async def test_a_rotation_that_was_cut_short_is_finished_by_the_next(world: World, steps: int) -> None:
    async with world.open() as tiger:
        await add(tiger)
        await add(tiger)
        store, left = world.store, [steps]

        async def apply(changes: Sequence[Change]) -> int:
            if not left[0]:
                raise StoreUnavailable("the test pulled the plug")
            left[0] -= 1
            return await MemoryAccountStore.apply(store, changes)

        store.apply = apply  # type: ignore[method-assign]
        with pytest.raises(StoreUnavailable):
            await tiger.keys.rotate()
        del store.apply  # type: ignore[attr-defined]
    async with reopened(world) as again:
        await again.keys.rotate()
        assert [KeyState.RETIRED, KeyState.ACTIVE] == states(again)
        assert not (await again.keys.verify()).faults


async def test_more_accounts_than_a_page_are_all_sealed_again_and_counted(tiger: Tigercore) -> None:
    for _ in range(PAGE + 1):
        await add(tiger)
    seen: list[tuple[int, int]] = []
    await tiger.keys.rotate(progress=lambda done, total: seen.append((done, total)))
    assert [(0, PAGE + 1), (PAGE, PAGE + 1), (PAGE + 1, PAGE + 1)] == seen
    assert PAGE + 1 == tiger.keys.status().keys[1].rows


async def test_a_throttled_rotation_takes_its_time(tiger: Tigercore, autojump_clock: object) -> None:
    for _ in range(10):
        await add(tiger)
    began = trio.current_time()
    await tiger.keys.rotate(rate=2)
    assert trio.current_time() - began >= 5


async def test_what_the_active_key_has_sealed_is_not_sealed_again(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    before = await world.store.accounts()
    await tiger.keys.rewrap()
    assert before == await world.store.accounts()


async def test_a_fresh_rotation_finishes_what_was_begun_and_makes_a_key_of_its_own(tiger: Tigercore) -> None:
    await tiger.keys.rotate(keep_old=True)
    found = await tiger.keys.rotate(fresh=True)
    assert (3, [KeyState.RETIRED, KeyState.RETIRED, KeyState.ACTIVE]) == (found.active, states(tiger))


async def test_a_second_rotation_that_keeps_the_old_makes_another_key(tiger: Tigercore) -> None:
    await tiger.keys.rotate(keep_old=True)
    assert 3 == (await tiger.keys.rotate(keep_old=True)).active


async def test_an_account_whose_token_row_is_gone_is_still_there(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger)
    world.backend.tables.tokens.clear()
    async with world.open() as tiger:
        assert TokenState.NOT_REQUIRED is (await tiger.tokens.get_token_status(account)).state
        assert 2 == (await tiger.keys.rotate()).active
        await tiger.accounts.delete_account(account.id)


async def test_verify_reads_the_store_and_not_memory(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    rows = world.backend.tables.accounts
    rows[account.id] = attrs.evolve(rows[account.id], sealed=rows[account.id].sealed[:-1] + b"?")
    assert 1 == len((await tiger.keys.verify()).faults)


async def test_two_rotations_at_once_make_one_key(world: World, tiger: Tigercore) -> None:
    for _ in range(20):
        await add(tiger)
    async with reopened(world) as other, trio.open_nursery() as nursery:
        nursery.start_soon(tiger.keys.rotate)
        nursery.start_soon(other.keys.rotate)
    assert [KeyState.RETIRED, KeyState.ACTIVE] == states(tiger)


async def test_a_writer_who_has_not_noticed_cannot_bring_an_old_key_back(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    stale = (await world.store.accounts())[0]
    await tiger.keys.rotate()
    fresh = (await world.store.accounts())[0]
    late = attrs.evolve(stale, account=fresh.account)
    with pytest.raises(StaleVersion):
        await world.store.apply([Put(late)])
    assert await tiger.accounts.decrypt_credentials(account)


async def test_what_is_sealed_with_the_old_key_at_the_last_moment_is_sealed_again(world: World) -> None:
    """A process that has not noticed writes with the old key after all was sealed again, just before it is retired."""
    async with world.open() as tiger:
        account = await add(tiger)
        unaware = Vault(toy("root"), world.client, world.clock)
        await unaware.adopt(tiger.keys.export())

        async def write_with_the_old_key() -> None:
            row = (await world.store.accounts())[0]
            credentials = Credentials(Secret("20157777"), Secret("KEY"))
            await world.store.apply([Put(unaware.seal(row.account, credentials, row.sealing + 1))])

        def retires(changes: Sequence[Change]) -> bool:
            return any(isinstance(each, Put) and getattr(each.row, "min_decrypt", 0) for each in changes)

        store: Any = Meanwhile(world.store, retires, write_with_the_old_key)
        ports = Ports(store, toy("root"), world.client, world.balancers)
        async with run_on(ports, world.settings, clock=world.clock, rng=random.Random(2)) as rotator:
            await rotator.keys.rotate()
            credentials = await rotator.accounts.decrypt_credentials(account)
    assert ([2], "20157777") == ([row.kek for row in await world.store.accounts()], credentials.tiger_id.reveal())


async def test_rows_that_others_write_meanwhile_are_read_again(world: World) -> None:
    async with world.open() as tiger:
        accounts = [await add(tiger) for _ in range(8)]

        async def rename(number: int) -> None:
            await tiger.accounts.update_account(accounts[number].id, {"description": f"changed {number}"})

        def seals_again(changes: Sequence[Change]) -> bool:
            return isinstance(changes[0], Put) and isinstance(changes[0].row, AccountRow)

        store: Any = Meanwhile(world.store, seals_again, *(partial(rename, number) for number in range(8)))
        ports = Ports(store, toy("root"), world.client, world.balancers)
        async with run_on(ports, world.settings, clock=world.clock, rng=random.Random(2)) as rotator:
            await rotator.keys.rotate()
            found = [each.description for each in await rotator.accounts.list_accounts()]
    assert [f"changed {number}" for number in range(8)] == found
    assert {2} == {row.kek for row in await world.store.accounts()}


async def test_a_row_that_does_not_open_stops_the_retiring_and_is_named(world: World, tiger: Tigercore) -> None:
    good, bad = await add(tiger), await add(tiger)
    row = next(row for row in await world.store.accounts() if row.id == bad.id)
    await world.store.apply([Put(attrs.evolve(row, sealed=row.sealed[:-1] + b"?"))])
    with pytest.raises(DecryptionFailed, match=str(bad.id)):
        await tiger.keys.rotate()
    assert [KeyState.DECRYPT, KeyState.ACTIVE] == states(tiger)
    assert 2 == next(row.kek for row in await world.store.accounts() if row.id == good.id)


async def test_an_account_whose_token_does_not_open_is_sealed_again_all_the_same(
    world: World, tiger: Tigercore
) -> None:
    account_id = await holder(world, tiger)
    (row,) = await world.store.token_rows()
    await world.store.apply([Put(attrs.evolve(row, sealed=(row.sealed or b"")[:-1] + b"?"))])
    with pytest.raises(DecryptionFailed, match=str(account_id)):
        await tiger.keys.rotate()
    assert [2] == [row.kek for row in await world.store.accounts()]


async def test_verify_names_each_row_that_does_not_open(world: World, tiger: Tigercore) -> None:
    bad = await add(tiger)
    await add(tiger)
    row = next(row for row in await world.store.accounts() if row.id == bad.id)
    await world.store.apply([Put(attrs.evolve(row, account=attrs.evolve(row.account, environment="production")))])
    found = await tiger.keys.verify()
    assert (2, 1) == (found.rows, len(found.faults))
    assert str(bad.id) in found.faults[0]


async def test_verify_names_a_row_that_lies_about_its_key(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    (row,) = await world.store.accounts()
    await world.store.apply([Put(attrs.evolve(row, kek=9))])
    assert ["says that key 9"] == [
        part for part in ["says that key 9"] if part in (await tiger.keys.verify()).faults[0]
    ]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_refresh_that_is_under_way_ends_well_beside_a_rotation(
    world: World, tiger: Tigercore, autojump_clock: object, fails: bool
) -> None:
    account = await tiger.accounts.get_account_by_id(await holder(world, tiger))
    if fails:
        world.client.fail(None, "user_token_refresh", RateLimited("user_token_refresh", "slow down", retry_after=60))
    world.client.latency = 5.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tiger.tokens.refresh_token, account)
        await wait_all_tasks_blocked()
        assert TokenState.REFRESHING is (await tiger.tokens.get_token_status(account)).state
        await tiger.keys.rotate()
    assert TokenState.VALID is (await tiger.tokens.get_token_status(account)).state
    assert TokenRefreshStatus.STARTED not in {each.status for each in await world.store.token_attempts()}


async def test_retired_keys_can_be_destroyed_and_everything_still_opens(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    assert not await tiger.keys.destroy()
    await tiger.keys.rotate()
    assert await tiger.keys.destroy()
    async with reopened(world) as again:
        assert ([KeyState.DESTROYED, KeyState.ACTIVE], ()) == (states(again), again.keys.status().keys[0].roots)
        assert await again.accounts.decrypt_credentials(account)


async def test_each_step_of_a_rotation_is_audited(tiger: Tigercore) -> None:
    await add(tiger)
    before = len(await tiger.audit.entries())
    await tiger.keys.rotate()
    actions = [line.entry.action for line in (await tiger.audit.entries())[before:]]
    assert ["keyring.stage", "keyring.activate", "keyring.rewrap", "keyring.retire"] == actions


# -- roots ---------------------------------------------------------------------------------------------------------


def with_root(world: World, root: str) -> AbstractAsyncContextManager[Tigercore]:
    ports = Ports(world.store, toy(root), world.client, world.balancers)
    return run_on(ports, world.settings, clock=world.clock, rng=random.Random(3))


async def test_after_a_change_of_root_only_the_new_one_opens_the_store(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    await tiger.keys.rekey_root(toy("another"))
    async with with_root(world, "another") as other:
        assert await other.accounts.decrypt_credentials(account)
    with pytest.raises(KeyUnavailable):
        async with with_root(world, "root"):
            pass


async def test_a_program_that_is_open_goes_on_after_a_change_of_root(world: World, tiger: Tigercore) -> None:
    async with reopened(world) as other:
        account = await add(tiger)
        await other.keys.rekey_root(toy("another"))
        await wait_all_tasks_blocked()
        assert await tiger.accounts.decrypt_credentials(account)


async def test_both_roots_open_the_store_if_the_old_one_is_kept(world: World, tiger: Tigercore) -> None:
    await tiger.keys.rekey_root(toy("another"), keep_old=True)
    for root in ("root", "another"):
        async with with_root(world, root) as opened:
            assert 1 == opened.keys.status().active


async def spoil(world: World, number: int = 0) -> None:
    row = (await world.store.accounts())[number]
    await world.store.apply([Put(attrs.evolve(row, sealed=row.sealed[:-1] + b"?"))])


async def test_a_root_is_changed_though_a_row_does_not_open(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    good = await add(tiger)
    await spoil(world)
    await tiger.keys.rekey_root(toy("another"))
    async with with_root(world, "another") as moved:
        assert await moved.accounts.decrypt_credentials(good)


async def test_a_ring_that_opens_nothing_gets_no_new_root(world: World, tiger: Tigercore) -> None:
    await add(tiger)
    await spoil(world)
    with pytest.raises(KeyUnavailable, match="no secret of this store opens"):
        await tiger.keys.rekey_root(toy("another"))
    async with with_root(world, "root"):
        pass


async def test_a_program_with_the_root_of_before_makes_no_new_key(world: World, tiger: Tigercore) -> None:
    async with reopened(world) as other:
        await other.keys.rekey_root(toy("another"))
        await wait_all_tasks_blocked()
        with pytest.raises(KeyUnavailable, match="is not the root of this ring any more"):
            await tiger.keys.rotate()
    assert 1 == len(tiger.keys.status().keys)


async def test_a_ring_that_does_not_open_freezes_if_it_says_so(world: World, tiger: Tigercore) -> None:
    vault = tiger.tokens._vault
    ring = attrs.evolve(tiger.keys.export(), keys=(), frozen=True)
    account = await add(tiger)
    with pytest.raises(KeyUnavailable):
        await vault.adopt(ring)
    with pytest.raises(SigningFrozen):
        tiger.accounts.signer(account)


async def test_a_recovery_recipient_that_cannot_be_used_is_refused_at_once(tiger: Tigercore) -> None:
    with pytest.raises(KeyUnavailable, match="cannot wrap a key for"):
        await tiger.keys.add_recovery(toy("another"))
    assert () == tiger.keys.status().recovery


# -- a ring that was lost ------------------------------------------------------------------------------------------

ENTRY = AuditEntry(ManualClock().now(), "test", "keyring.import", "ring")


async def test_a_store_with_accounts_and_no_ring_does_not_open(world: World) -> None:
    async with world.open() as tiger:
        await add(tiger)
    world.backend.tables.ring = None
    with pytest.raises(KeyUnavailable, match="tigercore cipher import"):
        async with world.open():
            pass


async def test_an_exported_ring_restores_a_lost_one(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger)
        ring = parse(dump(tiger.keys.export()))
    world.backend.tables.ring = None
    await import_ring(world.store, toy("root"), ring, ENTRY)
    async with world.open() as tiger:
        assert await tiger.accounts.decrypt_credentials(account)


async def test_an_exported_ring_restores_one_that_was_tampered_with(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger)
        ring = tiger.keys.export()
    world.backend.tables.ring = attrs.evolve(ring, frozen=True, version=7)
    with pytest.raises(KeyUnavailable):
        async with world.open():
            pass
    await import_ring(world.store, toy("root"), ring, ENTRY)
    async with world.open() as tiger:
        assert await tiger.accounts.decrypt_credentials(account)


async def test_a_sound_ring_is_not_replaced(world: World, tiger: Tigercore) -> None:
    with pytest.raises(KeyUnavailable, match="nothing to restore"):
        await import_ring(world.store, toy("root"), tiger.keys.export(), ENTRY)


async def test_a_ring_of_another_root_is_not_taken_for_a_damaged_one(world: World) -> None:
    async with world.open() as tiger:
        await add(tiger)
        old = tiger.keys.export()
        await tiger.keys.freeze()
        await tiger.keys.rekey_root(toy("another"))
    with pytest.raises(KeyUnavailable, match="may with another root"):
        await import_ring(world.store, toy("root"), old, ENTRY)
    await import_ring(world.store, toy("root"), old, ENTRY, force=True)
    async with world.open() as tiger:
        assert tiger.keys.status().frozen


async def test_a_program_that_is_open_believes_the_ring_that_was_restored(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger)
        for _ in range(3):
            await tiger.keys.unfreeze()
            await tiger.keys.freeze()
        await tiger.keys.unfreeze()
        ring = tiger.keys.export()
        world.backend.tables.ring = None
        await import_ring(world.store, toy("root"), ring, ENTRY)
        async with reopened(world) as other:
            await other.keys.freeze()
            await wait_all_tasks_blocked()
            with pytest.raises(SigningFrozen):
                tiger.accounts.signer(account)


@pytest.mark.parametrize("planted", [{"epoch": 2**63 - 1}, {"epoch": -1}, {"version": 2**53}])
async def test_numbers_that_were_planted_in_a_damaged_ring_do_not_outlive_it(
    world: World, planted: dict[str, int]
) -> None:
    async with world.open() as tiger:
        account, ring = await add(tiger), tiger.keys.export()
    world.backend.tables.ring = attrs.evolve(ring, **planted)
    await import_ring(world.store, toy("root"), ring, ENTRY)
    async with world.open() as tiger:
        await tiger.keys.freeze()
        assert await tiger.accounts.decrypt_credentials(account)
        assert ring.epoch < tiger.keys.status().epoch < 2**20


@pytest.mark.parametrize("version", [2**63 - 2, -1_000_000])
async def test_a_ring_that_no_other_can_follow_is_not_imported_over(world: World, version: int) -> None:
    async with world.open() as tiger:
        ring = tiger.keys.export()
    world.backend.tables.ring = attrs.evolve(ring, version=version)
    with pytest.raises(KeyUnavailable, match="restore the store from a backup"):
        await import_ring(world.store, toy("root"), ring, ENTRY)


async def test_an_import_is_one_write(world: World) -> None:
    async with world.open() as tiger:
        for _ in range(5):
            await tiger.keys.freeze()
        ring = tiger.keys.export()
    world.backend.tables.ring = None
    before = world.backend.tables.revision
    await import_ring(world.store, toy("root"), ring, ENTRY)
    assert (before + 1, ring.version + 1) == (world.backend.tables.revision, (await stored_ring(world)).version)


async def stored_ring(world: World) -> KeyRing:
    ring = await world.store.key_ring()
    assert ring is not None
    return ring


async def test_an_export_from_before_a_rotation_is_refused(world: World) -> None:
    async with world.open() as tiger:
        await add(tiger)
        old = tiger.keys.export()
        await tiger.keys.rotate()
    world.backend.tables.ring = None
    with pytest.raises(KeyUnavailable, match="lacks key 2"):
        await import_ring(world.store, toy("root"), old, ENTRY)


# -- emergency -----------------------------------------------------------------------------------------------------


async def test_a_frozen_installation_signs_nothing_in_any_process(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    async with reopened(world) as other:
        await other.keys.freeze()
        await wait_all_tasks_blocked()
        for each in (tiger, other):
            with pytest.raises(SigningFrozen, match="frozen"):
                await each.execute(OperationType.QUOTE, account=account)
    assert [] == world.client.calls


async def test_a_process_that_cannot_open_the_new_ring_is_frozen_all_the_same(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    async with reopened(world) as other:
        await other.keys.freeze()
        await other.keys.rekey_root(toy("another"))
    async with with_root(world, "another") as moved:
        await moved.keys.rotate()
        await wait_all_tasks_blocked()
        with pytest.raises(SigningFrozen):
            tiger.accounts.signer(account)


class Unreadable:
    """A store whose rows something else has damaged."""

    def __init__(self, store: MemoryAccountStore) -> None:
        self._store = store

    async def delta(self, after: int = -1) -> Delta:
        await trio.lowlevel.checkpoint()
        raise StoreUnavailable("tc_account was changed by something else than tigercore")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_a_freeze_is_heard_of_though_the_accounts_cannot_be_read(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    tiger.router._snapshot._store = Unreadable(world.store)  # type: ignore[assignment]
    await freeze_ring(world.store, toy("root"), ENTRY)
    await wait_all_tasks_blocked()
    with pytest.raises(SigningFrozen):
        tiger.accounts.signer(account)


async def test_a_freeze_without_a_ring_is_refused(world: World) -> None:
    with pytest.raises(KeyUnavailable, match="no key ring"):
        await freeze_ring(world.store, toy("root"), ENTRY)


async def test_a_freeze_raises_the_epoch_of_api_keys(tiger: Tigercore) -> None:
    before = tiger.keys.status().epoch
    await tiger.keys.freeze()
    assert before + 1 == tiger.keys.status().epoch


async def test_a_freeze_outlives_a_restart_and_ends_when_it_is_told_to(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger)
        await tiger.keys.freeze()
    async with world.open() as tiger:
        with pytest.raises(SigningFrozen):
            tiger.accounts.signer(account)
        await tiger.keys.unfreeze()
        assert tiger.accounts.signer(account)


async def test_a_frozen_scheduler_takes_no_lease(world: World, tiger: Tigercore) -> None:
    account_id = await holder(world, tiger)
    account = await tiger.accounts.get_account_by_id(account_id)
    await tiger.keys.freeze()
    assert not (await tiger.tokens.refresh_token(account)).success
    assert TokenState.VALID is (await tiger.tokens.get_token_status(account)).state


async def test_a_condemned_account_signs_nothing_though_nothing_is_frozen(tiger: Tigercore) -> None:
    account = await add(tiger)
    await tiger.keys.condemn()
    account = await tiger.accounts.get_account_by_id(account.id)
    assert AccountStatus.COMPROMISED is account.status
    with pytest.raises(SigningFrozen, match="compromised"):
        tiger.accounts.signer(account)


async def test_the_token_of_a_condemned_account_is_out_of_use(world: World, tiger: Tigercore) -> None:
    account_id = await holder(world, tiger)
    await tiger.keys.condemn()
    account = await tiger.accounts.get_account_by_id(account_id)
    assert TokenState.DISABLED is (await tiger.tokens.get_token_status(account)).state


async def test_no_status_ends_a_compromise(tiger: Tigercore) -> None:
    account = await add(tiger)
    await tiger.keys.condemn()
    with pytest.raises(AccountValidationError, match="new private_key"):
        await tiger.accounts.update_account_status(account.id, AccountStatus.ACTIVE)


async def test_another_key_lets_a_condemned_account_be_verified(tiger: Tigercore) -> None:
    account = await add(tiger)
    await tiger.keys.condemn()
    changed = await tiger.accounts.update_account(account.id, {"private_key": "KEY another"})
    assert AccountStatus.PENDING_VERIFICATION is changed.status
    assert tiger.accounts.signer(changed)


async def test_a_status_that_is_changed_in_the_store_does_not_end_a_compromise(world: World) -> None:
    async with world.open() as tiger:
        account = await add(tiger)
        await tiger.keys.condemn()
    rows = world.backend.tables.accounts
    flipped = attrs.evolve(rows[account.id].account, status=AccountStatus.ACTIVE)
    rows[account.id] = attrs.evolve(rows[account.id], account=flipped)
    async with world.open() as tiger:
        with pytest.raises(DecryptionFailed):
            tiger.accounts.signer(flipped)


async def test_an_account_that_does_not_open_is_condemned_too(world: World, tiger: Tigercore) -> None:
    account = await add(tiger)
    await spoil(world)
    await tiger.keys.condemn()
    assert AccountStatus.COMPROMISED is (await tiger.accounts.get_account_by_id(account.id)).status


async def test_errors_and_successes_do_not_end_a_compromise(tiger: Tigercore) -> None:
    account = await add(tiger)
    await tiger.keys.condemn()
    await tiger.accounts.increment_error_count(account.id)
    await tiger.accounts.reset_error_count(account.id)
    assert AccountStatus.COMPROMISED is (await tiger.accounts.get_account_by_id(account.id)).status
