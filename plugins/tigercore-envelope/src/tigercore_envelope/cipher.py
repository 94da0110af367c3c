"""The cipher that all roots share."""

from __future__ import annotations

import hmac
import os
import weakref
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Self, TypeVar
from uuid import UUID

import attrs
import trio

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeySlot, KeyState, WrappedKey
from tigercore.ports import Cipher, DriverContext
from tigercore_envelope.envelope import key_of
from tigercore_envelope.kek import SIZE, Kek
from tigercore_envelope.recipient import Recipient
from tigercore_envelope.ring import OPENING, UnlockedRing, require_sound
from tigercore_envelope.root import Root, RootUnreachable, UnwrapFailed

_TRIES = 5
_FIRST_WAIT = 0.2  # seconds before a root that does not answer is asked again, then twice as long each time
_NAMED = 3  # roots that an error names
T = TypeVar("T")


class EnvelopeCipher(Cipher):
    """Seal messages in TGC1 envelopes, under keys that a root wraps.

    A cipher of your own says which root its options name (`open_root`) and how it is made (`create_root`).
    The root is asked once for each key: if it goes away later, sealing and opening go on. A process that was forked
    off has no keys: it must open tigercore anew.
    """

    def __init__(self, options: Any, context: DriverContext, root: Root) -> None:
        super().__init__(options, context)
        self._root = root
        self._ring: UnlockedRing | None = None
        self._locked = "the cipher is locked: unlock the key ring of the store first"
        _open.add(self)

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
        """Unwrap those keys of the ring that are not in use yet, and check that nobody has changed the ring.

        :raises KeyUnavailable: the root does not open them, or the ring is not as it was authenticated.
        """
        unlocked = await self._unlocked(ring)
        unlocked.verify(ring)
        self._ring = unlocked

    async def create_key(self, ring: KeyRing) -> WrappedKey:
        """Make a key from the system's randomness and wrap it, for each recovery recipient too.

        :raises KeyUnavailable: the root cannot be reached, or a recipient is none.
        """
        version = max((key.version for key in ring.keys), default=0) + 1
        kek, state = Kek(version, os.urandom(SIZE)), KeyState.STAGED if ring.keys else KeyState.ACTIVE
        roots = [self._root, *map(Recipient, ring.recovery)]
        slots = [await self._slot(root, ring.id, kek) for root in roots]
        return WrappedKey(version, state, kek.check(), tuple(slots), self.context.clock.now())

    async def authenticate(self, ring: KeyRing) -> KeyRing:
        """Return the ring with its hash key under the active key, and with the MAC of the next version.

        :raises KeyUnavailable: a key of the ring does not open.
        """
        return (await self._unlocked(ring)).authenticated(ring)

    async def share(self, ring: KeyRing, other: Cipher) -> KeyRing:
        """Return the ring with its keys wrapped under the root of `other` as well, which must open them again.

        :raises KeyUnavailable: a root does not do its part, or `other` keeps no TGC1 keys.
        """
        if not isinstance(other, EnvelopeCipher):
            raise KeyUnavailable(f"{type(other).__name__} does not wrap the keys of {type(self).__name__}")
        keys = [await self._shared(ring.id, key, other) if key.slots else key for key in ring.keys]
        return await self.authenticate(attrs.evolve(ring, keys=tuple(keys)))

    def encrypt(self, plaintext: bytes, *, context: bytes) -> bytes:
        """Seal a message.

        :raises KeyUnavailable: no ring was unlocked.
        """
        return self._require().seal(plaintext, context)

    def decrypt(self, sealed: bytes, *, context: bytes) -> bytes:
        """Open a message.

        :raises DecryptionFailed: as `Malformed`, `WrongKeyOrContext` or `Tampered`.
        :raises KeyUnavailable: no ring was unlocked, or it does not have the key.
        """
        return self._require().unseal(sealed, context)

    def key_of(self, sealed: bytes) -> int:
        """Return the version of the key that sealed a message.

        :raises DecryptionFailed: as `Malformed`.
        """
        return key_of(sealed)

    def mac(self, data: bytes, *, purpose: str) -> bytes:
        """Return HMAC-SHA256 of the data, 32 bytes; the same for the life of the ring.

        :raises KeyUnavailable: no ring was unlocked.
        """
        return self._require().mac(data, purpose)

    def forget(self, why: str) -> None:
        """Drop every key; `why` is what the next one who needs them is told."""
        self._ring, self._locked = None, why

    def _require(self) -> UnlockedRing:
        if self._ring is None:
            raise KeyUnavailable(self._locked)
        return self._ring

    async def _unlocked(self, ring: KeyRing) -> UnlockedRing:
        require_sound(ring)
        opening = [key for key in ring.keys if key.state in OPENING]
        return UnlockedRing.of(ring, {key.version: await self._kek(ring.id, key) for key in opening})

    async def _kek(self, ring_id: UUID, key: WrappedKey) -> Kek:
        known = self._ring.keks.get(key.version) if self._ring and self._ring.id == ring_id else None
        if known is not None and hmac.compare_digest(known.check(), key.check):
            return known
        return await self._unwrap(ring_id, key)

    async def _unwrap(self, ring_id: UUID, key: WrappedKey) -> Kek:
        """Try this root's own slots first, then the others: a root may go by another name today."""
        refusals: list[KeyUnavailable] = []
        for slot in sorted(key.slots, key=self._strangeness):
            await trio.lowlevel.checkpoint()  # a root in this process waits for nothing, and somebody made the slots
            try:
                kek = await self._opened(ring_id, key, slot)
            except RootUnreachable as error:
                raise KeyUnavailable(self._refusal(key, error)) from error
            except KeyUnavailable as error:
                refusals.append(error)
                continue
            if kek is not None:
                return kek
            refusals.append(UnwrapFailed("it does not pass its check"))
        refusal = _foremost(refusals or [UnwrapFailed("nothing is left of it")])
        raise KeyUnavailable(self._refusal(key, refusal)) from refusal

    async def _opened(self, ring_id: UUID, key: WrappedKey, slot: KeySlot) -> Kek | None:
        """Return what a slot holds, None if it does not pass its check: no frame that raises holds its bytes."""
        opened = await self._patiently(partial(self._root.unwrap, slot.blob, _place(ring_id, key)))
        kek = Kek(key.version, opened) if len(opened) == SIZE else None
        return kek if kek is not None and hmac.compare_digest(kek.check(), key.check) else None

    def _strangeness(self, slot: KeySlot) -> tuple[bool, bool]:
        """Order slots: those of this very root, then those of its kind, then the others."""
        mine = self._root.identity()
        return slot.provider != mine, slot.provider.partition(":")[0] != mine.partition(":")[0]

    async def _shared(self, ring_id: UUID, key: WrappedKey, other: EnvelopeCipher) -> WrappedKey:
        slot = await other._slot(other._root, ring_id, await self._kek(ring_id, key))
        shared = attrs.evolve(key, slots=(slot,))
        if not isinstance(other._root, Recipient) or other._root.can_open:
            await other._unwrap(ring_id, shared)  # a root that seals and does not open would be noticed too late
        return attrs.evolve(key, slots=(*(each for each in key.slots if each.provider != slot.provider), slot))

    async def _slot(self, root: Root, ring_id: UUID, kek: Kek) -> KeySlot:
        blob = await self._patiently(partial(kek.wrapped, root, _place(ring_id, kek)))
        return KeySlot(root.identity(), blob)

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask a root that does not answer again, a few times. Nothing below retries."""
        for wait in self._waits():
            try:
                return await ask()
            except RootUnreachable:
                await trio.sleep(wait)
        return await ask()

    def _waits(self) -> Iterator[float]:
        return (_FIRST_WAIT * 2**n * self.context.rng.uniform(0.5, 1.0) for n in range(_TRIES - 1))

    def _refusal(self, key: WrappedKey, refusal: KeyUnavailable) -> str:
        here, there = self._root.identity(), [slot.provider for slot in sorted(key.slots, key=self._strangeness)]
        more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
        wrapped = ", ".join(there[:_NAMED]) + more or "nobody"
        advice = _advice(refusal, ours=here in there or not there)
        return f"key {key.version} of the ring, wrapped by {wrapped}, does not open with {here}: {refusal}{advice}"


def _foremost(refusals: list[KeyUnavailable]) -> KeyUnavailable:
    """Return the one to tell: a root that could not do its part may open the key once it can."""
    return next((each for each in refusals if not isinstance(each, UnwrapFailed)), refusals[0])


def _advice(refusal: KeyUnavailable, *, ours: bool) -> str:
    """Return what to do, nothing if the refusal says it already."""
    if isinstance(refusal, RootUnreachable):
        return "; bring it back, then start again; a process that runs goes on meanwhile"
    if not isinstance(refusal, UnwrapFailed):
        return ""
    return "; restore the key ring from a backup" if ours else "; give the root that made the ring"


def _place(ring_id: UUID, key: WrappedKey | Kek) -> dict[str, str]:
    return {"app": "tigercore", "keyring": str(ring_id), "kek": str(key.version)}


_open: weakref.WeakSet[EnvelopeCipher] = weakref.WeakSet()


def _drop_keys() -> None:
    for cipher in _open:
        cipher.forget("a process that was forked off has no keys: open tigercore in it anew")


os.register_at_fork(after_in_child=_drop_keys)
