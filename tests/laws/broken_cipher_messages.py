"""Ciphers that seal and open wrongly. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

from tests.laws._cipher_base import Broken, Right, laws
from tigercore.errors import DecryptionFailed, KeyUnavailable, PortError
from tigercore.model import KeyRing


class TestChangesMessages(Broken):
    breaks = laws(
        "test_a_mebibyte_opens_as_it_was_sealed test_a_message_opens_as_it_was_sealed "
        "test_an_empty_message_opens_as_it_was_sealed test_equal_messages_give_different_bytes"
    )

    class Driver(Right):
        def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
            self.context.rng.seed(0)
            return super().encrypt(plaintext[: 2**16], context=context)

        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            return super().decrypt(sealed, context=context).ljust(2, b"\0")


class TestBindsMessagesToTheProcess(Broken):
    breaks = laws(
        "test_a_cipher_that_is_open_outlives_its_root "
        "test_a_message_opens_in_another_process_that_unlocks_the_ring test_a_staged_key_does_not_seal "
        "test_a_staged_key_opens_messages test_messages_from_before_the_move_open_with_the_new_root "
        "test_new_messages_are_sealed_with_the_active_key test_retired_keys_are_shared_too "
        "test_two_ciphers_that_share_a_ring_open_what_either_seals"
    )

    class Driver(Right):
        def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
            return super().encrypt(plaintext, context=context + id(self).to_bytes(8))

        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            return super().decrypt(sealed, context=context + id(self).to_bytes(8))


class TestKeepsTheMessageBesideItsSeal(Broken):
    breaks = laws("test_sealed_bytes_do_not_hold_the_message")

    class Driver(Right):
        def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
            return super().encrypt(plaintext, context=context) + plaintext

        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            size = max(len(sealed) - 56, 0) // 2
            plaintext = super().decrypt(sealed[: len(sealed) - size], context=context)
            if plaintext != sealed[len(sealed) - size :]:
                raise DecryptionFailed("they differ")
            return plaintext


class TestIgnoresThePlace(Broken):
    breaks = laws("test_a_message_does_not_open_in_another_place test_errors_show_neither_message_nor_place")

    class Driver(Right):
        def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
            return super().encrypt(plaintext, context=b"")

        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            return super().decrypt(sealed, context=b"")


class TestIsLaxAtTheEdges(Broken):
    breaks = laws("test_nothing_may_be_added test_nothing_may_be_cut_off")

    class Driver(Right):
        def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
            return super().encrypt(plaintext, context=context) + b"."

        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            return super().decrypt(sealed.strip(b"\0").removesuffix(b"."), context=context)


class TestReturnsWhatItDoesNotKnow(Broken):
    breaks = laws(
        "test_a_plain_message_is_not_taken_for_a_sealed_one test_errors_show_neither_message_nor_place "
        "test_garbage_is_refused test_no_byte_may_be_flipped test_nothing_may_be_added test_nothing_may_be_cut_off"
    )

    class Driver(Right):
        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            if sealed.startswith(b"TOY!"):
                return super().decrypt(sealed, context=context)
            if len(sealed) > 32:
                raise ValueError("this is no plaintext of ours")
            return sealed


class TestWorksWhileItIsLocked(Broken):
    breaks = laws(
        "test_a_cipher_that_only_made_a_ring_is_still_locked test_a_locked_cipher_does_not_hash "
        "test_a_locked_cipher_does_not_open test_a_locked_cipher_does_not_seal "
        "test_a_process_that_was_forked_off_has_no_keys"
    )

    class Driver(Right):
        def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
            return super().encrypt(plaintext, context=context) if self.toy._unlocked else b""

        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            return super().decrypt(sealed, context=context) if self.toy._unlocked else b""

        def mac(self, data: bytes, *, purpose: str) -> bytes:
            return super().mac(data, purpose=purpose) if self.toy._unlocked else bytes(32)


class TestUnlocksWhatItMakes(Broken):
    breaks = laws(
        "test_a_cipher_that_only_made_a_ring_is_still_locked test_a_cut_key_is_refused "
        "test_a_key_without_a_slot_is_refused test_a_locked_cipher_does_not_open "
        "test_a_retired_key_that_does_not_open_is_not_passed_over test_a_tampered_key_is_refused "
        "test_no_slot_that_opens_is_refused test_the_root_whose_slots_were_dropped_opens_the_ring_no_more"
    )

    class Driver(Right):
        async def authenticate(self, ring: KeyRing) -> KeyRing:
            if self.toy._unlocked is None:
                await self.adopt(ring)
            return await super().authenticate(ring)


class TestNamesTheActiveKey(Broken):
    breaks = laws(
        "test_a_locked_cipher_names_the_key_of_a_message test_a_message_names_the_key_that_sealed_it "
        "test_a_plain_message_has_no_key test_garbage_has_no_key"
    )

    class Driver(Right):
        def key_of(self, sealed: bytes) -> int:
            return self.toy._require().ring.active


class TestGuessesTheKeyOfAMessage(Broken):
    breaks = laws("test_a_plain_message_has_no_key test_garbage_has_no_key")

    class Driver(Right):
        def key_of(self, sealed: bytes) -> int:
            return int.from_bytes(sealed[4:8])


class TestCallsAnUnknownKeyABadMessage(Broken):
    breaks = laws(
        "test_a_key_out_of_use_opens_nothing test_a_locked_cipher_does_not_open "
        "test_a_message_of_an_unknown_key_is_told_from_a_bad_one test_a_process_that_was_forked_off_has_no_keys "
        "test_errors_of_an_unknown_key_show_neither_message_nor_place"
    )

    class Driver(Right):
        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            try:
                return super().decrypt(sealed, context=context)
            except KeyUnavailable as error:
                raise DecryptionFailed(str(error)) from None


class TestTellsWhatItKnows(Broken):
    breaks = laws(
        "test_errors_of_an_unknown_key_show_neither_message_nor_place test_errors_show_neither_message_nor_place "
        "test_the_repr_shows_neither_message_nor_place"
    )

    class Driver(Right):
        last = b""

        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            try:
                self.last = super().decrypt(sealed, context=context)
            except PortError as error:
                raise type(error)(f"{context!r}: {error}") from error
            return self.last

        def __repr__(self) -> str:
            return f"<cipher of {self.last!r}>"
