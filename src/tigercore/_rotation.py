"""The rules of a key ring's life, pure: what it becomes with each step of a rotation, and in an emergency.

A rotation stages a key, makes it the active one, seals everything again with it, and retires the older ones. Each step
is one write of the ring, and each can be told from the ring: who is killed in between goes on where the ring stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import attrs

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeyState, WrappedKey

_OPENING = frozenset({KeyState.STAGED, KeyState.ACTIVE, KeyState.DECRYPT})


def opens(key: WrappedKey) -> bool:
    """Say whether a key opens messages."""
    return key.state in _OPENING


def has_staged(ring: KeyRing) -> bool:
    """Say whether a key waits to be activated."""
    return any(key.state is KeyState.STAGED for key in ring.keys)


def is_rotating(ring: KeyRing) -> bool:
    """Say whether a rotation was begun and not finished."""
    return any(key.state in (KeyState.STAGED, KeyState.DECRYPT) for key in ring.keys)


def staged(ring: KeyRing, key: WrappedKey) -> KeyRing:
    """Return the ring with a key that opens messages, and does not seal yet.

    :raises KeyUnavailable: its root is not one of those of the active key: the root was changed meanwhile.
    """
    roots = {slot.provider for slot in key.slots} - {*ring.recovery}
    if roots.isdisjoint(slot.provider for each in ring.keys if each.version == ring.active for slot in each.slots):
        raise KeyUnavailable(
            f"{', '.join(sorted(roots))} is not the root of this ring any more: start again with the settings of the "
            "new root, or run tigercore cipher rekey-root"
        )
    return attrs.evolve(ring, keys=(*ring.keys, key))


def activated(ring: KeyRing) -> KeyRing | None:
    """Return the ring with its staged key as the one that seals, None if none is staged."""
    versions = [key.version for key in ring.keys if key.state is KeyState.STAGED]
    if not versions:
        return None
    keys = (_in_state(key, KeyState.DECRYPT) if key.state is KeyState.ACTIVE else key for key in ring.keys)
    active = max(versions)
    return _with(ring, (_in_state(key, KeyState.ACTIVE) if key.version == active else key for key in keys), active)


def retired(ring: KeyRing) -> KeyRing | None:
    """Return the ring in which only the active key opens anything, None if it is so already.

    A retired key stays wrapped in the ring, and is used no more.
    """
    if not any(key.state is KeyState.DECRYPT for key in ring.keys):
        return None
    keys = (_in_state(key, KeyState.RETIRED) if key.state is KeyState.DECRYPT else key for key in ring.keys)
    return attrs.evolve(_with(ring, keys, ring.active), min_decrypt=ring.active)


def destroyed(ring: KeyRing) -> KeyRing | None:
    """Return the ring without what is left of retired keys, None if nothing is."""
    if not any(key.state is KeyState.RETIRED for key in ring.keys):
        return None
    keys = (
        attrs.evolve(key, state=KeyState.DESTROYED, slots=()) if key.state is KeyState.RETIRED else key
        for key in ring.keys
    )
    return _with(ring, keys, ring.active)


def frozen(ring: KeyRing) -> KeyRing:
    """Return the ring under which nothing is signed, and every API key made so far is dead."""
    return attrs.evolve(ring, frozen=True, epoch=ring.epoch + 1)


def thawed(ring: KeyRing) -> KeyRing:
    """Return the ring under which accounts sign again: a newer one in any case.

    A program that believed a freeze which does not stand any more, as it was no true one, waits for that.
    """
    return attrs.evolve(ring, frozen=False)


def newest_root(ring: KeyRing) -> str:
    """Return the root under which the keys were wrapped last."""
    return next(key for key in ring.keys if key.version == ring.active).slots[-1].provider


def with_recovery(ring: KeyRing) -> KeyRing:
    """Return the ring whose keys to come are sealed for its newest root too, a recovery recipient."""
    new = newest_root(ring)
    return attrs.evolve(ring, recovery=(*(each for each in ring.recovery if each != new), new))


def without_recovery(ring: KeyRing, recipient: str) -> KeyRing | None:
    """Return the ring that this recipient opens no more, None if it does not stand in it.

    :raises KeyUnavailable: a key that is in use would be lost.
    """
    if recipient not in ring.recovery:
        return None
    left = {slot.provider for key in ring.keys for slot in key.slots} - {recipient}
    recovery = tuple(each for each in ring.recovery if each != recipient)
    return attrs.evolve(only_with_roots(ring, left), recovery=recovery)


def only_with_roots(ring: KeyRing, providers: Collection[str]) -> KeyRing:
    """Return the ring with the slots of these roots alone.

    :raises KeyUnavailable: a key that is in use would be lost.
    """
    keys = [attrs.evolve(k, slots=tuple(s for s in k.slots if s.provider in providers)) for k in ring.keys]
    lost = [key.version for key in keys if opens(key) and not key.slots]
    if lost:
        raise KeyUnavailable(
            f"no root would be left that opens key {lost[0]}: add the new root before the old one goes"
        )
    return _with(ring, keys, ring.active)


def _with(ring: KeyRing, keys: Iterable[WrappedKey], active: int) -> KeyRing:
    return attrs.evolve(ring, keys=tuple(keys), active=active)


def _in_state(key: WrappedKey, state: KeyState) -> WrappedKey:
    return attrs.evolve(key, state=state)
