"""Ciphers that let keys live wrongly. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

import attrs

from tests.laws._cipher_base import Broken, Right, keys_of, laws, opening
from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeyState, WrappedKey
from tigercore.testing._opened_ciphers import with_key


class TestCountsItsKeys(Broken):
    breaks = laws("test_a_new_key_is_one_above_the_highest")

    class Driver(Right):
        async def create_key(self, ring: KeyRing) -> WrappedKey:
            return attrs.evolve(await super().create_key(ring), version=len(ring.keys) + 1)


class TestActivatesEveryKey(Broken):
    breaks = laws("test_a_further_key_is_staged")

    class Driver(Right):
        async def create_key(self, ring: KeyRing) -> WrappedKey:
            return attrs.evolve(await super().create_key(ring), state=KeyState.ACTIVE)


class TestMakesTheSameKeyAgain(Broken):
    breaks = laws(
        "test_a_hash_differs_with_the_ring test_every_new_key_is_another test_no_slot_that_opens_is_refused "
        "test_the_mac_of_another_key_does_not_fit"
    )

    class Driver(Right):
        async def create_key(self, ring: KeyRing) -> WrappedKey:
            self.context.rng.seed(len(ring.keys))
            return await super().create_key(ring)


class TestLeavesRecoveryRecipientsOut(Broken):
    breaks = laws("test_no_key_is_made_for_a_recipient_that_cannot_be_used")

    class Driver(Right):
        async def create_key(self, ring: KeyRing) -> WrappedKey:
            return await super().create_key(attrs.evolve(ring, recovery=()))


class TestSealsWithAKeyThatIsNotActive(Broken):
    breaks = laws(
        "test_a_cipher_that_is_open_outlives_its_root test_a_ring_that_anybody_changed_is_refused "
        "test_a_ring_that_anybody_changed_is_refused_by_a_new_process "
        "test_a_ring_whose_active_key_is_not_active_is_refused "
        "test_messages_from_before_the_move_open_with_the_new_root "
        "test_sharing_again_leaves_one_slot_which_is_the_last test_sharing_changes_slots_alone "
        "test_the_first_key_of_a_ring_is_active test_the_root_whose_slots_were_dropped_opens_the_ring_no_more"
    )

    class Driver(Right):
        async def create_key(self, ring: KeyRing) -> WrappedKey:
            return attrs.evolve(await super().create_key(ring), state=KeyState.STAGED)

        async def authenticate(self, ring: KeyRing) -> KeyRing:
            made = await super().authenticate(with_key(ring, ring.active, state=KeyState.ACTIVE))
            return attrs.evolve(ring, hash_key=made.hash_key, mac=made.mac)

        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(with_key(ring, ring.active, state=KeyState.ACTIVE))


class TestAuthenticatesOnlyWhatItUnlocked(Broken):
    breaks = laws(
        "test_a_cipher_that_is_open_outlives_its_root test_a_cipher_that_only_made_a_ring_is_still_locked "
        "test_a_key_of_which_nothing_is_left_is_not_shared test_a_key_out_of_use_is_not_looked_at "
        "test_a_key_that_opens_below_the_lowest_is_refused test_a_new_mac_does_not_fit_an_older_ring "
        "test_a_retired_key_that_does_not_open_is_not_passed_over "
        "test_a_ring_is_authenticated_where_it_is_not_unlocked test_a_staged_key_below_the_lowest_is_refused "
        "test_an_old_mac_does_not_fit_a_newer_ring "
        "test_errors_of_an_unknown_key_show_neither_message_nor_place "
        "test_messages_from_before_the_move_open_with_the_new_root test_one_slot_that_opens_is_enough "
        "test_retired_keys_are_shared_too test_sharing_again_leaves_one_slot_which_is_the_last "
        "test_swapped_keys_are_refused test_the_order_of_slots_does_not_matter "
        "test_the_root_whose_slots_were_dropped_opens_the_ring_no_more "
        "test_two_ciphers_that_share_a_ring_give_the_same_hashes "
        "test_two_ciphers_that_share_a_ring_open_what_either_seals"
    )

    class Driver(Right):
        async def authenticate(self, ring: KeyRing) -> KeyRing:
            if ring.mac and self.toy._unlocked is None:
                raise KeyUnavailable("unlock the ring first")
            return await super().authenticate(ring)


class TestTidiesTheRing(Broken):
    breaks = laws("test_authenticating_changes_the_hash_key_and_the_mac_alone")

    class Driver(Right):
        async def authenticate(self, ring: KeyRing) -> KeyRing:
            tidy = keys_of(ring, lambda key: attrs.evolve(key, created_at=None))
            return await super().authenticate(tidy if len(ring.keys) == 1 else ring)


class TestForgetsItsKeys(Broken):
    breaks = laws(
        "test_a_cipher_goes_on_with_the_keys_it_had test_a_cipher_that_is_open_outlives_its_root "
        "test_a_failed_unlock_leaves_the_keys_in_use test_unlocking_twice_is_harmless"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            again, self.toy._unlocked = self.toy._unlocked, None
            if again is None or again.ring != ring:
                await super().unlock(ring)


class TestKeepsTheActiveKeyOnly(Broken):
    breaks = laws(
        "test_a_staged_key_opens_messages test_old_messages_open_after_the_ring_has_grown "
        "test_retired_keys_are_shared_too"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(ring)
            await self.adopt(attrs.evolve(ring, keys=tuple(key for key in ring.keys if key.version == ring.active)))


class TestKeepsTheKeysOfTheFirstUnlock(Broken):
    breaks = laws(
        "test_a_cipher_goes_on_with_the_keys_it_had test_a_hash_differs_with_the_ring "
        "test_a_key_out_of_use_opens_nothing test_a_message_names_the_key_that_sealed_it "
        "test_a_ring_without_a_hash_key_is_given_a_new_one test_a_staged_key_opens_messages "
        "test_new_messages_are_sealed_with_the_active_key test_two_ciphers_that_share_a_ring_open_what_either_seals"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            before = self.toy._unlocked
            await super().unlock(ring)
            self.toy._unlocked = before or self.toy._unlocked


class TestSealsWithTheOldestKey(Broken):
    breaks = laws(
        "test_a_cipher_goes_on_with_the_keys_it_had test_a_message_names_the_key_that_sealed_it "
        "test_a_message_of_an_unknown_key_is_told_from_a_bad_one "
        "test_errors_of_an_unknown_key_show_neither_message_nor_place "
        "test_new_messages_are_sealed_with_the_active_key"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(ring)
            lowest = min(opening(ring))
            await self.adopt(attrs.evolve(with_key(ring, lowest, state=KeyState.ACTIVE), active=lowest))


class TestSealsWithTheNewestKey(Broken):
    breaks = laws("test_a_cipher_goes_on_with_the_keys_it_had test_a_staged_key_does_not_seal")

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(ring)
            highest = max(opening(ring))
            await self.adopt(attrs.evolve(with_key(ring, highest, state=KeyState.ACTIVE), active=highest))


class TestUsesEveryKey(Broken):
    breaks = laws(
        "test_a_cipher_goes_on_with_the_keys_it_had test_a_key_out_of_use_is_not_looked_at "
        "test_a_key_out_of_use_opens_nothing test_a_ring_that_anybody_changed_is_refused "
        "test_the_same_instant_in_another_time_zone_is_no_change"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(ring)
            used = keys_of(ring, lambda key: attrs.evolve(key, state=KeyState.ACTIVE))
            await self.adopt(attrs.evolve(used, min_decrypt=0))


class TestLooksAtTheFirstSlotAlone(Broken):
    breaks = laws(
        "test_one_slot_that_opens_is_enough test_the_order_of_slots_does_not_matter "
        "test_two_ciphers_that_share_a_ring_give_the_same_hashes "
        "test_two_ciphers_that_share_a_ring_open_what_either_seals"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await self.toy.authenticate(keys_of(ring, lambda key: attrs.evolve(key, slots=key.slots[:1])))
            await super().unlock(ring)
