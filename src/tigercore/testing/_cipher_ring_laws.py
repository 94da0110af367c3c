"""The laws of a ring that lives: keys are made, staged, activated and retired."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore.model import KeyRing, KeySlot, KeyState
from tigercore.ports import Cipher
from tigercore.testing._opened_ciphers import (
    MESSAGE,
    OTHER_RING,
    PLACE,
    RING,
    OpenedCiphers,
    activated,
    founded,
    grown,
    put,
    refuses,
    retired,
    staged,
    with_key,
)
from tigercore.testing.clock import driver_context

_OUT_OF_USE = pytest.mark.parametrize("state", [KeyState.RETIRED, KeyState.DESTROYED])


class KeyLaws(OpenedCiphers):
    """A new key is one more, unlike the others, and not in use yet."""

    async def test_the_first_key_of_a_ring_is_active(self, locked: Cipher) -> None:
        key = await locked.create_key(KeyRing(RING, 1))
        assert (1, KeyState.ACTIVE) == (key.version, key.state)

    async def test_a_further_key_is_staged(self, locked: Cipher, ring: KeyRing) -> None:
        key = await locked.create_key(ring)
        assert (2, KeyState.STAGED) == (key.version, key.state)

    @pytest.mark.parametrize("state", KeyState)
    async def test_a_new_key_is_one_above_the_highest(self, locked: Cipher, ring: KeyRing, state: KeyState) -> None:
        first = ring.keys[0]
        gaps = (attrs.evolve(first, version=7, state=state), attrs.evolve(first, version=3))
        assert 8 == (await locked.create_key(attrs.evolve(ring, keys=gaps))).version

    async def test_every_new_key_is_another(self, cipher: Cipher, locked: Cipher) -> None:
        await locked.unlock(await founded(locked))
        with pytest.raises(DecryptionFailed):
            locked.decrypt(cipher.encrypt(MESSAGE, context=PLACE), context=PLACE)

    async def test_no_key_is_made_for_a_recipient_that_cannot_be_used(self, locked: Cipher, ring: KeyRing) -> None:
        with pytest.raises(KeyUnavailable):
            await locked.create_key(attrs.evolve(ring, recovery=("no recipient at all",)))


class GrowthLaws(OpenedCiphers):
    """Keys come and go; messages open as long as their key may open them."""

    async def test_a_ring_is_authenticated_where_it_is_not_unlocked(
        self, cipher: Cipher, locked: Cipher, ring: KeyRing
    ) -> None:
        await cipher.unlock(await put(locked, ring))

    async def test_authenticating_changes_the_hash_key_and_the_mac_alone(self, locked: Cipher) -> None:
        ring = KeyRing(RING, 1, (await locked.create_key(KeyRing(RING, 1)),), recovery=("one",), epoch=2, version=3)
        assert ring == attrs.evolve(await locked.authenticate(ring), hash_key=b"", mac=b"")

    async def test_unlocking_twice_is_harmless(self, cipher: Cipher, ring: KeyRing) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        await cipher.unlock(ring)
        assert MESSAGE == cipher.decrypt(sealed, context=PLACE)

    async def test_old_messages_open_after_the_ring_has_grown(self, cipher: Cipher, ring: KeyRing) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        await cipher.unlock(await grown(cipher, ring))
        assert MESSAGE == cipher.decrypt(sealed, context=PLACE)

    async def test_new_messages_are_sealed_with_the_active_key(
        self, cipher: Cipher, locked: Cipher, ring: KeyRing
    ) -> None:
        larger = await grown(cipher, ring)
        await cipher.unlock(larger)
        await locked.unlock(await retired(cipher, larger))
        assert MESSAGE == locked.decrypt(cipher.encrypt(MESSAGE, context=PLACE), context=PLACE)

    async def test_a_staged_key_opens_messages(self, cipher: Cipher, locked: Cipher, ring: KeyRing) -> None:
        larger = await staged(cipher, ring)
        await cipher.unlock(larger)
        await locked.unlock(await activated(cipher, larger))
        assert MESSAGE == cipher.decrypt(locked.encrypt(MESSAGE, context=PLACE), context=PLACE)

    async def test_a_staged_key_does_not_seal(self, cipher: Cipher, locked: Cipher, ring: KeyRing) -> None:
        await locked.unlock(ring)
        await cipher.unlock(await staged(cipher, ring))
        assert MESSAGE == locked.decrypt(cipher.encrypt(MESSAGE, context=PLACE), context=PLACE)

    async def test_a_message_of_an_unknown_key_is_told_from_a_bad_one(
        self, cipher: Cipher, locked: Cipher, ring: KeyRing
    ) -> None:
        await locked.unlock(await grown(cipher, ring))
        with pytest.raises(KeyUnavailable):
            cipher.decrypt(locked.encrypt(MESSAGE, context=PLACE), context=PLACE)

    @_OUT_OF_USE
    async def test_a_key_out_of_use_opens_nothing(self, cipher: Cipher, ring: KeyRing, state: KeyState) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        larger = await grown(cipher, ring)
        await cipher.unlock(larger)
        await cipher.unlock(await retired(cipher, larger, state))
        with pytest.raises(KeyUnavailable):
            cipher.decrypt(sealed, context=PLACE)

    @_OUT_OF_USE
    @pytest.mark.parametrize("slots", [(), (KeySlot("garbage", b"garbage"),)], ids=["no slot", "garbage"])
    async def test_a_key_out_of_use_is_not_looked_at(
        self, locked: Cipher, ring: KeyRing, state: KeyState, slots: tuple[KeySlot, ...]
    ) -> None:
        larger = await retired(locked, await grown(locked, ring), state)
        await locked.unlock(await put(locked, with_key(larger, 1, slots=slots, check=b"")))
        assert MESSAGE == locked.decrypt(locked.encrypt(MESSAGE, context=PLACE), context=PLACE)

    async def test_another_ring_of_the_same_root_does_not_open_a_message(self, cipher: Cipher, locked: Cipher) -> None:
        await locked.unlock(await founded(locked, OTHER_RING))
        with pytest.raises(DecryptionFailed):
            locked.decrypt(cipher.encrypt(MESSAGE, context=PLACE), context=PLACE)


class SlotLaws(OpenedCiphers):
    """A key opens if one of its slots does."""

    async def test_one_slot_that_opens_is_enough(
        self, cipher_type: type[Cipher], options: Any, locked: Cipher, ring: KeyRing
    ) -> None:
        (good,) = ring.keys[0].slots
        for bad in await _bad_slots(locked, good):
            for slots in ((good, bad), (bad, good)):
                async with cipher_type.open(options, driver_context()) as fresh:  # it knows no key yet
                    await fresh.unlock(await put(locked, with_key(ring, 1, slots=slots)))

    async def test_no_slot_that_opens_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        for bad in await _bad_slots(locked, ring.keys[0].slots[0]):
            assert await refuses(locked, with_key(ring, 1, slots=(bad,)))

    async def test_a_key_without_a_slot_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        assert await refuses(locked, with_key(ring, 1, slots=()))


async def _bad_slots(cipher: Cipher, good: KeySlot) -> list[KeySlot]:
    """Return slots that do not hold the key: garbage under two names, and a key of the same ring and version."""
    another = await cipher.create_key(KeyRing(RING, 1))
    return [KeySlot("garbage", b"garbage"), attrs.evolve(good, blob=b"garbage"), *another.slots]
