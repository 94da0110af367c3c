"""The laws of roots: how one is made, and how a ring gets a second one."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeySlot, KeyState
from tigercore.ports import Cipher
from tigercore.testing._opened_ciphers import (
    MESSAGE,
    PLACE,
    RING,
    OpenedCiphers,
    foreign_cipher,
    founded,
    grown,
    in_states,
    put,
    retired,
    stored,
    understand,
    unlocks,
    with_key,
)
from tigercore.testing.clock import driver_context


class RootLaws(OpenedCiphers):
    """A root is made once, by the operator, and never overwritten."""

    async def test_creating_the_root_is_told_in_one_sentence(self, cipher_type: type[Cipher], options: Any) -> None:
        for sentence in (cipher_type.create_root(options), cipher_type.create_root(options)):
            assert [sentence] == sentence.splitlines()

    async def test_creating_the_root_again_leaves_it_as_it_is(
        self, cipher_type: type[Cipher], options: Any, ring: KeyRing
    ) -> None:
        cipher_type.create_root(options)
        async with cipher_type.open(options, driver_context()) as reopened:
            await reopened.unlock(ring)

    async def test_a_root_that_cannot_be_made_is_refused(
        self, cipher_type: type[Cipher], unusable_options: Any
    ) -> None:
        with pytest.raises(KeyUnavailable):
            cipher_type.create_root(unusable_options)

    async def test_a_root_that_is_not_there_makes_no_key(
        self, cipher_type: type[Cipher], unusable_options: Any
    ) -> None:
        with pytest.raises(KeyUnavailable):
            async with cipher_type.open(unusable_options, driver_context()) as cipher:
                await cipher.create_key(KeyRing(RING, 1))

    async def test_a_root_that_is_not_there_shares_no_ring(
        self, cipher_type: type[Cipher], unusable_options: Any, locked: Cipher, ring: KeyRing
    ) -> None:
        with pytest.raises(KeyUnavailable):
            async with cipher_type.open(unusable_options, driver_context()) as other:
                await locked.share(ring, other)


class ShareLaws(OpenedCiphers):
    """A ring is wrapped under a second root, after which either root is enough."""

    @pytest.fixture
    async def shared(self, locked: Cipher, stranger: Cipher, ring: KeyRing) -> KeyRing:
        """Share a ring of two keys, the first retired, with the other root."""
        return stored(await locked.share(await retired(locked, await grown(locked, ring)), stranger))

    async def test_two_ciphers_that_share_a_ring_open_what_either_seals(
        self, cipher: Cipher, stranger: Cipher, shared: KeyRing
    ) -> None:
        await cipher.unlock(shared)
        await stranger.unlock(shared)
        assert understand(cipher, stranger)

    async def test_two_ciphers_that_share_a_ring_give_the_same_hashes(
        self, cipher: Cipher, stranger: Cipher, shared: KeyRing
    ) -> None:
        await stranger.unlock(shared)
        assert cipher.mac(b"data", purpose="index") == stranger.mac(b"data", purpose="index")

    async def test_sharing_changes_slots_alone(self, locked: Cipher, stranger: Cipher, ring: KeyRing) -> None:
        shared = await locked.share(ring, stranger)
        before = with_key(shared, 1, slots=ring.keys[0].slots)
        assert ring == attrs.evolve(before, hash_key=ring.hash_key, mac=ring.mac)

    async def test_the_order_of_slots_does_not_matter(self, locked: Cipher, stranger: Cipher, shared: KeyRing) -> None:
        keys = tuple(attrs.evolve(key, slots=key.slots[::-1]) for key in shared.keys)
        reversed_ = await put(locked, shared, keys=keys)
        assert [True, True] == [await unlocks(cipher, reversed_) for cipher in (locked, stranger)]

    async def test_the_root_whose_slots_were_dropped_opens_the_ring_no_more(
        self, locked: Cipher, stranger: Cipher, ring: KeyRing
    ) -> None:
        moved = await _moved(locked, stranger, ring)
        assert [False, True] == [await unlocks(cipher, moved) for cipher in (locked, stranger)]

    async def test_messages_from_before_the_move_open_with_the_new_root(
        self, cipher: Cipher, stranger: Cipher, ring: KeyRing
    ) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        await stranger.unlock(await _moved(cipher, stranger, ring))
        assert MESSAGE == stranger.decrypt(sealed, context=PLACE)

    async def test_a_cipher_that_is_open_outlives_its_root(
        self, cipher: Cipher, stranger: Cipher, ring: KeyRing
    ) -> None:
        moved = await _moved(cipher, stranger, ring)
        await cipher.unlock(moved)
        await cipher.unlock(await put(cipher, moved))
        await stranger.unlock(moved)
        assert understand(cipher, stranger)

    async def test_sharing_again_leaves_one_slot_which_is_the_last(
        self, locked: Cipher, stranger: Cipher, ring: KeyRing
    ) -> None:
        old, new = stored(await locked.share(stored(await locked.share(ring, stranger)), stranger)).keys[0].slots
        moved = await put(stranger, with_key(ring, 1, slots=(new,)))
        assert (True, ring.keys[0].slots) == (await unlocks(stranger, moved), (old,))

    async def test_retired_keys_are_shared_too(self, cipher: Cipher, stranger: Cipher, ring: KeyRing) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        moved = await _moved(cipher, stranger, await retired(cipher, await grown(cipher, ring)))
        back = await put(stranger, in_states(moved, {1: KeyState.DECRYPT}), min_decrypt=0)
        await stranger.unlock(back)
        assert MESSAGE == stranger.decrypt(sealed, context=PLACE)

    async def test_a_key_of_which_nothing_is_left_is_not_shared(
        self, locked: Cipher, stranger: Cipher, ring: KeyRing
    ) -> None:
        larger = await retired(locked, await grown(locked, ring), KeyState.DESTROYED)
        shared = await locked.share(with_key(larger, 1, slots=()), stranger)
        assert () == shared.keys[0].slots

    async def test_a_retired_key_that_does_not_open_is_not_passed_over(
        self, locked: Cipher, stranger: Cipher, ring: KeyRing
    ) -> None:
        larger = await retired(locked, await grown(locked, ring))
        with pytest.raises(KeyUnavailable):
            await locked.share(with_key(larger, 1, slots=(KeySlot("garbage", b"garbage"),)), stranger)

    async def test_a_ring_of_another_root_is_not_shared(self, locked: Cipher, stranger: Cipher) -> None:
        with pytest.raises(KeyUnavailable):
            await locked.share(await founded(stranger), stranger)

    async def test_a_cipher_of_another_kind_shares_nothing(self, locked: Cipher, ring: KeyRing) -> None:
        with pytest.raises(KeyUnavailable):
            await locked.share(ring, foreign_cipher())


async def _moved(here: Cipher, there: Cipher, ring: KeyRing) -> KeyRing:
    """Share a ring, then drop every slot that it had before."""
    shared = stored(await here.share(ring, there))
    old = {slot for key in ring.keys for slot in key.slots}
    keys = tuple(attrs.evolve(key, slots=tuple(slot for slot in key.slots if slot not in old)) for key in shared.keys)
    return await put(there, shared, keys=keys)
