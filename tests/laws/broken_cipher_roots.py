"""Ciphers that treat roots wrongly. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

import attrs

from tests.laws._cipher_base import Broken, Right, keys_of, laws, opening
from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeySlot, WrappedKey
from tigercore.ports import Cipher, DriverContext
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions


class TestHasOneRoot(Broken):
    breaks = laws(
        "test_a_key_of_another_root_does_not_get_into_the_ring test_a_ring_of_another_root_is_not_shared "
        "test_a_root_that_is_not_there_makes_no_key test_a_root_that_is_not_there_shares_no_ring "
        "test_another_root_does_not_unlock test_sharing_again_leaves_one_slot_which_is_the_last "
        "test_the_root_whose_slots_were_dropped_opens_the_ring_no_more"
    )

    class Driver(Right):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(ToyOptions(), context)


class TestHasOneRing(Broken):
    breaks = laws(
        "test_a_hash_differs_with_the_ring test_a_key_of_another_ring_is_refused "
        "test_a_ring_that_anybody_changed_is_refused test_a_ring_that_anybody_changed_is_refused_by_a_new_process "
        "test_another_ring_of_the_same_root_does_not_open_a_message test_every_new_key_is_another "
        "test_no_slot_that_opens_is_refused test_the_hash_key_of_another_ring_is_refused "
        "test_the_mac_of_another_key_does_not_fit"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(attrs.evolve(ring, id=UUID(int=1)))

        async def create_key(self, ring: KeyRing) -> WrappedKey:
            self.context.rng.seed(len(ring.keys))
            return await super().create_key(attrs.evolve(ring, id=UUID(int=1)))

        async def authenticate(self, ring: KeyRing) -> KeyRing:
            return attrs.evolve(await super().authenticate(attrs.evolve(ring, id=UUID(int=1))), id=ring.id)

        async def share(self, ring: KeyRing, other: Cipher) -> KeyRing:
            return attrs.evolve(await super().share(attrs.evolve(ring, id=UUID(int=1)), other), id=ring.id)


class TestForgetsItsRoot(Broken):
    breaks = laws(
        "test_a_root_that_cannot_be_made_is_refused test_creating_the_root_again_leaves_it_as_it_is "
        "test_creating_the_root_is_told_in_one_sentence"
    )
    made: ClassVar[dict[str, int]] = {}

    class Driver(Right):
        def __init__(self, options: Any, context: DriverContext) -> None:
            count = TestForgetsItsRoot.made.get(options.root, 0)
            super().__init__(attrs.evolve(options, root=options.root and f"{options.root}{count}"), context)

        @classmethod
        def create_root(cls, options: Any) -> str:
            TestForgetsItsRoot.made[options.root] = TestForgetsItsRoot.made.get(options.root, 0) + 1
            return "Made the root.\nThe old one is gone."


class TestSharesNothing(Broken):
    breaks = laws(
        "test_a_cipher_of_another_kind_shares_nothing test_a_cipher_that_is_open_outlives_its_root "
        "test_a_retired_key_that_does_not_open_is_not_passed_over "
        "test_a_root_that_is_not_there_shares_no_ring "
        "test_messages_from_before_the_move_open_with_the_new_root test_retired_keys_are_shared_too "
        "test_sharing_again_leaves_one_slot_which_is_the_last test_the_order_of_slots_does_not_matter "
        "test_the_root_whose_slots_were_dropped_opens_the_ring_no_more "
        "test_two_ciphers_that_share_a_ring_give_the_same_hashes "
        "test_two_ciphers_that_share_a_ring_open_what_either_seals"
    )

    class Driver(Right):
        async def share(self, ring: KeyRing, other: Cipher) -> KeyRing:
            return await self.authenticate(ring)


class TestSharesTheKeysInUseAlone(Broken):
    breaks = laws("test_a_retired_key_that_does_not_open_is_not_passed_over test_retired_keys_are_shared_too")

    class Driver(Right):
        async def share(self, ring: KeyRing, other: Cipher) -> KeyRing:
            used = opening(ring)
            bare = keys_of(ring, lambda key: key if key.version in used else attrs.evolve(key, slots=()))
            slots = {key.version: key.slots for key in (await super().share(bare, other)).keys if key.slots}
            shared = keys_of(ring, lambda key: attrs.evolve(key, slots=slots.get(key.version, key.slots)))
            return await self.authenticate(shared)


class TestSharesWhatItCannotOpen(Broken):
    breaks = laws("test_a_cipher_of_another_kind_shares_nothing test_a_ring_of_another_root_is_not_shared")

    class Driver(Right):
        async def share(self, ring: KeyRing, other: Cipher) -> KeyRing:
            try:
                return await super().share(ring, other)
            except KeyUnavailable:
                return await other.authenticate(ring)


class TestSharingChangesMore(Broken):
    breaks = laws(
        "test_a_key_of_which_nothing_is_left_is_not_shared test_sharing_changes_slots_alone "
        "test_two_ciphers_that_share_a_ring_give_the_same_hashes"
    )

    class Driver(Right):
        async def share(self, ring: KeyRing, other: Cipher) -> KeyRing:
            shared = keys_of(await super().share(ring, other), _never_empty)
            return await self.authenticate(attrs.evolve(shared, epoch=ring.epoch + 1, hash_key=b""))


def _never_empty(key: WrappedKey) -> WrappedKey:
    return attrs.evolve(key, slots=key.slots or (KeySlot("nothing", b"nothing"),))


class TestAsksItsRootAgain(Broken):
    breaks = laws("test_a_cipher_that_is_open_outlives_its_root")

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            fresh = ToyCipher(self.toy.options, self.toy.context)
            await fresh.unlock(ring)
            self.toy = fresh


class TestLetsSlotsPileUp(Broken):
    breaks = laws("test_sharing_again_leaves_one_slot_which_is_the_last")

    class Driver(Right):
        async def share(self, ring: KeyRing, other: Cipher) -> KeyRing:
            shared = await super().share(ring, other)
            slots = {key.version: key.slots for key in ring.keys}
            return await self.authenticate(
                keys_of(shared, lambda key: attrs.evolve(key, slots=(*slots[key.version], *key.slots[-1:])))
            )
