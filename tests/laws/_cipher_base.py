"""What the ciphers that are wrong on purpose have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import attrs
import pytest

from tigercore.model import KeyRing, KeyState, WrappedKey
from tigercore.ports import Cipher, DriverContext
from tigercore.testing._opened_ciphers import put
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.cipher import CipherContract


def laws(names: str) -> frozenset[str]:
    """Return the names of laws, which are given in one line."""
    return frozenset(names.split())


def keys_of(ring: KeyRing, change: Callable[[WrappedKey], WrappedKey]) -> KeyRing:
    """Return the ring with each key changed."""
    return attrs.evolve(ring, keys=tuple(change(key) for key in ring.keys))


def opening(ring: KeyRing) -> list[int]:
    """Return the versions of the keys that open messages."""
    return [key.version for key in ring.keys if key.state in (KeyState.STAGED, KeyState.ACTIVE, KeyState.DECRYPT)]


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

    async def adopt(self, ring: KeyRing) -> None:
        """Unlock a ring of which nobody has authenticated that it is as it is."""
        await self.toy.unlock(await put(self.toy, ring))

    async def create_key(self, ring: KeyRing) -> WrappedKey:
        return await self.toy.create_key(ring)

    async def authenticate(self, ring: KeyRing) -> KeyRing:
        return await self.toy.authenticate(ring)

    async def share(self, ring: KeyRing, other: Cipher) -> KeyRing:
        return await self.toy.share(ring, other.toy if isinstance(other, Right) else other)

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        return self.toy.encrypt(plaintext, context=context)

    def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
        return self.toy.decrypt(sealed, context=context)

    def key_of(self, sealed: bytes) -> int:
        return self.toy.key_of(sealed)

    def mac(self, data: bytes, *, purpose: str) -> bytes:
        return self.toy.mac(data, purpose=purpose)


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
