"""A cipher made of hashes alone, for tests: it keeps the laws, and it protects nothing."""

from __future__ import annotations

import hashlib
import hmac
import os
import random
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar, final

import attrs

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore.model import KeyRing, KeySlot, KeyState, WrappedKey
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
    ring: KeyRing
    keys: Mapping[int, bytes] = attrs.field(repr=False)
    hasher: bytes = attrs.field(repr=False, default=b"")


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

        :raises KeyUnavailable: other roots wrapped them, the one that seals is not ACTIVE, or the ring was changed.
        """
        opened = self._open_ring(ring)
        if not hmac.compare_digest(ring.mac, _ring_mac(opened.keys, ring, ring.version)):
            raise KeyUnavailable("the ring was changed by somebody who does not have all keys that open messages")
        self._unlocked = opened
        _holding.add(self)

    async def create_key(self, ring: KeyRing) -> WrappedKey:
        """Make a key from the test's randomness.

        :raises KeyUnavailable: the root is empty, or there is a recovery recipient: hashes have no public key.
        """
        if ring.recovery:
            raise KeyUnavailable(f"a toy cipher cannot wrap a key for {ring.recovery[0]}")
        version = max((key.version for key in ring.keys), default=0) + 1
        key, state = self.context.rng.randbytes(32), KeyState.STAGED if ring.keys else KeyState.ACTIVE
        check, slots = _hash(key, b"check"), (self._wrap(ring, version, key),)
        return WrappedKey(version, state, check, slots, self.context.clock.now())

    async def authenticate(self, ring: KeyRing) -> KeyRing:
        """Return the ring with its hash key under the active key, and with the MAC of the next version.

        :raises KeyUnavailable: a key of the ring, or its hash key, does not open.
        """
        opened = self._open_ring(ring)
        hasher = opened.hasher or self.context.rng.randbytes(32)
        ring = attrs.evolve(ring, hash_key=self._seal_with(opened, hasher, b"hash key"))
        return attrs.evolve(ring, mac=_ring_mac(opened.keys, ring, ring.version + 1))

    async def share(self, ring: KeyRing, other: Cipher) -> KeyRing:
        """Return the ring with its keys wrapped under the root of another toy cipher as well.

        :raises KeyUnavailable: a root is not the right one, or `other` is no toy.
        """
        if not isinstance(other, ToyCipher):
            raise KeyUnavailable(f"a toy cipher does not share its keys with {type(other).__name__}")
        new = {key.version: other._wrap(ring, key.version, self._unwrap(ring, key)) for key in ring.keys if key.slots}
        keys = tuple(_with_slot(key, new[key.version]) if key.slots else key for key in ring.keys)
        return await self.authenticate(attrs.evolve(ring, keys=keys))

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        """Seal a message.

        :raises KeyUnavailable: no ring was unlocked.
        """
        return self._seal_with(self._require(), plaintext, b"message" + context)

    def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
        """Open a message.

        :raises DecryptionFailed: it was not sealed here, or not for this context.
        :raises KeyUnavailable: its key is not in the ring.
        """
        return self._open_with(self._require(), sealed, b"message" + context)

    def key_of(self, sealed: bytes) -> int:
        """Return the version of the key that sealed a message.

        :raises DecryptionFailed: these bytes are no message.
        """
        if sealed[:4] != _MAGIC or len(sealed) < 56:
            raise DecryptionFailed("this is not a sealed message")
        return int.from_bytes(sealed[4:8])

    def mac(self, data: bytes, *, purpose: str) -> bytes:
        """Return a keyed hash of 32 bytes.

        :raises KeyUnavailable: no ring was unlocked.
        """
        return _hash(_hash(self._require().hasher, purpose.encode()), data)

    def _require(self) -> _Unlocked:
        if self._unlocked is None:
            raise KeyUnavailable("the cipher is locked: no ring was unlocked")
        return self._unlocked

    def _open_ring(self, ring: KeyRing) -> _Unlocked:
        keys = {key.version: key for key in ring.keys if key.state in _OPENING}
        if ring.active not in keys or keys[ring.active].state is not KeyState.ACTIVE:
            raise KeyUnavailable(f"key {ring.active} of the ring is to seal, but is not active")
        if min(keys) < ring.min_decrypt:
            raise KeyUnavailable(f"key {min(keys)} of the ring is to open messages, but is below {ring.min_decrypt}")
        opened = _Unlocked(ring, {version: self._unwrap(ring, key) for version, key in keys.items()})
        try:
            hasher = self._open_with(opened, ring.hash_key, b"hash key") if ring.hash_key else b""
        except DecryptionFailed:
            raise KeyUnavailable("the hash key of the ring was made elsewhere") from None
        return attrs.evolve(opened, hasher=hasher)

    def _wrap(self, ring: KeyRing, version: int, key: bytes) -> KeySlot:
        root, place = _root_key(self.options), ring.id.bytes + version.to_bytes(4)
        return KeySlot(f"toy:{_hash(root, b'name').hex()[:8]}", _seal(root, key, place, self.context.rng))

    def _unwrap(self, ring: KeyRing, wrapped: WrappedKey) -> bytes:
        known = (
            self._unlocked.keys.get(wrapped.version) if self._unlocked and self._unlocked.ring.id == ring.id else None
        )
        if known is not None and hmac.compare_digest(wrapped.check, _hash(known, b"check")):
            return known
        root, place = _root_key(self.options), ring.id.bytes + wrapped.version.to_bytes(4)
        for slot in wrapped.slots:
            with suppress(DecryptionFailed):
                key = _open(root, slot.blob, place)
                if hmac.compare_digest(wrapped.check, _hash(key, b"check")):
                    return key
        raise KeyUnavailable(f"key {wrapped.version} of the ring does not open with this root")

    def _seal_with(self, ring: _Unlocked, text: bytes, context: bytes) -> bytes:
        key, place = ring.keys[ring.ring.active], ring.ring.id.bytes + context
        return _MAGIC + ring.ring.active.to_bytes(4) + _seal(key, text, place, self.context.rng)

    def _open_with(self, ring: _Unlocked, sealed: bytes, context: bytes) -> bytes:
        version = self.key_of(sealed)
        if version not in ring.keys:
            raise KeyUnavailable(f"the ring has no key {version} that opens messages")
        return _open(ring.keys[version], sealed[8:], ring.ring.id.bytes + context)


def _with_slot(key: WrappedKey, slot: KeySlot) -> WrappedKey:
    return attrs.evolve(key, slots=(*(each for each in key.slots if each.provider != slot.provider), slot))


def _ring_mac(opening: Mapping[int, bytes], ring: KeyRing, version: int) -> bytes:
    """Return the MAC under every key that opens messages together: who lacks one of them makes no ring with it."""
    key = _hash(b"ring", b"".join(opening[each] for each in sorted(opening)))
    times = [each.created_at and each.created_at.timestamp() for each in ring.keys]
    keys = tuple(attrs.evolve(each, created_at=None) for each in ring.keys)
    return _hash(key, b"ring" + repr((attrs.evolve(ring, keys=keys, mac=b"", version=version), times)).encode())


def _root_key(options: ToyOptions) -> bytes:
    if not options.root:
        raise KeyUnavailable("an empty text is no root")
    return hashlib.sha256(options.root.encode()).digest()


def _hash(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def _mask(key: bytes, nonce: bytes, text: bytes) -> bytes:
    stream = int.from_bytes(hashlib.shake_256(key + nonce).digest(len(text)))
    return (stream ^ int.from_bytes(text)).to_bytes(len(text))


def _seal(key: bytes, text: bytes, context: bytes, rng: random.Random) -> bytes:
    body = (nonce := rng.randbytes(16)) + _mask(key, nonce, text)
    return body + _hash(key, len(context).to_bytes(4) + context + body)


def _open(key: bytes, sealed: bytes, context: bytes) -> bytes:
    body, tag = sealed[:-32], sealed[-32:]
    if not hmac.compare_digest(tag, _hash(key, len(context).to_bytes(4) + context + body)):
        raise DecryptionFailed("these bytes were not sealed for this place, or were changed")
    return _mask(key, body[:16], body[16:])


_holding: weakref.WeakSet[ToyCipher] = weakref.WeakSet()


def _drop_keys() -> None:
    for cipher in _holding:
        cipher._unlocked = None


os.register_at_fork(after_in_child=_drop_keys)
