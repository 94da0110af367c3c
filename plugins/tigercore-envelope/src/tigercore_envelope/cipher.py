"""The cipher that all roots share."""

from __future__ import annotations

import hmac
import os
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self
from uuid import UUID

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeyState, WrappedKey
from tigercore.ports import Cipher, DriverContext
from tigercore_envelope.kek import SIZE, Kek
from tigercore_envelope.ring import UnlockedRing
from tigercore_envelope.root import Root

_OPENING = frozenset({KeyState.STAGED, KeyState.ACTIVE, KeyState.DECRYPT})


class EnvelopeCipher(Cipher):
    """Seal messages in TGC1 envelopes, under keys that a root wraps.

    A cipher of your own says which root its options name (`open_root`) and how it is made (`create_root`).
    The root is asked once for each key: if it goes away later, sealing and opening go on.
    """

    def __init__(self, options: Any, context: DriverContext, root: Root) -> None:
        super().__init__(options, context)
        self._root = root
        self._ring: UnlockedRing | None = None
        self._wrapped: dict[int, WrappedKey] = {}

    @classmethod
    @abstractmethod
    def open_root(cls, options: Any) -> AbstractAsyncContextManager[Root]:
        """Open the root that the options name, for as long as the cipher is open.

        :raises KeyUnavailable: it is not there; the message says how to make it.
        """

    @classmethod
    @asynccontextmanager
    async def open(cls, options: Any, context: DriverContext) -> AsyncIterator[Self]:
        """Open the root, and a cipher on it that is still locked.

        :raises KeyUnavailable: the root is not there.
        """
        async with cls.open_root(options) as root:
            yield cls(options, context, root)

    async def unlock(self, ring: KeyRing) -> None:
        """Unwrap those keys of the ring that are not in use yet.

        :raises KeyUnavailable: the root does not open them, or the one that seals is not there or not ACTIVE.
        """
        opening = {key.version: key for key in ring.keys if key.state in _OPENING}
        keks = {
            version: self._known(ring.id, key) or await self._unwrap(ring.id, key) for version, key in opening.items()
        }
        self._ring, self._wrapped = UnlockedRing.of(ring, keks), opening

    async def create_key(self, ring_id: UUID, version: int) -> WrappedKey:
        """Make a key from the system's randomness and wrap it.

        :raises KeyUnavailable: the root cannot be reached.
        """
        key = os.urandom(SIZE)
        blob = await self._root.wrap(key, _context(ring_id, version))
        return WrappedKey(version, KeyState.ACTIVE, self._root.identity(), blob, Kek(version, key).check())

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        """Seal a message.

        :raises KeyUnavailable: no ring was unlocked.
        """
        return self._unlocked().seal(plaintext, context)

    def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
        """Open a message.

        :raises DecryptionFailed: as `Malformed`, `WrongKeyOrContext` or `Tampered`.
        :raises KeyUnavailable: no ring was unlocked, or it does not have the key.
        """
        return self._unlocked().unseal(sealed, context)

    def mac(self, data: bytes, *, purpose: str) -> bytes:
        """Return HMAC-SHA256 of the data, 32 bytes; the same until the lowest key of the ring is retired.

        :raises KeyUnavailable: no ring was unlocked.
        """
        return self._unlocked().mac(data, purpose)

    def _unlocked(self) -> UnlockedRing:
        if self._ring is None:
            raise KeyUnavailable("the cipher is locked: unlock the key ring of the store first")
        return self._ring

    def _known(self, ring_id: UUID, key: WrappedKey) -> Kek | None:
        known = self._wrapped.get(key.version)
        if self._ring is None or self._ring.id != ring_id or known is None:
            return None
        return self._ring.keks[key.version] if (known.blob, known.check) == (key.blob, key.check) else None

    async def _unwrap(self, ring_id: UUID, key: WrappedKey) -> Kek:
        try:
            opened = await self._root.unwrap(key.blob, _context(ring_id, key.version))
        except KeyUnavailable as error:
            raise KeyUnavailable(self._refusal(key, str(error))) from error
        if len(opened) != SIZE or not hmac.compare_digest(Kek(key.version, opened).check(), key.check):
            raise KeyUnavailable(self._refusal(key, "it does not pass its check"))
        return Kek(key.version, opened)

    def _refusal(self, key: WrappedKey, why: str) -> str:
        here = self._root.identity()
        advice = "restore the key ring from a backup" if key.provider == here else "give the root that made the ring"
        return f"key {key.version} of the ring, wrapped by {key.provider}, does not open with {here}: {why}; {advice}"


def _context(ring_id: UUID, version: int) -> dict[str, str]:
    return {"app": "tigercore", "keyring": str(ring_id), "kek": str(version)}
