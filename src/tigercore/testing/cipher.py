"""The laws of a cipher. Give the suite a driver and the options of two roots, and pytest tries every sentence."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from tigercore.errors import DecryptionFailed, KeyUnavailable, PortError
from tigercore.model import KeyRing, KeyState
from tigercore.ports import Cipher
from tigercore.testing._opened_ciphers import OTHER_RING, RING, OpenedCiphers, grown, in_state, ring_of
from tigercore.testing.clock import driver_context

_PLACE = b"accounts/1/credentials"
_MESSAGE = b"an entirely plain message"


class CipherContract(OpenedCiphers):
    """Laws for a `Cipher`: override `cipher_type`, `options`, `other_options` and `unusable_options`."""

    # -- messages ------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [1, 15, 16, 17, 31, 32, 33, 251, 252, 253, 1700])
    async def test_a_message_opens_as_it_was_sealed(self, cipher: Cipher, size: int) -> None:
        message = random.Random(size).randbytes(size)
        assert message == cipher.decrypt(cipher.encrypt(message, context=_PLACE), context=_PLACE)

    async def test_an_empty_message_opens_as_it_was_sealed(self, cipher: Cipher) -> None:
        assert b"" == cipher.decrypt(cipher.encrypt(b"", context=_PLACE), context=_PLACE)

    async def test_a_mebibyte_opens_as_it_was_sealed(self, cipher: Cipher) -> None:
        message = random.Random(0).randbytes(2**20)
        assert message == cipher.decrypt(cipher.encrypt(message, context=_PLACE), context=_PLACE)

    async def test_a_message_opens_in_another_process_that_unlocks_the_ring(
        self, cipher: Cipher, locked: Cipher, ring: KeyRing
    ) -> None:
        await locked.unlock(ring)
        assert _MESSAGE == locked.decrypt(cipher.encrypt(_MESSAGE, context=_PLACE), context=_PLACE)

    async def test_equal_messages_give_different_bytes(self, cipher: Cipher) -> None:
        assert 8 == len({cipher.encrypt(_MESSAGE, context=_PLACE) for _ in range(8)})

    async def test_sealed_bytes_do_not_hold_the_message(self, cipher: Cipher) -> None:
        assert _MESSAGE not in cipher.encrypt(_MESSAGE, context=_PLACE)

    @pytest.mark.parametrize("place", [b"", _PLACE[:-1], _PLACE + b"\0", b"accounts/2/credentials"])
    async def test_a_message_does_not_open_in_another_place(self, cipher: Cipher, place: bytes) -> None:
        sealed = cipher.encrypt(_MESSAGE, context=_PLACE)
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(sealed, context=place)

    async def test_no_byte_may_be_flipped(self, cipher: Cipher) -> None:
        sealed = cipher.encrypt(_MESSAGE, context=_PLACE)
        for flipped in _flips(sealed):  # the byte that names the key makes it one that is not here
            with pytest.raises((DecryptionFailed, KeyUnavailable)):
                cipher.decrypt(flipped, context=_PLACE)

    async def test_nothing_may_be_cut_off(self, cipher: Cipher) -> None:
        sealed = cipher.encrypt(_MESSAGE, context=_PLACE)
        for size in range(len(sealed)):
            with pytest.raises(DecryptionFailed):
                cipher.decrypt(sealed[:size], context=_PLACE)

    @pytest.mark.parametrize("extra", [b"\0", b"\xff" * 16, bytes(256)])
    async def test_nothing_may_be_added(self, cipher: Cipher, extra: bytes) -> None:
        sealed = cipher.encrypt(_MESSAGE, context=_PLACE)
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(sealed + extra, context=_PLACE)
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(extra + sealed, context=_PLACE)

    @pytest.mark.parametrize("size", [0, 1, 8, 16, 40, 64, 102, 256, 358, 1024])
    async def test_garbage_is_refused(self, cipher: Cipher, size: int) -> None:
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(random.Random(size).randbytes(size), context=_PLACE)

    async def test_a_plain_message_is_not_taken_for_a_sealed_one(self, cipher: Cipher) -> None:
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(_MESSAGE, context=_PLACE)

    # -- before a ring is unlocked -------------------------------------------------------------------------

    async def test_a_locked_cipher_does_not_seal(self, locked: Cipher) -> None:
        with pytest.raises(KeyUnavailable):
            locked.encrypt(_MESSAGE, context=_PLACE)

    async def test_a_locked_cipher_does_not_open(self, cipher: Cipher, locked: Cipher) -> None:
        with pytest.raises(KeyUnavailable):
            locked.decrypt(cipher.encrypt(_MESSAGE, context=_PLACE), context=_PLACE)

    async def test_a_locked_cipher_does_not_hash(self, locked: Cipher) -> None:
        with pytest.raises(KeyUnavailable):
            locked.mac(b"data", purpose="index")

    async def test_unlocking_twice_is_harmless(self, cipher: Cipher, ring: KeyRing) -> None:
        sealed = cipher.encrypt(_MESSAGE, context=_PLACE)
        await cipher.unlock(ring)
        assert _MESSAGE == cipher.decrypt(sealed, context=_PLACE)

    # -- a ring that grows ---------------------------------------------------------------------------------

    async def test_a_new_key_is_active_and_has_its_version(self, locked: Cipher) -> None:
        key = await locked.create_key(RING, 7)
        assert (7, KeyState.ACTIVE) == (key.version, key.state)

    async def test_every_new_key_is_another(self, cipher: Cipher, locked: Cipher) -> None:
        sealed = cipher.encrypt(_MESSAGE, context=_PLACE)
        await locked.unlock(ring_of(await locked.create_key(RING, 1)))
        with pytest.raises(DecryptionFailed):
            locked.decrypt(sealed, context=_PLACE)

    async def test_old_messages_open_after_the_ring_has_grown(self, cipher: Cipher, ring: KeyRing) -> None:
        sealed = cipher.encrypt(_MESSAGE, context=_PLACE)
        await cipher.unlock(await grown(cipher, ring))
        assert _MESSAGE == cipher.decrypt(sealed, context=_PLACE)

    async def test_new_messages_are_sealed_with_the_active_key(
        self, cipher: Cipher, locked: Cipher, ring: KeyRing
    ) -> None:
        larger = await grown(cipher, ring)
        await cipher.unlock(larger)
        await locked.unlock(ring_of(larger.keys[1]))
        assert _MESSAGE == locked.decrypt(cipher.encrypt(_MESSAGE, context=_PLACE), context=_PLACE)

    async def test_a_staged_key_opens_messages(self, cipher: Cipher, locked: Cipher, ring: KeyRing) -> None:
        larger = await grown(cipher, ring)
        await locked.unlock(larger)
        await cipher.unlock(ring_of(ring.keys[0], in_state(KeyState.STAGED, larger.keys[1])))
        assert _MESSAGE == cipher.decrypt(locked.encrypt(_MESSAGE, context=_PLACE), context=_PLACE)

    async def test_a_staged_key_does_not_seal(self, cipher: Cipher, locked: Cipher, ring: KeyRing) -> None:
        await locked.unlock(ring)
        await cipher.unlock(ring_of(ring.keys[0], in_state(KeyState.STAGED, await cipher.create_key(RING, 2))))
        assert _MESSAGE == locked.decrypt(cipher.encrypt(_MESSAGE, context=_PLACE), context=_PLACE)

    async def test_a_message_of_an_unknown_key_is_told_from_a_bad_one(
        self, cipher: Cipher, locked: Cipher, ring: KeyRing
    ) -> None:
        await locked.unlock(await grown(cipher, ring))
        with pytest.raises(KeyUnavailable):
            cipher.decrypt(locked.encrypt(_MESSAGE, context=_PLACE), context=_PLACE)

    @pytest.mark.parametrize("state", [KeyState.RETIRED, KeyState.DESTROYED])
    async def test_a_key_out_of_use_opens_nothing(self, cipher: Cipher, ring: KeyRing, state: KeyState) -> None:
        sealed = cipher.encrypt(_MESSAGE, context=_PLACE)
        await cipher.unlock(await grown(cipher, ring, state))
        with pytest.raises(KeyUnavailable):
            cipher.decrypt(sealed, context=_PLACE)

    async def test_a_destroyed_key_does_not_stop_the_others(self, cipher: Cipher, ring: KeyRing) -> None:
        larger = await grown(cipher, ring, KeyState.DESTROYED)
        destroyed = attrs.evolve(larger.keys[0], blob=b"", check=b"")
        await cipher.unlock(attrs.evolve(larger, keys=(destroyed, larger.keys[1])))
        assert _MESSAGE == cipher.decrypt(cipher.encrypt(_MESSAGE, context=_PLACE), context=_PLACE)

    # -- rings and roots that are not the right ones -------------------------------------------------------

    async def test_another_ring_of_the_same_root_does_not_open_a_message(self, cipher: Cipher, locked: Cipher) -> None:
        key = await locked.create_key(OTHER_RING, 1)
        await locked.unlock(KeyRing(OTHER_RING, 1, (key,)))
        with pytest.raises(DecryptionFailed):
            locked.decrypt(cipher.encrypt(_MESSAGE, context=_PLACE), context=_PLACE)

    async def test_a_key_of_another_ring_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        with pytest.raises(KeyUnavailable):
            await locked.unlock(attrs.evolve(ring, id=OTHER_RING))

    async def test_another_root_does_not_unlock(self, stranger: Cipher, ring: KeyRing) -> None:
        with pytest.raises(KeyUnavailable):
            await stranger.unlock(ring)

    async def test_swapped_keys_are_refused(self, locked: Cipher, ring: KeyRing) -> None:
        one, two = (await grown(locked, ring)).keys
        swapped = (attrs.evolve(one, version=2), attrs.evolve(two, version=1))
        with pytest.raises(KeyUnavailable):
            await locked.unlock(ring_of(*swapped))

    @pytest.mark.parametrize("at", [0, 0.5, 1])
    async def test_a_tampered_key_is_refused(self, locked: Cipher, ring: KeyRing, at: float) -> None:
        key = ring.keys[0]
        flipped = _flip(key.blob, int(at * (len(key.blob) - 1)))
        with pytest.raises(KeyUnavailable):
            await locked.unlock(ring_of(attrs.evolve(key, blob=flipped)))

    async def test_a_cut_key_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        for size in (0, 1, len(ring.keys[0].blob) - 1):
            with pytest.raises(KeyUnavailable):
                await locked.unlock(ring_of(attrs.evolve(ring.keys[0], blob=ring.keys[0].blob[:size])))

    async def test_a_key_that_does_not_pass_its_check_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        key = ring.keys[0]
        with pytest.raises(KeyUnavailable):
            await locked.unlock(ring_of(attrs.evolve(key, check=_flip(key.check, 0))))

    async def test_a_ring_without_its_active_key_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        with pytest.raises(KeyUnavailable):
            await locked.unlock(attrs.evolve(ring, active=2))

    async def test_a_ring_whose_active_key_is_retired_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        with pytest.raises(KeyUnavailable):
            await locked.unlock(ring_of(in_state(KeyState.RETIRED, ring.keys[0])))

    @pytest.mark.parametrize("state", [KeyState.STAGED, KeyState.DECRYPT])
    async def test_a_ring_whose_active_key_is_not_active_is_refused(
        self, locked: Cipher, ring: KeyRing, state: KeyState
    ) -> None:
        with pytest.raises(KeyUnavailable):
            await locked.unlock(ring_of(in_state(state, ring.keys[0])))

    async def test_a_failed_unlock_leaves_the_keys_in_use(self, cipher: Cipher, ring: KeyRing) -> None:
        sealed = cipher.encrypt(_MESSAGE, context=_PLACE)
        larger = await grown(cipher, ring)
        with pytest.raises(KeyUnavailable):
            await cipher.unlock(attrs.evolve(larger, keys=(ring.keys[0], attrs.evolve(larger.keys[1], blob=b""))))
        assert _MESSAGE == cipher.decrypt(sealed, context=_PLACE)

    # -- keyed hashes --------------------------------------------------------------------------------------

    async def test_a_hash_has_sixteen_bytes_or_more(self, cipher: Cipher) -> None:
        assert 16 <= len(cipher.mac(b"data", purpose="index"))

    async def test_a_hash_is_the_same_for_the_same_data(self, cipher: Cipher) -> None:
        assert cipher.mac(b"data", purpose="index") == cipher.mac(b"data", purpose="index")

    async def test_a_hash_differs_with_the_data(self, cipher: Cipher) -> None:
        assert cipher.mac(b"data", purpose="index") != cipher.mac(b"date", purpose="index")

    async def test_a_hash_differs_with_the_purpose(self, cipher: Cipher) -> None:
        assert cipher.mac(b"data", purpose="index") != cipher.mac(b"data", purpose="audit")

    async def test_a_hash_differs_with_the_ring(self, cipher: Cipher) -> None:
        before = cipher.mac(b"data", purpose="index")
        await cipher.unlock(KeyRing(OTHER_RING, 1, (await cipher.create_key(OTHER_RING, 1),)))
        assert before != cipher.mac(b"data", purpose="index")

    async def test_a_hash_is_the_same_in_another_process(self, cipher: Cipher, locked: Cipher, ring: KeyRing) -> None:
        await locked.unlock(ring)
        assert cipher.mac(b"data", purpose="index") == locked.mac(b"data", purpose="index")

    async def test_a_hash_stays_the_same_while_the_ring_grows(self, cipher: Cipher, ring: KeyRing) -> None:
        before = cipher.mac(b"data", purpose="index")
        await cipher.unlock(await grown(cipher, ring))
        assert before == cipher.mac(b"data", purpose="index")

    # -- the root ------------------------------------------------------------------------------------------

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
                await cipher.create_key(RING, 1)

    # -- secrecy -------------------------------------------------------------------------------------------

    async def test_errors_show_neither_message_nor_place(self, cipher: Cipher) -> None:
        sealed = cipher.encrypt(_MESSAGE, context=_PLACE)
        for blob, place in ((sealed, b"elsewhere"), (_flip(sealed, -1), _PLACE), (_MESSAGE, _PLACE)):
            with pytest.raises(PortError) as caught:
                cipher.decrypt(blob, context=place)
            for shown in _chain(caught.value):
                assert [] == [part for part in _shapes(_MESSAGE, _PLACE, b"elsewhere") if part in shown]

    async def test_the_repr_shows_neither_message_nor_place(self, cipher: Cipher) -> None:
        cipher.decrypt(cipher.encrypt(_MESSAGE, context=_PLACE), context=_PLACE)
        assert [] == [part for part in _shapes(_MESSAGE, _PLACE) if part in repr(cipher)]


def _flip(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def _flips(data: bytes) -> Iterator[bytes]:
    return (_flip(data, at) for at in range(len(data)))


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error} {error!r}"
        error = error.__cause__ or error.__context__


def _shapes(*parts: bytes) -> list[str]:
    return [text for part in parts for text in (part.decode(), part.hex(), base64.b64encode(part).decode())]
