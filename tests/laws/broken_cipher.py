"""Ciphers that are wrong on purpose. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

import attrs
import pytest

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore.model import KeyRing, KeyState, WrappedKey
from tigercore.ports import Cipher, DriverContext
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.cipher import CipherContract


class Right(Cipher):
    """All of a toy cipher, to be broken in one place."""

    def __init__(self, options: Any, context: DriverContext) -> None:
        super().__init__(options, context)
        self.toy = ToyCipher(options, context)

    @classmethod
    def create_root(cls, options: Any) -> str:
        return ToyCipher.create_root(options)

    async def unlock(self, ring: KeyRing) -> None:
        await self.toy.unlock(ring)

    async def create_key(self, ring_id: UUID, version: int) -> WrappedKey:
        return await self.toy.create_key(ring_id, version)

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        return self.toy.encrypt(plaintext, context=context)

    def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
        return self.toy.decrypt(sealed, context=context)

    def mac(self, data: bytes, *, purpose: str) -> bytes:
        return self.toy.mac(data, purpose=purpose)


def _laws(names: str) -> frozenset[str]:
    return frozenset(names.split())


class Broken(CipherContract):
    Driver: ClassVar[type[Cipher]]
    breaks: ClassVar[frozenset[str]]

    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        return self.Driver

    @pytest.fixture
    def options(self) -> Any:
        return ToyOptions()

    @pytest.fixture
    def other_options(self) -> Any:
        return ToyOptions(root="another")

    @pytest.fixture
    def unusable_options(self) -> Any:
        return ToyOptions(root="")


def _keys(ring: KeyRing, change: Callable[[WrappedKey], WrappedKey]) -> KeyRing:
    return attrs.evolve(ring, keys=tuple(change(key) for key in ring.keys))


def _woken(key: WrappedKey) -> WrappedKey:
    return attrs.evolve(key, state=KeyState.ACTIVE) if key.state is KeyState.STAGED else key


def _sealing_with(ring: KeyRing, version: int) -> KeyRing:
    sealing = _keys(ring, lambda key: attrs.evolve(key, state=KeyState.ACTIVE) if key.version == version else key)
    return attrs.evolve(sealing, active=version)


def _opening(ring: KeyRing) -> list[int]:
    return [key.version for key in ring.keys if key.state in (KeyState.STAGED, KeyState.ACTIVE, KeyState.DECRYPT)]


# -- messages ----------------------------------------------------------------------------------------------


class TestChangesMessages(Broken):
    breaks = _laws(
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
    breaks = _laws(
        "test_a_message_opens_in_another_process_that_unlocks_the_ring test_a_staged_key_does_not_seal "
        "test_a_staged_key_opens_messages test_new_messages_are_sealed_with_the_active_key"
    )

    class Driver(Right):
        def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
            return super().encrypt(plaintext, context=context + id(self).to_bytes(8))

        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            return super().decrypt(sealed, context=context + id(self).to_bytes(8))


class TestKeepsTheMessageBesideItsSeal(Broken):
    breaks = _laws("test_sealed_bytes_do_not_hold_the_message")

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
    breaks = _laws("test_a_message_does_not_open_in_another_place test_errors_show_neither_message_nor_place")

    class Driver(Right):
        def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
            return super().encrypt(plaintext, context=b"")

        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            return super().decrypt(sealed, context=b"")


class TestIsLaxAtTheEdges(Broken):
    breaks = _laws("test_no_byte_may_be_flipped test_nothing_may_be_added test_nothing_may_be_cut_off")

    class Driver(Right):
        def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
            return b"?" + super().encrypt(plaintext, context=context) + b"."

        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            return super().decrypt(sealed[1:].rstrip(b"\0").removesuffix(b"."), context=context)


class TestReturnsWhatItDoesNotKnow(Broken):
    breaks = _laws(
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
    breaks = _laws(
        "test_a_locked_cipher_does_not_hash test_a_locked_cipher_does_not_open test_a_locked_cipher_does_not_seal"
    )

    class Driver(Right):
        def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
            return super().encrypt(plaintext, context=context) if self.toy._unlocked else b""

        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            return super().decrypt(sealed, context=context) if self.toy._unlocked else b""

        def mac(self, data: bytes, *, purpose: str) -> bytes:
            return super().mac(data, purpose=purpose) if self.toy._unlocked else bytes(32)


# -- rings -------------------------------------------------------------------------------------------------


class TestForgetsItsKeys(Broken):
    breaks = _laws(
        "test_a_failed_unlock_leaves_the_keys_in_use test_a_hash_differs_with_the_ring "
        "test_a_new_key_is_active_and_has_its_version test_a_staged_key_does_not_seal "
        "test_a_ring_whose_active_key_is_not_active_is_refused test_a_staged_key_opens_messages "
        "test_unlocking_twice_is_harmless"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            again, self.toy._unlocked = self.toy._unlocked, None
            if again is None or again.active != ring.active:
                await super().unlock(_keys(ring, _woken))

        async def create_key(self, ring_id: UUID, version: int) -> WrappedKey:
            return attrs.evolve(await super().create_key(ring_id, version), state=KeyState.STAGED)


class TestKeepsTheActiveKeyOnly(Broken):
    breaks = _laws(
        "test_a_hash_stays_the_same_while_the_ring_grows test_a_staged_key_opens_messages "
        "test_old_messages_open_after_the_ring_has_grown"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(attrs.evolve(ring, keys=tuple(key for key in ring.keys if key.version == ring.active)))


class TestSealsWithTheOldestKey(Broken):
    breaks = _laws(
        "test_a_message_of_an_unknown_key_is_told_from_a_bad_one test_new_messages_are_sealed_with_the_active_key"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(ring)
            await super().unlock(_sealing_with(ring, min(_opening(ring))))


class TestSealsWithTheNewestKey(Broken):
    breaks = _laws("test_a_staged_key_does_not_seal")

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(ring)
            await super().unlock(_sealing_with(ring, max(_opening(ring))))


class TestSealsWithAKeyThatMayOnlyOpen(Broken):
    breaks = _laws("test_a_ring_whose_active_key_is_not_active_is_refused")

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(_sealing_with(ring, ring.active) if ring.active in _opening(ring) else ring)


class TestCallsAnUnknownKeyABadMessage(Broken):
    breaks = _laws(
        "test_a_key_out_of_use_opens_nothing test_a_locked_cipher_does_not_open "
        "test_a_message_of_an_unknown_key_is_told_from_a_bad_one"
    )

    class Driver(Right):
        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            try:
                return super().decrypt(sealed, context=context)
            except KeyUnavailable as error:
                raise DecryptionFailed(str(error)) from None


class TestUsesEveryKey(Broken):
    breaks = _laws(
        "test_a_destroyed_key_does_not_stop_the_others test_a_key_out_of_use_opens_nothing "
        "test_a_ring_whose_active_key_is_not_active_is_refused test_a_ring_whose_active_key_is_retired_is_refused"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(_keys(ring, lambda key: attrs.evolve(key, state=KeyState.ACTIVE)))


class TestHasOneRing(Broken):
    breaks = _laws(
        "test_a_hash_differs_with_the_ring test_a_key_of_another_ring_is_refused "
        "test_another_ring_of_the_same_root_does_not_open_a_message test_every_new_key_is_another"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(attrs.evolve(ring, id=UUID(int=1)))

        async def create_key(self, ring_id: UUID, version: int) -> WrappedKey:
            self.context.rng.seed(version)
            return await super().create_key(UUID(int=1), version)


class TestHasOneRoot(Broken):
    breaks = _laws("test_a_root_that_is_not_there_makes_no_key test_another_root_does_not_unlock")

    class Driver(Right):
        def __init__(self, options: Any, context: DriverContext) -> None:
            super().__init__(ToyOptions(), context)


class TestIsLaxWithKeys(Broken):
    breaks = _laws(
        "test_a_cut_key_is_refused test_a_key_that_does_not_pass_its_check_is_refused "
        "test_a_ring_without_its_active_key_is_refused test_a_tampered_key_is_refused test_swapped_keys_are_refused"
    )

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            ring = _keys(ring, lambda key: attrs.evolve(key, blob=key.blob[1:].removesuffix(b".")))
            ring = _keys(ring, lambda key: attrs.evolve(key, check=key.blob[-32:], blob=key.blob[:-32]))
            swapped = zip(ring.keys, reversed(ring.keys), strict=True)
            versions = [key.version for key in ring.keys]
            try:
                await super().unlock(ring if ring.active in versions else attrs.evolve(ring, active=versions[0]))
            except KeyUnavailable:
                keys = tuple(attrs.evolve(key, version=other.version, state=other.state) for key, other in swapped)
                await super().unlock(attrs.evolve(ring, keys=keys))

        async def create_key(self, ring_id: UUID, version: int) -> WrappedKey:
            key = await super().create_key(ring_id, version)
            return attrs.evolve(key, blob=b"?" + key.blob + key.check + b".")


# -- hashes, roots, secrecy --------------------------------------------------------------------------------


class TestHashesAreShortAndAlike(Broken):
    breaks = _laws(
        "test_a_hash_differs_with_the_data test_a_hash_differs_with_the_purpose test_a_hash_differs_with_the_ring "
        "test_a_hash_has_sixteen_bytes_or_more"
    )

    class Driver(Right):
        def mac(self, data: bytes, *, purpose: str) -> bytes:
            super().mac(data, purpose=purpose)
            return bytes(8)


class TestHashesAreNeverTheSame(Broken):
    breaks = _laws(
        "test_a_hash_is_the_same_for_the_same_data test_a_hash_is_the_same_in_another_process "
        "test_a_hash_stays_the_same_while_the_ring_grows"
    )

    class Driver(Right):
        def mac(self, data: bytes, *, purpose: str) -> bytes:
            return super().mac(data, purpose=purpose) + os.urandom(16)


class TestForgetsItsRoot(Broken):
    breaks = _laws(
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


class TestTellsWhatItKnows(Broken):
    breaks = _laws("test_errors_show_neither_message_nor_place test_the_repr_shows_neither_message_nor_place")

    class Driver(Right):
        last = b""

        def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
            try:
                self.last = super().decrypt(sealed, context=context)
            except DecryptionFailed as error:
                raise DecryptionFailed(f"{context!r}: {error}") from error
            return self.last

        def __repr__(self) -> str:
            return f"<cipher of {self.last!r}>"
