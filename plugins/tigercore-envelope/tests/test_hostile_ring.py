"""Rings that somebody else than tigercore made, with whatever keys he has."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import attrs
import pytest
from pyrage import x25519

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeySlot, KeyState, WrappedKey
from tigercore.testing.clock import driver_context
from tigercore_envelope import Kek, RecoveryCipher, UnlockedRing
from tigercore_envelope.recipient import Recipient
from tigercore_envelope.ring import require_sound

_ID = UUID(int=5)
_IDENTITY = x25519.Identity.generate()
_ROOT = Recipient(str(_IDENTITY.to_public()), _IDENTITY)
_CHANGED = "changed by something else than tigercore"


async def _key(kek: Kek, state: KeyState) -> WrappedKey:
    """Return a key as anybody can wrap it: the recipient is public."""
    place = {"app": "tigercore", "keyring": str(_ID), "kek": str(kek.version)}
    slot = KeySlot(_ROOT.identity(), await kek.wrapped(_ROOT, place))
    return WrappedKey(kek.version, state, kek.check(), (slot,), datetime(2026, 1, 5, tzinfo=UTC))


async def _ring(active: Kek, other: Kek, state: KeyState) -> KeyRing:
    keys = [await _key(active, KeyState.ACTIVE), await _key(other, state)]
    return KeyRing(_ID, active.version, tuple(sorted(keys, key=lambda key: key.version)))


def _signed(ring: KeyRing, *known: Kek) -> KeyRing:
    """Return the ring with a hash key and a MAC by somebody who knows only these keys."""
    signed = UnlockedRing.of(ring, {kek.version: kek for kek in known}).authenticated(ring)
    return attrs.evolve(signed, version=ring.version + 1)


async def _unlock(ring: KeyRing) -> None:
    await RecoveryCipher(None, driver_context(), _ROOT).unlock(ring)


# -- a MAC by somebody who has one key ---------------------------------------------------------------------


async def test_a_ring_that_is_active_under_an_attackers_key_does_not_take_the_real_key_along() -> None:
    real, own = Kek(1, os.urandom(32)), Kek(2, os.urandom(32))
    ring = await _ring(own, real, KeyState.DECRYPT)
    await _unlock(_signed(ring, real, own))
    with pytest.raises(KeyUnavailable, match=_CHANGED):
        await _unlock(_signed(ring, own))


async def test_a_stolen_key_does_not_become_active_again_while_the_real_one_is_only_staged() -> None:
    stolen, real = Kek(1, os.urandom(32)), Kek(2, os.urandom(32))
    ring = await _ring(stolen, real, KeyState.STAGED)
    await _unlock(_signed(ring, stolen, real))
    with pytest.raises(KeyUnavailable, match=_CHANGED):
        await _unlock(_signed(ring, stolen))


# -- values that tigercore does not write ------------------------------------------------------------------

_KEK = Kek(1, os.urandom(32))
_PLAIN = KeyRing(_ID, 1, (WrappedKey(1, KeyState.ACTIVE, _KEK.check(), (KeySlot("root", b"blob"),)),))


def _with_key(**changes: Any) -> KeyRing:
    return attrs.evolve(_PLAIN, keys=(attrs.evolve(_PLAIN.keys[0], **changes),))


_ODD = {
    "a version of 65 bits": attrs.evolve(_PLAIN, version=2**64),
    "an epoch of 65 bits": attrs.evolve(_PLAIN, epoch=-(2**64)),
    "a floor of 65 bits": attrs.evolve(_PLAIN, min_decrypt=-(2**64)),
    "a time without a zone": _with_key(created_at=datetime(2026, 1, 5)),
    "a recipient that is no text": attrs.evolve(_PLAIN, recovery=("age1\ud800",)),
    "a root whose name is no text": _with_key(slots=(KeySlot("\udfff", b"blob"),)),
}


@pytest.mark.parametrize("name", _ODD)
async def test_a_value_that_cannot_be_one_is_refused_before_the_root_is_asked(name: str) -> None:
    with pytest.raises(KeyUnavailable, match=r"^a value in the key ring cannot be one: .*cipher import`$"):
        await _unlock(_ODD[name])


def test_a_ring_at_the_last_number_is_not_authenticated() -> None:
    ring = attrs.evolve(_PLAIN, version=2**63 - 1)
    with pytest.raises(KeyUnavailable, match="a value in the key ring cannot be one"):
        UnlockedRing.of(ring, {1: _KEK}).authenticated(ring)


@pytest.mark.parametrize("version", [-1, 0, 2**32])
def test_a_key_that_no_message_can_name_is_refused(version: int) -> None:
    with pytest.raises(KeyUnavailable, match="a version that no message can name"):
        require_sound(attrs.evolve(_with_key(version=version), active=version))


def test_the_last_key_that_a_message_can_name_is_none_too_many() -> None:
    require_sound(attrs.evolve(_with_key(version=2**32 - 1), active=2**32 - 1))


# -- states and floors -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [state for state in KeyState if state is not KeyState.ACTIVE])
def test_the_key_that_seals_must_be_active(state: KeyState) -> None:
    with pytest.raises(KeyUnavailable, match="key 1 is to seal, but is not active"):
        require_sound(_with_key(state=state))


def test_a_key_below_the_floor_may_not_open() -> None:
    old = attrs.evolve(_PLAIN.keys[0], state=KeyState.DECRYPT)
    ring = attrs.evolve(_PLAIN, active=2, keys=(old, attrs.evolve(_PLAIN.keys[0], version=2)), min_decrypt=1)
    require_sound(ring)  # whose first key is at the floor
    with pytest.raises(KeyUnavailable, match="key 1 is to open messages, but is below 2"):
        require_sound(attrs.evolve(ring, min_decrypt=2))
