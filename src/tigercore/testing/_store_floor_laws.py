"""Laws of the floor: nothing that is sealed is below the ring's `min_decrypt`."""

from __future__ import annotations

import attrs
import pytest
import trio

from tigercore.errors import StaleVersion
from tigercore.ports import AccountRow, AccountStore, Change, Put, Record
from tigercore.testing._store_laws import StoreLaws, StoreMaker, everything, require_stale, ring_of
from tigercore.testing._store_samples import account_row, at_version, attempt, audit_entry, key_ring, token_row


class FloorLaws(StoreLaws):
    """Laws of `min_decrypt`: without them a writer that has not noticed a rotation leaves what nobody can open."""

    async def test_an_account_below_the_floor_is_stale(self, store: AccountStore) -> None:
        row = await _put_above_floor_2(store)
        await require_stale(store, Put(account_row(kek=1)))
        await require_stale(store, Put(at_version(attrs.evolve(row, kek=1), 1)))

    async def test_a_token_below_the_floor_is_stale(self, store: AccountStore) -> None:
        row = await _put_above_floor_2(store)
        await require_stale(store, Put(token_row(row, sealed=b"", kek=1)))
        await store.apply([Put(token_row(row, sealed=b"s", kek=2))])
        await require_stale(store, Put(token_row(row, sealed=b"s", kek=1, version=1)))

    async def test_what_is_sealed_at_the_floor_or_above_is_taken(self, store: AccountStore) -> None:
        row = await _put_above_floor_2(store)
        await store.apply([Put(at_version(row, 1)), Put(account_row(kek=3)), Put(token_row(row, sealed=b"s", kek=2))])
        assert {2, 3} == {each.kek for each in await store.accounts()}
        assert [2] == [each.kek for each in await store.token_rows()]

    async def test_a_token_with_nothing_sealed_is_never_below_the_floor(self, store: AccountStore) -> None:
        bare = token_row(await _put_above_floor_2(store), kek=1)
        await store.apply([Put(bare)])
        await store.apply([Put(await ring_of(store))])
        assert [attrs.evolve(bare, version=1)] == await store.token_rows()

    async def test_a_row_below_the_floor_leaves_nothing_of_its_neighbours(self, store: AccountStore) -> None:
        row = await _put_above_floor_2(store)
        before = await everything(store)
        below = Put(at_version(attrs.evolve(row, kek=1), 2))
        await require_stale(
            store, Put(account_row(kek=2)), Put(at_version(row, 1)), Record(audit_entry()), below, Put(token_row(row))
        )
        await require_stale(store, below, Record(attempt(row.id)))
        assert before == await everything(store)

    async def test_a_floor_above_an_account_that_stands_is_stale(self, store: AccountStore) -> None:
        ring = key_ring()
        await store.apply([Put(ring), Put(account_row(kek=2)), Put(account_row(kek=1))])
        before = await everything(store)
        await require_stale(store, Record(audit_entry()), Put(attrs.evolve(ring, min_decrypt=2, version=1)))
        assert before == await everything(store)

    async def test_a_floor_above_a_token_that_stands_is_stale(self, store: AccountStore) -> None:
        ring, row = key_ring(), account_row(kek=2)
        await store.apply([Put(ring), Put(row), Put(token_row(row, sealed=b"s", kek=1))])
        await require_stale(store, Put(attrs.evolve(ring, min_decrypt=2, version=1)))

    async def test_a_first_ring_whose_floor_is_above_what_stands_is_stale(self, store: AccountStore) -> None:
        await store.apply([Put(account_row(kek=1))])
        await require_stale(store, Put(key_ring(min_decrypt=2)))

    async def test_the_floor_rises_once_nothing_is_below(self, store: AccountStore) -> None:
        ring, row = key_ring(), account_row(kek=1)
        token = token_row(row, sealed=b"s", kek=1)
        await store.apply([Put(ring), Put(row), Put(token)])
        await store.apply([
            Put(at_version(attrs.evolve(row, kek=2), 1)),
            Put(attrs.evolve(token, kek=2, version=1)),
            Put(attrs.evolve(ring, min_decrypt=2, version=1)),
        ])  # fmt: skip
        assert 2 == (await ring_of(store)).min_decrypt

    async def test_a_batch_is_held_to_the_floor_that_it_has_raised(self, store: AccountStore) -> None:
        ring = key_ring()
        await store.apply([Put(ring)])
        raised = attrs.evolve(ring, min_decrypt=2, version=1)
        await require_stale(store, Put(account_row(kek=2)), Put(raised), Put(account_row(kek=1)))
        assert [] == await store.accounts()

    async def test_a_batch_is_held_to_the_floor_that_it_has_lowered(self, store: AccountStore) -> None:
        await _put_above_floor_2(store)
        lowered = attrs.evolve(await ring_of(store), min_decrypt=1)
        await store.apply([Put(account_row(kek=2)), Put(lowered), Put(account_row(kek=1))])
        assert [1, 2, 2] == sorted(row.kek for row in await store.accounts())

    async def test_the_floor_holds_against_writers_that_have_not_noticed(
        self, store: AccountStore, store_maker: StoreMaker
    ) -> None:
        await store.apply([Put(key_ring())])

        async def write(handle: AccountStore) -> None:
            for _ in range(10):
                await _taken(handle, Put(account_row(kek=1)))

        async with store_maker() as other, trio.open_nursery() as nursery:
            for handle in (store, other, store, other):
                nursery.start_soon(write, handle)
            await _raise_to_2(store)
        assert 1 not in {row.kek for row in await store.accounts()}
        await require_stale(store, Put(account_row(kek=1)))


async def _put_above_floor_2(store: AccountStore) -> AccountRow:
    row = account_row(kek=2)
    await store.apply([Put(row), Put(key_ring(min_decrypt=2))])
    return row


async def _taken(store: AccountStore, *changes: Change) -> bool:
    try:
        await store.apply(changes)
    except StaleVersion:
        return False
    return True


async def _raise_to_2(store: AccountStore) -> None:
    """Seal anew what is below and raise the floor, again until no writer was faster."""
    for _ in range(100):
        below = [attrs.evolve(row, kek=2) for row in await store.accounts() if row.kek < 2]
        raised = attrs.evolve(await ring_of(store), min_decrypt=2)
        if await _taken(store, *map(Put, below), Put(raised)):
            return
    pytest.fail("the floor did not rise although nothing was left below it")
