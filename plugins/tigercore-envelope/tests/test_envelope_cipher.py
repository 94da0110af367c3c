"""The cipher that all roots share: what it asks its root, and what it tells of a ring that does not open."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar, final
from uuid import UUID

import attrs
import pytest

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore.model import KeyRing, KeySlot, KeyState
from tigercore.ports import Cipher
from tigercore.testing.cipher import CipherContract
from tigercore.testing.clock import driver_context
from tigercore_envelope import EnvelopeCipher, Kek, Malformed, Root, UnwrapFailed, lp, seal, unseal

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
        return seal(self._kek, key, _bound(context))

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        self.asked.append(dict(context))
        if not self.reachable:
            raise KeyUnavailable("the root was closed down")
        try:
            return unseal(wrapped, {0: self._kek}, _bound(context))
        except DecryptionFailed as error:
            raise UnwrapFailed("not wrapped here") from error

    def identity(self) -> str:
        return f"memory:{self.name}"


def _bound(context: Mapping[str, str]) -> bytes:
    return lp(*(value.encode() for value in context.values()))


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


def _on(root: Root) -> MemoryCipher:
    return MemoryCipher(None, driver_context(), root)


@pytest.fixture
def cipher(root: MemoryRoot) -> MemoryCipher:
    return _on(root)


async def _put(cipher: Cipher, ring: KeyRing, **changes: Any) -> KeyRing:
    """Change a ring, and return it as a store keeps it."""
    ready = await cipher.authenticate(attrs.evolve(ring, **changes))
    return attrs.evolve(ready, version=ring.version + 1)


async def _ring(cipher: Cipher, ring_id: UUID = _RING) -> KeyRing:
    ring = KeyRing(ring_id, 1)
    return await _put(cipher, ring, keys=(await cipher.create_key(ring),))


async def _grown(cipher: Cipher, ring: KeyRing) -> KeyRing:
    return await _put(cipher, ring, keys=(*ring.keys, await cipher.create_key(ring)))


async def _turned(cipher: Cipher, ring: KeyRing, *states: KeyState) -> KeyRing:
    keys = tuple(attrs.evolve(key, state=state) for key, state in zip(ring.keys, states, strict=True))
    return await _put(cipher, ring, keys=keys, active=2)


async def _refused(cipher: Cipher, ring: KeyRing) -> str:
    with pytest.raises(KeyUnavailable) as caught:
        await cipher.unlock(ring)
    return str(caught.value)


# -- what the root is asked --------------------------------------------------------------------------------


async def test_the_root_is_told_which_key_it_unwraps(cipher: MemoryCipher, root: MemoryRoot) -> None:
    await cipher.authenticate(await _ring(cipher))
    assert [{"app": "tigercore", "keyring": str(_RING), "kek": "1"}] * 2 == root.asked


async def test_a_key_says_which_root_wrapped_it(cipher: MemoryCipher) -> None:
    assert ["memory:one"] == [slot.provider for slot in (await _ring(cipher)).keys[0].slots]


async def test_the_root_is_asked_once_for_each_key(cipher: MemoryCipher, root: MemoryRoot) -> None:
    ring = await _ring(cipher)
    root.asked.clear()
    await cipher.unlock(ring)
    larger = await _grown(cipher, ring)
    await cipher.unlock(larger)
    await cipher.unlock(await _put(cipher, larger))
    assert ["1", "2", "2"] == [context["kek"] for context in root.asked]  # 2: when it was put, and when it was opened


async def test_a_cipher_that_is_open_seals_opens_and_hashes_without_its_root(
    cipher: MemoryCipher, root: MemoryRoot
) -> None:
    ring = await _grown(cipher, await _ring(cipher))
    await cipher.unlock(ring)
    sealed, hashed = cipher.encrypt(b"x", context=b""), cipher.mac(b"x", purpose="index")
    root.reachable = False
    assert (b"x", hashed) == (cipher.decrypt(sealed, context=b""), cipher.mac(b"x", purpose="index"))


async def test_a_ring_turns_without_the_root(cipher: MemoryCipher, root: MemoryRoot) -> None:
    ring = await _grown(cipher, await _ring(cipher))
    await cipher.unlock(ring)
    root.reachable = False
    turned = await _turned(cipher, ring, KeyState.DECRYPT, KeyState.ACTIVE)
    await cipher.unlock(turned)
    await cipher.unlock(await _turned(cipher, turned, KeyState.RETIRED, KeyState.ACTIVE))
    assert 2 == cipher.key_of(cipher.encrypt(b"x", context=b""))


async def test_a_ring_whose_slots_are_all_of_another_root_unlocks_where_it_is_open(
    cipher: MemoryCipher, root: MemoryRoot
) -> None:
    ring, other = await _ring(cipher), _on(MemoryRoot("two"))
    await cipher.unlock(ring)
    shared = (await cipher.share(ring, other)).keys[0]
    moved = await _put(other, ring, keys=(attrs.evolve(shared, slots=shared.slots[1:]),))
    root.asked.clear()
    await cipher.unlock(moved)
    assert [] == root.asked
    assert "give the root that made the ring" in await _refused(_on(root), moved)


async def test_a_retired_key_that_comes_back_is_asked_for_again(cipher: MemoryCipher, root: MemoryRoot) -> None:
    both = await _grown(cipher, await _ring(cipher))
    await cipher.unlock(both)
    turned = await _turned(cipher, both, KeyState.DECRYPT, KeyState.ACTIVE)
    await cipher.unlock(await _turned(cipher, turned, KeyState.RETIRED, KeyState.ACTIVE))
    root.asked.clear()
    await cipher.unlock(turned)
    assert ["1"] == [context["kek"] for context in root.asked]


async def test_a_key_in_use_is_not_taken_for_another_of_its_version(cipher: MemoryCipher, root: MemoryRoot) -> None:
    await cipher.unlock(await _ring(cipher))
    another, stranger = await _ring(cipher), _on(root)
    await cipher.unlock(another)
    await stranger.unlock(another)
    assert b"x" == stranger.decrypt(cipher.encrypt(b"x", context=b""), context=b"")


async def test_a_key_in_use_is_not_taken_over_into_another_ring(cipher: MemoryCipher) -> None:
    ring = await _ring(cipher)
    await cipher.unlock(ring)
    assert "not wrapped here" in await _refused(cipher, attrs.evolve(ring, id=UUID(int=6)))


# -- what it tells of a ring that does not open ------------------------------------------------------------


async def test_another_root_is_named_beside_the_one_that_is_needed(cipher: MemoryCipher) -> None:
    said = await _refused(_on(MemoryRoot("two")), await _ring(cipher))
    start = "key 1 of the ring, wrapped by memory:one, does not open with memory:two: not wrapped here; "
    assert start + "give the root that made the ring" == said


async def test_a_damaged_key_says_to_restore_the_ring(cipher: MemoryCipher) -> None:
    ring = await _ring(cipher)
    said = await _refused(cipher, attrs.evolve(ring, keys=(attrs.evolve(ring.keys[0], check=bytes(16)),)))
    assert said.endswith("it does not pass its check; restore the key ring from a backup")


@pytest.mark.parametrize("size", [0, 31, 33])
async def test_a_root_that_answers_with_another_size_is_refused(
    root: MemoryRoot, cipher: MemoryCipher, size: int
) -> None:
    ring = await _ring(cipher)
    blob = await root.wrap(bytes(size), {"app": "tigercore", "keyring": str(_RING), "kek": "1"})
    key = attrs.evolve(ring.keys[0], slots=(KeySlot("memory:one", blob),))
    assert "does not pass its check" in await _refused(cipher, attrs.evolve(ring, keys=(key,)))


async def test_a_ring_that_was_changed_takes_no_effect(cipher: MemoryCipher) -> None:
    ring = await _grown(cipher, await _ring(cipher))
    await cipher.unlock(ring)
    turned = await _turned(cipher, ring, KeyState.DECRYPT, KeyState.ACTIVE)
    assert "changed by something else" in await _refused(cipher, attrs.evolve(turned, epoch=9))
    assert 1 == cipher.key_of(cipher.encrypt(b"x", context=b""))


async def test_garbage_is_malformed(cipher: MemoryCipher) -> None:
    await cipher.unlock(await _ring(cipher))
    with pytest.raises(Malformed):
        cipher.decrypt(b"garbage", context=b"")
