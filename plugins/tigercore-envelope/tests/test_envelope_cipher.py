from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, final
from uuid import UUID

import attrs
import pytest

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore.model import KeyRing, KeyState, WrappedKey
from tigercore.ports import Cipher
from tigercore.testing.cipher import CipherContract
from tigercore.testing.clock import driver_context
from tigercore_envelope import EnvelopeCipher, Kek, Malformed, Root, lp, seal, unseal

_RING = UUID(int=5)


@final
class MemoryRoot(Root):
    """A third party's root, as short as one can be; it can be switched off."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[dict[str, str]] = []
        self.reachable = True
        self._kek = Kek(0, hashlib.sha256(name.encode()).digest())

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        return seal(self._kek, key, lp(*(value.encode() for value in context.values())))

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        self.asked.append(dict(context))
        if not self.reachable:
            raise KeyUnavailable("the root does not answer")
        try:
            return unseal(wrapped, {0: self._kek}, lp(*(value.encode() for value in context.values())))
        except DecryptionFailed as error:
            raise KeyUnavailable("not wrapped here") from error

    def identity(self) -> str:
        return f"memory:{self.name}"


@final
@attrs.frozen
class MemoryOptions:
    name: str


@final
class MemoryCipher(EnvelopeCipher):
    Options: ClassVar[type] = MemoryOptions

    @classmethod
    def create_root(cls, options: MemoryOptions) -> str:
        if not options.name:
            raise KeyUnavailable("give the root a name")
        return "The root is its name; nothing was made."

    @classmethod
    @asynccontextmanager
    async def open_root(cls, options: MemoryOptions) -> AsyncIterator[Root]:
        cls.create_root(options)
        yield MemoryRoot(options.name)


class TestAThirdPartysCipherKeepsTheLaws(CipherContract):
    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        return MemoryCipher

    @pytest.fixture
    def options(self) -> Any:
        return MemoryOptions("one")

    @pytest.fixture
    def other_options(self) -> Any:
        return MemoryOptions("two")

    @pytest.fixture
    def unusable_options(self) -> Any:
        return MemoryOptions("")


@pytest.fixture
def root() -> MemoryRoot:
    return MemoryRoot("one")


@pytest.fixture
def cipher(root: MemoryRoot) -> MemoryCipher:
    return MemoryCipher(MemoryOptions("one"), driver_context(), root)


async def _ring(cipher: Cipher, versions: int = 1) -> KeyRing:
    return KeyRing(_RING, 1, tuple([await cipher.create_key(_RING, v) for v in range(1, versions + 1)]))


async def test_the_root_is_told_which_key_it_unwraps(cipher: MemoryCipher, root: MemoryRoot) -> None:
    await cipher.unlock(await _ring(cipher))
    assert [{"app": "tigercore", "keyring": str(_RING), "kek": "1"}] == root.asked


async def test_a_key_says_which_root_wrapped_it(cipher: MemoryCipher) -> None:
    assert "memory:one" == (await cipher.create_key(_RING, 1)).provider


async def test_the_root_is_asked_once_for_each_key(cipher: MemoryCipher, root: MemoryRoot) -> None:
    ring = await _ring(cipher, 2)
    await cipher.unlock(attrs.evolve(ring, keys=ring.keys[:1]))
    await cipher.unlock(ring)
    await cipher.unlock(ring)
    assert ["1", "2"] == [context["kek"] for context in root.asked]


async def test_a_key_changes_its_state_without_the_root(cipher: MemoryCipher, root: MemoryRoot) -> None:
    ring = await _ring(cipher, 2)
    await cipher.unlock(ring)
    root.reachable = False
    await cipher.unlock(attrs.evolve(ring, active=2, keys=(_retired(ring.keys[0]), ring.keys[1])))
    assert b"x" == cipher.decrypt(cipher.encrypt(b"x", context=b""), context=b"")


async def test_a_retired_key_that_comes_back_is_asked_for_again(cipher: MemoryCipher, root: MemoryRoot) -> None:
    ring = await _ring(cipher, 2)
    await cipher.unlock(ring)
    await cipher.unlock(attrs.evolve(ring, active=2, keys=(_retired(ring.keys[0]), ring.keys[1])))
    await cipher.unlock(ring)
    assert ["1", "2", "1"] == [context["kek"] for context in root.asked]


async def test_a_key_that_was_replaced_in_the_store_is_not_taken_for_the_known_one(cipher: MemoryCipher) -> None:
    ring = await _ring(cipher)
    await cipher.unlock(ring)
    with pytest.raises(KeyUnavailable):
        await cipher.unlock(attrs.evolve(ring, keys=(attrs.evolve(ring.keys[0], blob=b"another"),)))


async def test_a_known_key_is_not_taken_over_into_another_ring(cipher: MemoryCipher) -> None:
    ring = await _ring(cipher)
    await cipher.unlock(ring)
    with pytest.raises(KeyUnavailable):
        await cipher.unlock(attrs.evolve(ring, id=UUID(int=6)))


async def test_another_root_is_named_beside_the_one_that_is_needed(cipher: MemoryCipher) -> None:
    stranger = MemoryCipher(MemoryOptions("two"), driver_context(), MemoryRoot("two"))
    with pytest.raises(KeyUnavailable, match=r"wrapped by memory:one, does not open with memory:two.*give the root"):
        await stranger.unlock(await _ring(cipher))


async def test_a_damaged_key_says_to_restore_the_ring(cipher: MemoryCipher) -> None:
    ring = await _ring(cipher)
    with pytest.raises(KeyUnavailable, match="restore the key ring from a backup"):
        await cipher.unlock(attrs.evolve(ring, keys=(attrs.evolve(ring.keys[0], check=bytes(16)),)))


async def test_a_root_that_answers_with_another_size_is_refused(root: MemoryRoot, cipher: MemoryCipher) -> None:
    blob = await root.wrap(b"short", {"app": "tigercore", "keyring": str(_RING), "kek": "1"})
    with pytest.raises(KeyUnavailable, match="does not pass its check"):
        await cipher.unlock(KeyRing(_RING, 1, (WrappedKey(1, KeyState.ACTIVE, "memory:one", blob, bytes(16)),)))


async def test_a_message_is_bound_to_its_ring_and_its_place(root: MemoryRoot, cipher: MemoryCipher) -> None:
    ring = await _ring(cipher)
    await cipher.unlock(ring)
    key = await root.unwrap(ring.keys[0].blob, {"app": "tigercore", "keyring": str(_RING), "kek": "1"})
    sealed = cipher.encrypt(b"secret", context=b"place")
    assert b"secret" == unseal(sealed, {1: Kek(1, key)}, lp(b"tigercore.ctx.1", _RING.bytes, b"place"))


async def test_garbage_is_malformed(cipher: MemoryCipher) -> None:
    await cipher.unlock(await _ring(cipher))
    with pytest.raises(Malformed):
        cipher.decrypt(b"garbage", context=b"")


async def test_the_unlocked_ring_shows_no_key(cipher: MemoryCipher) -> None:
    await cipher.unlock(await _ring(cipher))
    assert "keks={1: <Kek 1>}" in repr(cipher._ring)


def _retired(key: WrappedKey) -> WrappedKey:
    return attrs.evolve(key, state=KeyState.RETIRED)
