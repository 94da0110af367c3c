"""A cipher made of hashes alone, for tests: it keeps the laws, and it protects nothing."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, ClassVar, final
from uuid import UUID

import attrs

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore.model import KeyRing, KeyState, WrappedKey
from tigercore.ports import Cipher

_MAGIC = b"TOY!"
_OPENING = frozenset({KeyState.STAGED, KeyState.ACTIVE, KeyState.DECRYPT})


@final
@attrs.frozen
class ToyOptions:
    """The options of `ToyCipher`: any text but the empty one is a root."""

    root: str = "toy"


@final
@attrs.frozen
class _Unlocked:
    ring: UUID
    active: int
    keys: Mapping[int, bytes] = attrs.field(repr=False)


@final
class ToyCipher(Cipher):
    """Keep the laws of a cipher with the standard library alone. For tests: it has no entry point."""

    Options: ClassVar[type] = ToyOptions

    _unlocked: _Unlocked | None = None

    @classmethod
    def create_root(cls, options: Any) -> str:
        """Find the root in the options: there is nothing to make.

        :raises KeyUnavailable: it is empty.
        """
        _root_key(options)
        return "The root is the text in the options; nothing was made."

    async def unlock(self, ring: KeyRing) -> None:
        """Unwrap the keys of the ring.

        :raises KeyUnavailable: another root wrapped them, or the one that seals is not there or not ACTIVE.
        """
        keys = {key.version: self._unwrap(ring.id, key) for key in ring.keys if key.state in _OPENING}
        if ring.active not in [key.version for key in ring.keys if key.state is KeyState.ACTIVE]:
            raise KeyUnavailable(f"key {ring.active} of the ring is to seal, but is not active")
        self._unlocked = _Unlocked(ring.id, ring.active, keys)

    async def create_key(self, ring_id: UUID, version: int) -> WrappedKey:
        """Make a key from the test's randomness.

        :raises KeyUnavailable: the root is empty.
        """
        key = self.context.rng.randbytes(32)
        blob = _seal(_root_key(self.options), key, _place(ring_id, version), self.context.rng.randbytes(16))
        return WrappedKey(version, KeyState.ACTIVE, "toy", blob, _hash(key, b"check"))

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        """Seal a message.

        :raises KeyUnavailable: no ring was unlocked.
        """
        unlocked = self._require()
        key = unlocked.keys[unlocked.active]
        sealed = _seal(key, plaintext, unlocked.ring.bytes + context, self.context.rng.randbytes(16))
        return _MAGIC + unlocked.active.to_bytes(4) + sealed

    def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
        """Open a message.

        :raises DecryptionFailed: it was not sealed here, or not for this context.
        :raises KeyUnavailable: its key is not in the ring.
        """
        unlocked = self._require()
        if sealed[:4] != _MAGIC or len(sealed) < 56:
            raise DecryptionFailed("this is not a sealed message")
        version = int.from_bytes(sealed[4:8])
        if version not in unlocked.keys:
            raise KeyUnavailable(f"the ring has no key {version}")
        return _open(unlocked.keys[version], sealed[8:], unlocked.ring.bytes + context)

    def mac(self, data: bytes, *, purpose: str) -> bytes:
        """Return a keyed hash of 32 bytes.

        :raises KeyUnavailable: no ring was unlocked.
        """
        keys = self._require().keys
        return _hash(_hash(keys[min(keys)], b"mac" + purpose.encode()), data)

    def _require(self) -> _Unlocked:
        if self._unlocked is None:
            raise KeyUnavailable("the cipher is locked: no ring was unlocked")
        return self._unlocked

    def _unwrap(self, ring: UUID, wrapped: WrappedKey) -> bytes:
        try:
            key = _open(_root_key(self.options), wrapped.blob, _place(ring, wrapped.version))
        except DecryptionFailed:
            raise KeyUnavailable(f"key {wrapped.version} of the ring was wrapped elsewhere") from None
        if not hmac.compare_digest(wrapped.check, _hash(key, b"check")):
            raise KeyUnavailable(f"key {wrapped.version} of the ring is not the one that was made")
        return key


def _root_key(options: ToyOptions) -> bytes:
    if not options.root:
        raise KeyUnavailable("an empty text is no root")
    return hashlib.sha256(options.root.encode()).digest()


def _place(ring: UUID, version: int) -> bytes:
    return ring.bytes + version.to_bytes(4)


def _hash(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def _mask(key: bytes, nonce: bytes, text: bytes) -> bytes:
    stream = hashlib.shake_256(key + nonce).digest(len(text))
    return (int.from_bytes(stream) ^ int.from_bytes(text)).to_bytes(len(text))


def _seal(key: bytes, text: bytes, context: bytes, nonce: bytes) -> bytes:
    body = nonce + _mask(key, nonce, text)
    return body + _hash(key, len(context).to_bytes(4) + context + body)


def _open(key: bytes, sealed: bytes, context: bytes) -> bytes:
    body, tag = sealed[:-32], sealed[-32:]
    if not hmac.compare_digest(tag, _hash(key, len(context).to_bytes(4) + context + body)):
        raise DecryptionFailed("these bytes were not sealed for this place, or were changed")
    return _mask(key, body[:16], body[16:])
