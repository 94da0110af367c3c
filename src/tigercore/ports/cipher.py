"""The port to what seals secrets."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from tigercore.model import KeyRing, WrappedKey
from tigercore.ports._driver import Driver


class Cipher(Driver):
    """Seal and open secrets under the keys of a ring. Two tiers: a root wraps the keys, the keys seal messages.

    No error of a cipher shows plaintext, key material or the context. Opening a cipher whose root is not there raises
    `KeyUnavailable`, then or when the root is first used. A process that is forked off has no keys: everything that
    needs one raises `KeyUnavailable` there until it unlocks a ring itself; the one that forks keeps them.
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
        """Unwrap the keys of the ring and use them from now on; called again when the ring has changed.

        A key that is in use, as its check tells, is not unwrapped again: a cipher that is open outlives its root.

        STAGED, ACTIVE and DECRYPT keys open messages, `ring.active` seals them; RETIRED and DESTROYED keys are not
        looked at. One slot that opens is enough for a key. If it fails or is cancelled, the keys that were in
        use stay in use.

        :raises KeyUnavailable: the root cannot be reached, it is not one of those that wrapped this ring, a key is
            not the one that was made for this ring and version, the state of `ring.active` is not ACTIVE, a key that
            opens messages is below `ring.min_decrypt`, or `ring.mac` does not fit: anything in the ring was changed.
        """

    @abstractmethod
    async def create_key(self, ring: KeyRing) -> WrappedKey:
        """Make a new random key for the ring, one version above its highest, wrapped here and for `ring.recovery`.

        It is ACTIVE if it is the ring's first, else STAGED.

        :raises KeyUnavailable: the root cannot be reached, or a recovery recipient cannot be used.
        """

    @abstractmethod
    async def authenticate(self, ring: KeyRing) -> KeyRing:
        """Return the ring as it may be put: with `hash_key` and `mac` as they must be one version further.

        It need not be unlocked here. A ring without a hash key is given a new one.

        :raises KeyUnavailable: as `unlock`, but for the `mac`; or `hash_key` does not open with a key of the ring.
        """

    @abstractmethod
    async def share(self, ring: KeyRing, other: Cipher) -> KeyRing:
        """Return the ring with every key that has slots wrapped under the root of `other` as well, ready to be put.

        The slot of `other` stands last in each key, in the place of one that it had before.

        :raises KeyUnavailable: one of the roots cannot be reached, or does not open what it wrapped; or `other` is
            no cipher that shares this one's keys.
        """

    @abstractmethod
    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        """Seal a message for one place, named by `context`; equal messages give different bytes.

        What it returns is as noise but for a short header: it does not shrink, and holds the message in no writing.

        :raises KeyUnavailable: no ring was unlocked.
        """

    @abstractmethod
    def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
        """Open what was sealed for this very place. Never None, never its input.

        :raises DecryptionFailed: these bytes were not sealed here, or not for this context.
        :raises KeyUnavailable: the key that sealed them is not in the ring.
        """

    @abstractmethod
    def key_of(self, sealed: bytes) -> int:
        """Return the version of the key that sealed a message, without opening it.

        :raises DecryptionFailed: these bytes are no message.
        """

    @abstractmethod
    def mac(self, data: bytes, *, purpose: str) -> bytes:
        """Return a keyed hash, 16 bytes or more, that is the same for the same data, purpose and ring.

        It stays the same for the life of the ring, whichever keys come and go.

        :raises KeyUnavailable: no ring was unlocked.
        """
