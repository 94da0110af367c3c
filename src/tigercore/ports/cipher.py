"""The port to what seals secrets."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any
from uuid import UUID

from tigercore.model import KeyRing, WrappedKey
from tigercore.ports._driver import Driver


class Cipher(Driver):
    """Seal and open secrets under the keys of a ring. Two tiers: a root wraps the keys, the keys seal messages.

    No error of a cipher shows plaintext, key material or the context. Opening a cipher whose root is not there raises
    `KeyUnavailable`, then or when the root is first used.
    """

    @classmethod
    @abstractmethod
    def create_root(cls, options: Any) -> str:
        """Make the root that the options name if it is not there, and say in one sentence what was made or found.

        What is there is never overwritten: it may be the only way to the secrets. For the operator, once; it may block.

        :raises KeyUnavailable: there is no root and none can be made, or what is there is not one.
        """

    @abstractmethod
    async def unlock(self, ring: KeyRing) -> None:
        """Unwrap the keys of the ring and use them from now on; called again when the ring has grown.

        STAGED, ACTIVE and DECRYPT keys open messages, `ring.active` seals them; RETIRED and DESTROYED keys are not
        looked at. If it fails, the keys that were in use stay in use.

        :raises KeyUnavailable: the root cannot be reached, it is not the one that wrapped this ring, a key is not the
            one that was made for this ring and version, or the state of `ring.active` is not ACTIVE.
        """

    @abstractmethod
    async def create_key(self, ring_id: UUID, version: int) -> WrappedKey:
        """Make a new random key for the ring and return it wrapped and active.

        :raises KeyUnavailable: the root cannot be reached.
        """

    @abstractmethod
    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        """Seal a message for one place, named by `context`; equal messages give different bytes.

        :raises KeyUnavailable: no ring was unlocked.
        """

    @abstractmethod
    def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
        """Open what was sealed for this very place. Never None, never its input.

        :raises DecryptionFailed: these bytes were not sealed here, or not for this context.
        :raises KeyUnavailable: the key that sealed them is not in the ring.
        """

    @abstractmethod
    def mac(self, data: bytes, *, purpose: str) -> bytes:
        """Return a keyed hash, 16 bytes or more, that is the same for the same data, purpose and ring.

        It stays the same while the ring grows.

        :raises KeyUnavailable: no ring was unlocked.
        """
