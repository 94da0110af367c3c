"""A ring whose keys can be used."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Self, final
from uuid import UUID

import attrs

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore.model import KeyRing, KeyState, WrappedKey
from tigercore_envelope.envelope import key_of, seal, unseal
from tigercore_envelope.kek import SIZE, Kek
from tigercore_envelope.lp import lp

OPENING = frozenset({KeyState.STAGED, KeyState.ACTIVE, KeyState.DECRYPT})
"""The states of keys that open messages."""

_LAST = 2**32 - 1  # the highest version that the header of a message holds
_NUMBERS = range(2**62)
_KEYS = 10_000
_SLOTS = 32  # of one key; as many recovery recipients
_NAME = 512  # characters of a root's name: the ARN of a KMS alias has 330, if it is long
_BLOB = 8 * 1024  # bytes of a wrapped key: what KMS returns has up to 6 KiB, a passphrase's or an age file 400 bytes
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHANGED = "the key ring was changed by something else than tigercore: restore it with `tigercore cipher import`"
_NO_VALUE = f"a value in the key ring cannot be one: {_CHANGED}"


@final
@attrs.frozen
class UnlockedRing:
    """Seal, open and hash with the keys of one ring. `place` binds every message to the ring."""

    id: UUID
    active: Kek
    keks: Mapping[int, Kek]
    hasher: Kek | None
    place: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, ring: KeyRing, keks: Mapping[int, Kek]) -> Self:
        """Join a ring and those of its keys that open messages.

        :raises KeyUnavailable: the hash key does not open.
        """
        place = lp(b"tigercore.ctx.1", ring.id.bytes)
        return cls(ring.id, keks[ring.active], keks, _hasher(ring, keks, place), place)

    def verify(self, ring: KeyRing) -> None:
        """Pass if nothing in the ring was changed since it was authenticated.

        :raises KeyUnavailable: something was.
        """
        if self.hasher is None or not hmac.compare_digest(self._mac(ring, ring.version), ring.mac):
            raise KeyUnavailable(_CHANGED)

    def authenticated(self, ring: KeyRing) -> KeyRing:
        """Return the ring with its hash key under the active key, and with the MAC of the next version."""
        ring = attrs.evolve(ring, hash_key=self._hash_key(ring))
        return attrs.evolve(ring, mac=self._mac(ring, ring.version + 1))

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Seal a message with the active key."""
        return seal(self.active, plaintext, self.place + context)

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """Open a message with the key that it names. Errors as `tigercore_envelope.unseal`."""
        return unseal(sealed, self.keks, self.place + context)

    def mac(self, data: bytes, purpose: str) -> bytes:
        """Return HMAC-SHA256 under a key of the purpose's own, derived from the ring's hash key."""
        if self.hasher is None:
            raise KeyUnavailable(_CHANGED)
        return hmac.digest(self.hasher.derive(lp(b"tigercore/mac", purpose.encode()), 32), data, "sha256")

    def _hash_key(self, ring: KeyRing) -> bytes:
        if not ring.hash_key:
            return seal(self.active, os.urandom(SIZE), _hash_place(self.place))
        if key_of(ring.hash_key) == self.active.version:
            return ring.hash_key
        return seal(self.active, unseal(ring.hash_key, self.keks, _hash_place(self.place)), _hash_place(self.place))

    def _mac(self, ring: KeyRing, version: int) -> bytes:
        """Return the MAC under every key that opens messages together.

        Who has one of them, stolen or his own, cannot make a ring in which another one still opens anything.
        """
        content = _canonical(ring, version)  # before any key is in this frame: it may raise
        parts = [self.keks[each].derive(b"tigercore/ring", 32) for each in sorted(self.keks)]
        return hmac.digest(hashlib.sha256(b"".join(parts)).digest(), content, "sha256")


def require_sound(ring: KeyRing) -> None:
    """Pass if the ring is no larger than tigercore makes one, and its numbers and states fit each other.

    :raises KeyUnavailable: it is, they do not, or tigercore writes no such values.
    """
    _require_bounded(ring)
    _canonical(ring, ring.version)
    if not all(0 < key.version <= _LAST for key in ring.keys):
        raise KeyUnavailable(f"a key has a version that no message can name: {_CHANGED}")
    _require_values(ring)
    if not any(key.version == ring.active and key.state is KeyState.ACTIVE for key in ring.keys):
        raise KeyUnavailable(f"key {ring.active} is to seal, but is not active: {_CHANGED}")
    low = [key.version for key in ring.keys if key.state in OPENING and key.version < ring.min_decrypt]
    if low:
        raise KeyUnavailable(f"key {low[0]} is to open messages, but is below {ring.min_decrypt}: {_CHANGED}")


def _require_bounded(ring: KeyRing) -> None:
    for what, size, most in _sizes(ring):
        if size > most:
            raise KeyUnavailable(f"the key ring has {size} {what}, more than {most}: {_CHANGED}")


def _sizes(ring: KeyRing) -> Iterator[tuple[str, int, int]]:
    yield "keys", len(ring.keys), _KEYS
    yield "recovery recipients", len(ring.recovery), _SLOTS
    yield "bytes of a hash key", len(ring.hash_key), _BLOB
    yield from (("characters of a recipient", len(recipient), _NAME) for recipient in ring.recovery)
    for key in ring.keys:
        yield "slots of one key", len(key.slots), _SLOTS
        yield from (("characters of a root's name", len(slot.provider), _NAME) for slot in key.slots)
        yield from (("bytes of a wrapped key", len(slot.blob), _BLOB) for slot in key.slots)


def _require_values(ring: KeyRing) -> None:
    """Pass if every number has room above it, and every name fits into one line of an error."""
    numbers = (ring.version, ring.active, ring.min_decrypt, ring.epoch)
    names = (*ring.recovery, *(slot.provider for key in ring.keys for slot in key.slots))
    if not (all(number in _NUMBERS for number in numbers) and all(name.isprintable() for name in names)):
        raise KeyUnavailable(_NO_VALUE)


def _hasher(ring: KeyRing, keks: Mapping[int, Kek], place: bytes) -> Kek | None:
    if not ring.hash_key:
        return None
    try:
        return Kek(0, unseal(ring.hash_key, keks, _hash_place(place)))
    except (DecryptionFailed, KeyUnavailable) as error:
        raise KeyUnavailable(f"{_CHANGED}; its hash key does not open: {error}") from error


def _hash_place(place: bytes) -> bytes:
    return place + lp(b"tc_key_ring", b"hash_key")


def _canonical(ring: KeyRing, version: int) -> bytes:
    """Return everything in the ring but the MAC, so that no two rings give the same bytes.

    :raises KeyUnavailable: a number has more than 64 bits, a time has no zone, or a text is none that UTF-8 can hold.
    """
    try:
        return _fields(ring, version)
    except (OverflowError, TypeError, UnicodeEncodeError):
        pass  # what Python says of it would not help
    raise KeyUnavailable(_NO_VALUE)


def _fields(ring: KeyRing, version: int) -> bytes:
    numbers = (version, ring.active, ring.min_decrypt, ring.frozen, ring.epoch)
    recovery = lp(*[recipient.encode() for recipient in ring.recovery])
    keys = lp(*[_canonical_key(key) for key in ring.keys])
    return lp(b"tigercore.ring.1", ring.id.bytes, *map(_number, numbers), recovery, ring.hash_key, keys)


def _canonical_key(key: WrappedKey) -> bytes:
    slots = [part for slot in key.slots for part in (slot.provider.encode(), slot.blob)]
    made = b"" if key.created_at is None else _number((key.created_at - _EPOCH) // timedelta(microseconds=1))
    return lp(_number(key.version), key.state.encode(), key.check, made, *slots)


def _number(number: int) -> bytes:
    return number.to_bytes(8, "big", signed=True)
