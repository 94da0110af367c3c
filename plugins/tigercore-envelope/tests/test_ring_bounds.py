"""How large a ring may be that somebody has written into the database, and what one costs that is as large."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, final
from uuid import UUID

import attrs
import pytest
import trio
from pyrage import x25519

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeySlot, KeyState, WrappedKey
from tigercore.testing.clock import driver_context
from tigercore_envelope import Kek, RecoveryCipher, Root, UnwrapFailed
from tigercore_envelope.recipient import Recipient
from tigercore_envelope.ring import require_sound

_KEK = Kek(1, os.urandom(32))
_SLOT = KeySlot("root", b"blob")
_PLAIN = KeyRing(UUID(int=5), 1, (WrappedKey(1, KeyState.ACTIVE, _KEK.check(), (_SLOT,)),))


@final
class StrangeRoot(Root):
    """A root in this process that has wrapped nothing here; when it is asked for the last time, it cancels the rest."""

    def __init__(self, last: int | None = None) -> None:
        self.asked = 0
        self.rest = trio.CancelScope()
        self._last = last

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        return b"blob"

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        self.asked += 1
        if self.asked == self._last:
            self.rest.cancel()
        raise UnwrapFailed("not wrapped here")

    def identity(self) -> str:
        return "root"


def _with_key(**changes: Any) -> KeyRing:
    return attrs.evolve(_PLAIN, keys=(attrs.evolve(_PLAIN.keys[0], **changes),))


def _with_keys(many: int) -> KeyRing:
    """Return a ring of so many keys; all but the active one are older."""
    old = [WrappedKey(version, KeyState.RETIRED, bytes(16), ()) for version in range(1, many)]
    return attrs.evolve(_PLAIN, active=many, keys=(*old, attrs.evolve(_PLAIN.keys[0], version=many)))


_LARGEST = {
    "32 slots of one key": _with_key(slots=(_SLOT,) * 32),
    "10000 keys": _with_keys(10_000),
    "32 recovery recipients": attrs.evolve(_PLAIN, recovery=("age1",) * 32),
    "512 characters of a root's name": _with_key(slots=(KeySlot("r" * 512, b""),)),
    "512 characters of a recipient": attrs.evolve(_PLAIN, recovery=("r" * 512,)),
    "8192 bytes of a wrapped key": _with_key(slots=(KeySlot("root", bytes(8192)),)),
    "8192 bytes of a hash key": attrs.evolve(_PLAIN, hash_key=bytes(8192)),
    "a version below 2**62": attrs.evolve(_PLAIN, version=2**62 - 1),
    "an epoch below 2**62": attrs.evolve(_PLAIN, epoch=2**62 - 1),
}
_TOO_LARGE = {
    "33 slots of one key, more than 32": _with_key(slots=(_SLOT,) * 33),
    "10001 keys, more than 10000": _with_keys(10_001),
    "33 recovery recipients, more than 32": attrs.evolve(_PLAIN, recovery=("age1",) * 33),
    "513 characters of a root's name, more than 512": _with_key(slots=(KeySlot("r" * 513, b""),)),
    "513 characters of a recipient, more than 512": attrs.evolve(_PLAIN, recovery=("r" * 513,)),
    "8193 bytes of a wrapped key, more than 8192": _with_key(slots=(KeySlot("root", bytes(8193)),)),
    "8193 bytes of a hash key, more than 8192": attrs.evolve(_PLAIN, hash_key=bytes(8193)),
}
_NO_VALUES = {
    "a version of 2**62": attrs.evolve(_PLAIN, version=2**62),
    "a version below 0": attrs.evolve(_PLAIN, version=-1),
    "an epoch of 2**62": attrs.evolve(_PLAIN, epoch=2**62),
    "an epoch below 0": attrs.evolve(_PLAIN, epoch=-1),
    "an active key of 2**62": attrs.evolve(_PLAIN, active=2**62),
    "an active key below 0": attrs.evolve(_PLAIN, active=-1),
    "a floor of 2**62": attrs.evolve(_PLAIN, min_decrypt=2**62),
    "a floor below 0": attrs.evolve(_PLAIN, min_decrypt=-1),
    "a root of two lines": _with_key(slots=(KeySlot("root\nroot", b""),)),
    "a root that moves the terminal": _with_key(slots=(KeySlot("root\x1b[2J", b""),)),
    "a recipient of two lines": attrs.evolve(_PLAIN, recovery=("age1\nage1",)),
}


async def _refused(ring: KeyRing, root: StrangeRoot | None = None) -> str:
    with pytest.raises(KeyUnavailable) as caught:
        await RecoveryCipher(None, driver_context(), root or StrangeRoot()).unlock(ring)
    return str(caught.value)


@pytest.mark.parametrize("name", _LARGEST)
def test_a_ring_on_a_bound_is_sound(name: str) -> None:
    require_sound(_LARGEST[name])


@pytest.mark.parametrize("found", _TOO_LARGE)
async def test_a_ring_that_is_too_large_is_refused_before_the_root_is_asked(found: str) -> None:
    root = StrangeRoot()
    remedy = "the key ring was changed by something else than tigercore: restore it with `tigercore cipher import`"
    assert f"the key ring has {found}: {remedy}" == await _refused(_TOO_LARGE[found], root)
    assert 0 == root.asked


@pytest.mark.parametrize("name", _NO_VALUES)
async def test_a_value_out_of_bounds_is_refused_before_the_root_is_asked(name: str) -> None:
    root = StrangeRoot()
    assert (await _refused(_NO_VALUES[name], root)).startswith("a value in the key ring cannot be one: ")
    assert 0 == root.asked


async def test_who_stops_waiting_is_heard_between_any_two_slots() -> None:
    root = StrangeRoot(last=3)
    with root.rest:
        await RecoveryCipher(None, driver_context(), root).unlock(_with_key(slots=(_SLOT,) * 32))
    assert (True, 3) == (root.rest.cancelled_caught, root.asked)


# -- what an error names -----------------------------------------------------------------------------------


def _with_roots(*names: str) -> KeyRing:
    return _with_key(slots=tuple(KeySlot(name, b"") for name in names))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("a",), "a"),
        (("a", "b", "c"), "a, b, c"),
        (("a", "b", "c", "d"), "a, b, c and 1 more"),
        (("a", "b", "c", "root"), "root, a, b and 1 more"),
        (tuple(f"{at}" for at in range(32)), "0, 1, 2 and 29 more"),
    ],
)
async def test_an_error_names_three_roots_at_most_and_the_one_that_is_here_first(
    names: tuple[str, ...], told: str
) -> None:
    start = f"key 1 of the ring, wrapped by {told}, does not open with root: "
    assert (await _refused(_with_roots(*names))).startswith(start)


async def test_the_longest_names_are_still_one_line_that_can_be_read() -> None:
    said = await _refused(_with_roots(*(f"{at:0512}" for at in range(32))))
    assert ([said], True) == (said.splitlines(), len(said) < 2000)


# -- what a good ring needs --------------------------------------------------------------------------------


async def test_a_ring_with_as_many_recipients_as_it_may_have_is_made_and_opened() -> None:
    safes = [x25519.Identity.generate() for _ in range(32)]
    root = Recipient(str(safes[0].to_public()), safes[0])
    cipher = RecoveryCipher(None, driver_context(), root)
    ring = KeyRing(UUID(int=5), 1, recovery=tuple(str(safe.to_public()) for safe in safes[1:]))
    ring = await cipher.authenticate(attrs.evolve(ring, keys=(await cipher.create_key(ring),)))
    await cipher.unlock(attrs.evolve(ring, version=1))
    assert 32 == len(ring.keys[0].slots)
