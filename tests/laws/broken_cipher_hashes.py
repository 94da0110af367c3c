"""Ciphers that hash wrongly. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

import os

import attrs

from tests.laws._cipher_base import Broken, Right, laws
from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing


class TestHashesAreShortAndAlike(Broken):
    breaks = laws(
        "test_a_hash_differs_with_the_data test_a_hash_differs_with_the_purpose test_a_hash_differs_with_the_ring "
        "test_a_hash_has_sixteen_bytes_or_more test_a_hash_tells_where_its_purpose_ends "
        "test_a_ring_without_a_hash_key_is_given_a_new_one"
    )

    class Driver(Right):
        def mac(self, data: bytes, *, purpose: str) -> bytes:
            super().mac(data, purpose=purpose)
            return bytes(8)


class TestHashesAreNeverTheSame(Broken):
    breaks = laws(
        "test_a_hash_is_the_same_for_the_same_data "
        "test_a_hash_is_the_same_in_a_process_that_sees_a_later_ring_first "
        "test_a_hash_is_the_same_in_another_process test_a_hash_stays_the_same_whichever_keys_come_and_go "
        "test_a_ring_without_a_hash_key_is_given_a_new_one test_two_ciphers_that_share_a_ring_give_the_same_hashes"
    )

    class Driver(Right):
        def mac(self, data: bytes, *, purpose: str) -> bytes:
            return super().mac(data, purpose=purpose) + os.urandom(16)


class TestJoinsThePurposeAndTheData(Broken):
    breaks = laws("test_a_hash_tells_where_its_purpose_ends")

    class Driver(Right):
        def mac(self, data: bytes, *, purpose: str) -> bytes:
            return super().mac(purpose.encode() + data, purpose="")


class TestHashesWithTheActiveKey(Broken):
    breaks = laws(
        "test_a_hash_is_the_same_in_a_process_that_sees_a_later_ring_first "
        "test_a_hash_stays_the_same_whichever_keys_come_and_go "
        "test_two_ciphers_that_share_a_ring_give_the_same_hashes"
    )

    class Driver(Right):
        def mac(self, data: bytes, *, purpose: str) -> bytes:
            ring = self.toy._require()
            return super().mac(ring.keys[ring.ring.active] + data, purpose=purpose)


class TestMakesAnotherHashKeyEachTime(Broken):
    breaks = laws(
        "test_a_hash_is_the_same_in_a_process_that_sees_a_later_ring_first "
        "test_a_hash_stays_the_same_whichever_keys_come_and_go "
        "test_two_ciphers_that_share_a_ring_give_the_same_hashes"
    )

    class Driver(Right):
        async def authenticate(self, ring: KeyRing) -> KeyRing:
            await super().authenticate(ring)
            return await super().authenticate(attrs.evolve(ring, hash_key=b""))


class TestReplacesAHashKeyThatDoesNotOpen(Broken):
    breaks = laws(
        "test_a_message_is_not_taken_for_a_hash_key test_a_tampered_hash_key_is_refused "
        "test_the_hash_key_of_another_ring_is_refused test_the_key_that_sealed_the_hash_key_does_not_retire_unseen"
    )

    class Driver(Right):
        async def authenticate(self, ring: KeyRing) -> KeyRing:
            try:
                return await super().authenticate(ring)
            except KeyUnavailable:
                return await super().authenticate(attrs.evolve(ring, hash_key=b""))
