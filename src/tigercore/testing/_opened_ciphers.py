"""Ciphers and rings to try the laws on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import attrs
import pytest

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeyState
from tigercore.ports import Cipher, NoOptions
from tigercore.testing._contract import Contract
from tigercore.testing.clock import driver_context

RING = UUID("7c1e4a52-7f0b-4a8e-9d2b-5f0f6f6f0a01")
OTHER_RING = UUID("7c1e4a52-7f0b-4a8e-9d2b-5f0f6f6f0a02")
PLACE = b"accounts/1/credentials"
MESSAGE = b"an entirely plain message"


class OpenedCiphers(Contract):
    """What the laws of a cipher are tried on. Override the four fixtures that raise; the others follow from them."""

    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        """Return the driver under test."""
        raise NotImplementedError("override the fixture cipher_type")

    @pytest.fixture
    def options(self) -> Any:
        """Return options whose root `create_root` makes or finds; the root need not be there yet."""
        raise NotImplementedError("override the fixture options")

    @pytest.fixture
    def other_options(self) -> Any:
        """Return the same for another root of the same kind."""
        raise NotImplementedError("override the fixture other_options")

    @pytest.fixture
    def unusable_options(self) -> Any:
        """Return options whose root is not there and cannot be made."""
        raise NotImplementedError("override the fixture unusable_options")

    @pytest.fixture
    async def locked(self, cipher_type: type[Cipher], options: Any) -> AsyncIterator[Cipher]:
        """Open the driver, and unlock no ring."""
        cipher_type.create_root(options)
        async with cipher_type.open(options, driver_context(seed=1)) as cipher:
            yield cipher

    @pytest.fixture
    async def ring(self, locked: Cipher) -> KeyRing:
        """Make a ring of one key, as the store keeps it."""
        return await founded(locked)

    @pytest.fixture
    async def cipher(self, cipher_type: type[Cipher], options: Any, ring: KeyRing) -> AsyncIterator[Cipher]:
        """Open the driver once more, and unlock the ring."""
        async with cipher_type.open(options, driver_context(seed=2)) as cipher:
            await cipher.unlock(ring)
            yield cipher

    @pytest.fixture
    async def stranger(self, cipher_type: type[Cipher], other_options: Any) -> AsyncIterator[Cipher]:
        """Open the driver on the other root, and unlock no ring."""
        cipher_type.create_root(other_options)
        async with cipher_type.open(other_options, driver_context(seed=3)) as cipher:
            yield cipher


# -- the life of a ring ------------------------------------------------------------------------------------


def stored(ring: KeyRing) -> KeyRing:
    """Return the ring as the store keeps it once it is put."""
    return attrs.evolve(ring, version=ring.version + 1)


async def put(cipher: Cipher, ring: KeyRing, **changes: Any) -> KeyRing:
    """Change a ring, authenticate it, and return what the store keeps."""
    return stored(await cipher.authenticate(attrs.evolve(ring, **changes)))


async def founded(cipher: Cipher, ring_id: UUID = RING) -> KeyRing:
    """Return a ring of one key."""
    ring = KeyRing(ring_id, 1)
    return await put(cipher, ring, keys=(await cipher.create_key(ring),))


async def staged(cipher: Cipher, ring: KeyRing) -> KeyRing:
    """Return the ring with one more key, which is STAGED."""
    return await put(cipher, ring, keys=(*ring.keys, await cipher.create_key(ring)))


async def activated(cipher: Cipher, ring: KeyRing) -> KeyRing:
    """Return a ring of two keys whose second seals, while its first still opens messages."""
    return await put(cipher, in_states(ring, {1: KeyState.DECRYPT, 2: KeyState.ACTIVE}), active=2)


async def grown(cipher: Cipher, ring: KeyRing) -> KeyRing:
    """Return a ring of one key with a second, which is activated."""
    return await activated(cipher, await staged(cipher, ring))


async def retired(cipher: Cipher, ring: KeyRing, state: KeyState = KeyState.RETIRED) -> KeyRing:
    """Return a ring of two keys whose first opens nothing any more."""
    return await put(cipher, in_states(ring, {1: state}), min_decrypt=2)


def in_states(ring: KeyRing, states: Mapping[int, KeyState]) -> KeyRing:
    """Return the ring with the keys of these versions in these states."""
    keys = tuple(attrs.evolve(key, state=states.get(key.version, key.state)) for key in ring.keys)
    return attrs.evolve(ring, keys=keys)


def with_key(ring: KeyRing, version: int, /, **changes: Any) -> KeyRing:
    """Return the ring with the key of this version changed."""
    keys = tuple(attrs.evolve(key, **changes) if key.version == version else key for key in ring.keys)
    return attrs.evolve(ring, keys=keys)


# -- what is expected of ciphers ---------------------------------------------------------------------------


def understand(one: Cipher, other: Cipher) -> bool:
    """Say whether each of two ciphers opens what the other seals."""
    here, there = (cipher.encrypt(MESSAGE, context=PLACE) for cipher in (one, other))
    return MESSAGE == one.decrypt(there, context=PLACE) == other.decrypt(here, context=PLACE)


async def refuses(cipher: Cipher, ring: KeyRing) -> bool:
    """Say whether a cipher neither authenticates nor unlocks a ring."""
    for attempt in (cipher.authenticate, cipher.unlock):
        try:
            await attempt(ring)
        except KeyUnavailable:
            continue
        return False
    return True


async def unlocks(cipher: Cipher, ring: KeyRing) -> bool:
    """Say whether a cipher unlocks a ring."""
    try:
        await cipher.unlock(ring)
    except KeyUnavailable:
        return False
    return True


def foreign_cipher() -> Cipher:
    """Return a cipher of a kind that shares no keys with any other."""
    kind: Any = type("ForeignCipher", (Cipher,), dict.fromkeys(Cipher.__abstractmethods__))
    opened: Cipher = kind(NoOptions(), driver_context())
    return opened


def flip(data: bytes, at: int) -> bytes:
    """Return the bytes with one bit of one of them changed."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)
