"""Ciphers and rings to try the laws on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import attrs
import pytest

from tigercore.model import KeyRing, KeyState, WrappedKey
from tigercore.ports import Cipher
from tigercore.testing._contract import Contract
from tigercore.testing.clock import driver_context

RING = UUID("7c1e4a52-7f0b-4a8e-9d2b-5f0f6f6f0a01")
OTHER_RING = UUID("7c1e4a52-7f0b-4a8e-9d2b-5f0f6f6f0a02")


class OpenedCiphers(Contract):
    """What the laws of a cipher are tried on. Override the four fixtures that raise; the others follow from them."""

    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        """Return the driver under test."""
        raise NotImplementedError

    @pytest.fixture
    def options(self) -> Any:
        """Return options whose root `create_root` makes or finds; the root need not be there yet."""
        raise NotImplementedError

    @pytest.fixture
    def other_options(self) -> Any:
        """Return the same for another root."""
        raise NotImplementedError

    @pytest.fixture
    def unusable_options(self) -> Any:
        """Return options whose root is not there and cannot be made."""
        raise NotImplementedError

    @pytest.fixture
    async def locked(self, cipher_type: type[Cipher], options: Any) -> AsyncIterator[Cipher]:
        """Open the driver, and unlock no ring."""
        cipher_type.create_root(options)
        async with cipher_type.open(options, driver_context(seed=1)) as cipher:
            yield cipher

    @pytest.fixture
    async def ring(self, locked: Cipher) -> KeyRing:
        """Make a ring of one key."""
        return ring_of(await locked.create_key(RING, 1))

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


def ring_of(*keys: WrappedKey) -> KeyRing:
    """Return a ring of these keys; the first of several is active."""
    return KeyRing(RING, 1 if len(keys) > 1 else keys[0].version, keys)


async def grown(cipher: Cipher, ring: KeyRing, old: KeyState = KeyState.DECRYPT) -> KeyRing:
    """Return the ring with a second key, which is active, and its first in another state."""
    keys = (in_state(old, ring.keys[0]), await cipher.create_key(ring.id, 2))
    return attrs.evolve(ring, active=2, keys=keys, version=ring.version + 1)


def in_state(state: KeyState, key: WrappedKey) -> WrappedKey:
    """Return the key in another state."""
    return attrs.evolve(key, state=state)
