"""Ciphers that trust a ring too much. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from tests.laws._cipher_base import Broken, Right, laws
from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing


class TestAuthenticatesAnything(Broken):
    breaks = laws(
        "test_a_cut_key_is_refused test_a_key_of_another_ring_is_refused "
        "test_a_key_of_another_root_does_not_get_into_the_ring test_a_key_that_does_not_pass_its_check_is_refused "
        "test_a_key_that_opens_below_the_lowest_is_refused test_a_key_without_a_slot_is_refused "
        "test_a_message_is_not_taken_for_a_hash_key test_a_ring_whose_active_key_is_not_active_is_refused "
        "test_a_ring_without_its_active_key_is_refused test_a_ring_without_keys_is_refused "
        "test_a_staged_key_below_the_lowest_is_refused test_a_tampered_hash_key_is_refused "
        "test_a_tampered_key_is_refused test_another_root_does_not_unlock test_no_slot_that_opens_is_refused "
        "test_swapped_keys_are_refused test_the_hash_key_of_another_ring_is_refused "
        "test_the_key_that_sealed_the_hash_key_does_not_retire_unseen"
    )

    class Driver(Right):
        async def authenticate(self, ring: KeyRing) -> KeyRing:
            try:
                return await super().authenticate(ring)
            except KeyUnavailable:
                return ring


class TestBelievesTheStore(Broken):
    breaks = laws(
        "test_a_cipher_goes_on_with_the_keys_it_had test_a_new_mac_does_not_fit_an_older_ring "
        "test_a_ring_that_anybody_changed_is_refused test_a_ring_that_anybody_changed_is_refused_by_a_new_process "
        "test_an_old_mac_does_not_fit_a_newer_ring test_the_mac_of_another_key_does_not_fit "
        "test_the_mac_of_another_root_does_not_fit"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await self.adopt(ring)


class TestChecksTheMacTooLate(Broken):
    breaks = laws("test_a_cipher_goes_on_with_the_keys_it_had")

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await self.adopt(ring)
            await super().unlock(ring)


class TestChecksAProcessThatIsNewAlone(Broken):
    breaks = laws("test_a_cipher_goes_on_with_the_keys_it_had test_a_ring_that_anybody_changed_is_refused")

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await (super().unlock if self.toy._unlocked is None else self.adopt)(ring)


class TestDropsItsKeysWhenItFails(Broken):
    breaks = laws(
        "test_a_cipher_goes_on_with_the_keys_it_had test_a_cipher_that_is_open_outlives_its_root "
        "test_a_failed_unlock_leaves_the_keys_in_use"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            self.toy._unlocked = None
            await super().unlock(ring)


class TestReadsTimesAsText(Broken):
    breaks = laws("test_the_same_instant_in_another_time_zone_is_no_change")

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            if any(key.created_at and key.created_at.utcoffset() for key in ring.keys):
                raise KeyUnavailable("the ring was changed")
            await super().unlock(ring)
