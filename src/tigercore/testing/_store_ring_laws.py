"""Laws of the key ring."""

from __future__ import annotations

import attrs
import pytest

from tigercore.model import KeySlot, KeyState
from tigercore.ports import AccountStore, Put, Record
from tigercore.testing._store_laws import StoreLaws, require_stale, ring_of
from tigercore.testing._store_samples import audit_entry, full_key_ring, key, key_ring


class RingLaws(StoreLaws):
    """Laws of the key ring: it comes back as it was put, and there is one."""

    async def test_a_key_ring_comes_back_as_it_was_one_version_further(self, store: AccountStore) -> None:
        ring = full_key_ring()
        await store.apply([Put(ring)])
        assert attrs.evolve(ring, version=1) == await store.key_ring()

    async def test_a_key_ring_with_nothing_optional_comes_back(self, store: AccountStore) -> None:
        ring = key_ring(keys=())
        await store.apply([Put(ring)])
        assert attrs.evolve(ring, version=1) == await store.key_ring()

    async def test_a_change_of_the_key_ring_comes_back(self, store: AccountStore) -> None:
        ring, full = key_ring(), full_key_ring()
        changed = attrs.evolve(full, id=ring.id, keys=full.keys[1:], version=1)
        await store.apply([Put(ring)])
        await store.apply([Put(changed)])
        assert attrs.evolve(changed, version=2) == await store.key_ring()

    async def test_keys_come_by_their_version(self, store: AccountStore) -> None:
        await store.apply([Put(key_ring(active=10, keys=(key(10), key(2), key(3))))])
        assert [2, 3, 10] == [each.version for each in (await ring_of(store)).keys]

    async def test_slots_come_in_the_order_in_which_they_were_put(self, store: AccountStore) -> None:
        first, second, third = (KeySlot(provider, b"") for provider in "bca")
        ring = key_ring(active=1, keys=(key(1, slots=(first, second, third)),))
        await store.apply([Put(ring)])
        assert (first, second, third) == (await ring_of(store)).keys[0].slots
        await store.apply([Put(attrs.evolve(ring, keys=(key(1, slots=(third, first, second)),), version=1))])
        assert (third, first, second) == (await ring_of(store)).keys[0].slots

    async def test_a_key_without_slots_comes_back(self, store: AccountStore) -> None:
        keys = (key(1, KeyState.DESTROYED, slots=()), key(2))
        await store.apply([Put(key_ring(keys=keys))])
        assert keys == (await ring_of(store)).keys

    async def test_a_key_ring_with_two_keys_of_one_version_is_refused(self, store: AccountStore) -> None:
        with pytest.raises(ValueError, match="version"):
            await store.apply([Record(audit_entry()), Put(key_ring(keys=(key(1), key(2), key(2))))])
        assert (None, []) == (await store.key_ring(), await store.audit())

    async def test_a_key_with_two_slots_of_one_provider_is_refused(self, store: AccountStore) -> None:
        twice = (KeySlot("local", b"1"), KeySlot("kms", b""), KeySlot("local", b"2"))
        with pytest.raises(ValueError, match="provider"):
            await store.apply([Record(audit_entry()), Put(key_ring(keys=(key(1), key(2, slots=twice))))])
        assert (None, []) == (await store.key_ring(), await store.audit())

    async def test_there_is_one_key_ring(self, store: AccountStore) -> None:
        await store.apply([Put(key_ring())])
        await require_stale(store, Put(key_ring()))

    async def test_a_key_ring_that_was_written_since_is_stale(self, store: AccountStore) -> None:
        ring = key_ring()
        await store.apply([Put(ring), Put(attrs.evolve(ring, version=1))])
        await require_stale(store, Put(attrs.evolve(ring, version=1)))
