"""The laws of sealing and opening, and of what may be seen of it."""

from __future__ import annotations

import base64
import random
import zlib
from collections.abc import Iterator

import pytest

from tigercore.errors import DecryptionFailed, KeyUnavailable, PortError
from tigercore.model import KeyRing
from tigercore.ports import Cipher
from tigercore.testing._opened_ciphers import MESSAGE, PLACE, OpenedCiphers, flip, founded, grown


class MessageLaws(OpenedCiphers):
    """What is sealed opens as it was, here and nowhere else."""

    # -- messages ------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("size", [1, 15, 16, 17, 31, 32, 33, 251, 252, 253, 1700])
    async def test_a_message_opens_as_it_was_sealed(self, cipher: Cipher, size: int) -> None:
        message = random.Random(size).randbytes(size)
        assert message == cipher.decrypt(cipher.encrypt(message, context=PLACE), context=PLACE)

    async def test_an_empty_message_opens_as_it_was_sealed(self, cipher: Cipher) -> None:
        assert b"" == cipher.decrypt(cipher.encrypt(b"", context=PLACE), context=PLACE)

    async def test_a_mebibyte_opens_as_it_was_sealed(self, cipher: Cipher) -> None:
        message = random.Random(0).randbytes(2**20)
        assert message == cipher.decrypt(cipher.encrypt(message, context=PLACE), context=PLACE)

    async def test_a_message_opens_in_another_process_that_unlocks_the_ring(
        self, cipher: Cipher, locked: Cipher, ring: KeyRing
    ) -> None:
        await locked.unlock(ring)
        assert MESSAGE == locked.decrypt(cipher.encrypt(MESSAGE, context=PLACE), context=PLACE)

    async def test_equal_messages_give_different_bytes(self, cipher: Cipher) -> None:
        assert 8 == len({cipher.encrypt(MESSAGE, context=PLACE) for _ in range(8)})

    async def test_sealed_bytes_do_not_hold_the_message(self, cipher: Cipher) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        assert [] == [written for written in _writings(MESSAGE) if written in sealed]

    async def test_sealed_bytes_are_as_noise(self, cipher: Cipher) -> None:
        sealed = cipher.encrypt(bytes(4096), context=PLACE)  # noise does not shrink, nor base64 of it below that
        assert 3072 <= len(zlib.compress(sealed))

    @pytest.mark.parametrize("place", [b"", PLACE[:-1], PLACE + b"\0", b"accounts/2/credentials"])
    async def test_a_message_does_not_open_in_another_place(self, cipher: Cipher, place: bytes) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(sealed, context=place)

    async def test_no_byte_may_be_flipped(self, cipher: Cipher) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        for flipped in _flips(sealed):  # the byte that names the key makes it one that is not here
            with pytest.raises((DecryptionFailed, KeyUnavailable)):
                cipher.decrypt(flipped, context=PLACE)

    async def test_nothing_may_be_cut_off(self, cipher: Cipher) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        for size in range(len(sealed)):
            with pytest.raises(DecryptionFailed):
                cipher.decrypt(sealed[:size], context=PLACE)

    @pytest.mark.parametrize("extra", [b"\0", b"\xff" * 16, bytes(256)])
    async def test_nothing_may_be_added(self, cipher: Cipher, extra: bytes) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(sealed + extra, context=PLACE)
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(extra + sealed, context=PLACE)

    @pytest.mark.parametrize("size", [0, 1, 8, 16, 40, 64, 102, 256, 358, 1024])
    async def test_garbage_is_refused(self, cipher: Cipher, size: int) -> None:
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(random.Random(size).randbytes(size), context=PLACE)

    async def test_a_plain_message_is_not_taken_for_a_sealed_one(self, cipher: Cipher) -> None:
        with pytest.raises(DecryptionFailed):
            cipher.decrypt(MESSAGE, context=PLACE)

    # -- the key of a message ------------------------------------------------------------------------------

    async def test_a_message_names_the_key_that_sealed_it(self, cipher: Cipher, ring: KeyRing) -> None:
        before = cipher.encrypt(MESSAGE, context=PLACE)
        await cipher.unlock(await grown(cipher, ring))
        assert [1, 2] == [cipher.key_of(before), cipher.key_of(cipher.encrypt(MESSAGE, context=PLACE))]

    async def test_a_locked_cipher_names_the_key_of_a_message(self, cipher: Cipher, locked: Cipher) -> None:
        assert 1 == locked.key_of(cipher.encrypt(MESSAGE, context=PLACE))

    @pytest.mark.parametrize("size", [0, 1, 8, 16, 40, 64, 102, 256, 358, 1024])
    async def test_garbage_has_no_key(self, locked: Cipher, size: int) -> None:
        with pytest.raises(DecryptionFailed):
            locked.key_of(random.Random(size).randbytes(size))

    async def test_a_plain_message_has_no_key(self, locked: Cipher) -> None:
        with pytest.raises(DecryptionFailed):
            locked.key_of(MESSAGE)

    # -- before a ring is unlocked -------------------------------------------------------------------------

    async def test_a_locked_cipher_does_not_seal(self, locked: Cipher) -> None:
        with pytest.raises(KeyUnavailable):
            locked.encrypt(MESSAGE, context=PLACE)

    async def test_a_locked_cipher_does_not_open(self, cipher: Cipher, locked: Cipher) -> None:
        with pytest.raises(KeyUnavailable):
            locked.decrypt(cipher.encrypt(MESSAGE, context=PLACE), context=PLACE)

    async def test_a_locked_cipher_does_not_hash(self, locked: Cipher) -> None:
        with pytest.raises(KeyUnavailable):
            locked.mac(b"data", purpose="index")

    async def test_a_cipher_that_only_made_a_ring_is_still_locked(self, locked: Cipher) -> None:
        await grown(locked, await founded(locked))
        with pytest.raises(KeyUnavailable):
            locked.encrypt(MESSAGE, context=PLACE)

    # -- secrecy -------------------------------------------------------------------------------------------

    async def test_errors_show_neither_message_nor_place(self, cipher: Cipher) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        for blob, place in ((sealed, b"elsewhere"), (flip(sealed, -1), PLACE), (MESSAGE, PLACE)):
            with pytest.raises(PortError) as caught:
                cipher.decrypt(blob, context=place)
            assert [] == _shown(caught.value, MESSAGE, PLACE, b"elsewhere")

    async def test_errors_of_an_unknown_key_show_neither_message_nor_place(
        self, cipher: Cipher, locked: Cipher, ring: KeyRing
    ) -> None:
        await locked.unlock(await grown(locked, ring))
        with pytest.raises(KeyUnavailable) as caught:
            cipher.decrypt(locked.encrypt(MESSAGE, context=PLACE), context=PLACE)
        assert [] == _shown(caught.value, MESSAGE, PLACE)

    async def test_the_repr_shows_neither_message_nor_place(self, cipher: Cipher) -> None:
        cipher.decrypt(cipher.encrypt(MESSAGE, context=PLACE), context=PLACE)
        assert [] == [part for part in _shapes(MESSAGE, PLACE) if part in repr(cipher)]


def _flips(data: bytes) -> Iterator[bytes]:
    return (flip(data, at) for at in range(len(data)))


def _writings(message: bytes) -> Iterator[bytes]:
    """Return the ways to write a message that hide nothing, as they stand amid other bytes."""
    yield from (message, message[::-1], message.hex().encode(), message.hex().upper().encode())
    yield message.decode().encode("utf-16-le")[:-1]  # what both byte orders have in common
    for before in range(3):  # of base64 the digits that hold no neighbour; for plain words both alphabets give the same
        yield base64.b64encode(bytes(before) + message)[(4 * before + 2) // 3 : 4 * (before + len(message)) // 3]


def _shown(error: BaseException, *parts: bytes) -> list[str]:
    return [shape for text in _chain(error) for shape in _shapes(*parts) if shape in text]


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error} {error!r}"
        error = error.__cause__ or error.__context__


def _shapes(*parts: bytes) -> list[str]:
    return [text for part in parts for text in (part.decode(), part.hex(), base64.b64encode(part).decode())]
