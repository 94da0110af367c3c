"""The laws of a ring that is not as it was made: nothing in it may be changed by who does not have its keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest

from tigercore.model import KeyRing, KeySlot, KeyState, WrappedKey
from tigercore.ports import Cipher
from tigercore.testing._opened_ciphers import (
    MESSAGE,
    OTHER_RING,
    PLACE,
    RING,
    OpenedCiphers,
    flip,
    founded,
    grown,
    in_states,
    put,
    refuses,
    staged,
    unlocks,
    with_key,
)

_MADE = datetime(2026, 1, 5, 12, tzinfo=UTC)


class RefusalLaws(OpenedCiphers):
    """A ring that does not hold together is neither authenticated nor unlocked."""

    async def test_a_key_of_another_ring_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        assert await refuses(locked, attrs.evolve(ring, id=OTHER_RING, hash_key=b""))

    async def test_another_root_does_not_unlock(self, stranger: Cipher, ring: KeyRing) -> None:
        assert await refuses(stranger, ring)

    async def test_swapped_keys_are_refused(self, locked: Cipher, ring: KeyRing) -> None:
        larger = await grown(locked, ring)
        one, two = larger.keys
        swapped = (attrs.evolve(two, version=1, state=one.state), attrs.evolve(one, version=2, state=two.state))
        assert await refuses(locked, attrs.evolve(larger, keys=swapped, hash_key=b""))

    @pytest.mark.parametrize("at", [0, 0.5, 1])
    async def test_a_tampered_key_is_refused(self, locked: Cipher, ring: KeyRing, at: float) -> None:
        blob = ring.keys[0].slots[0].blob
        assert await refuses(locked, _with_blob(ring, flip(blob, int(at * (len(blob) - 1)))))

    async def test_a_cut_key_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        blob = ring.keys[0].slots[0].blob
        for size in (0, 1, len(blob) - 1):
            assert await refuses(locked, _with_blob(ring, blob[:size]))

    async def test_a_key_that_does_not_pass_its_check_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        assert await refuses(locked, with_key(ring, 1, check=flip(ring.keys[0].check, 0)))

    async def test_a_ring_without_its_active_key_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        assert await refuses(locked, attrs.evolve(ring, active=2))

    async def test_a_ring_without_keys_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        assert await refuses(locked, attrs.evolve(ring, keys=()))

    @pytest.mark.parametrize("state", [state for state in KeyState if state is not KeyState.ACTIVE])
    async def test_a_ring_whose_active_key_is_not_active_is_refused(
        self, locked: Cipher, ring: KeyRing, state: KeyState
    ) -> None:
        assert await refuses(locked, with_key(ring, 1, state=state))

    @pytest.mark.parametrize("lowest", [2, 3])
    async def test_a_key_that_opens_below_the_lowest_is_refused(
        self, locked: Cipher, ring: KeyRing, lowest: int
    ) -> None:
        larger = await grown(locked, ring)
        assert await refuses(locked, attrs.evolve(larger, min_decrypt=lowest))

    async def test_a_staged_key_below_the_lowest_is_refused(self, locked: Cipher, ring: KeyRing) -> None:
        larger = await grown(locked, ring)
        below = in_states(larger, {1: KeyState.STAGED})
        assert await refuses(locked, attrs.evolve(below, min_decrypt=2))


class TamperLaws(OpenedCiphers):
    """Only who has every key that opens messages can change a ring."""

    async def test_a_ring_that_anybody_changed_is_refused(self, cipher: Cipher, locked: Cipher) -> None:
        ring = await _rich(locked)
        await cipher.unlock(ring)
        assert [] == [what for what, changed in _changes(ring) if await unlocks(cipher, changed)]

    async def test_a_ring_that_anybody_changed_is_refused_by_a_new_process(self, locked: Cipher) -> None:
        changes = _changes(await _rich(locked))
        assert [] == [what for what, changed in changes if await unlocks(locked, changed)]

    async def test_a_cipher_goes_on_with_the_keys_it_had(self, cipher: Cipher, locked: Cipher) -> None:
        ring = await _rich(locked)
        await cipher.unlock(ring)
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        for _, changed in _changes(ring):
            await unlocks(cipher, changed)
            assert MESSAGE == cipher.decrypt(sealed, context=PLACE)
            assert 3 == cipher.key_of(cipher.encrypt(MESSAGE, context=PLACE))

    async def test_a_failed_unlock_leaves_the_keys_in_use(self, cipher: Cipher, ring: KeyRing) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        larger = await grown(cipher, ring)
        assert not await unlocks(cipher, with_key(larger, 2, slots=()))
        assert MESSAGE == cipher.decrypt(sealed, context=PLACE)

    async def test_an_old_mac_does_not_fit_a_newer_ring(self, locked: Cipher, ring: KeyRing) -> None:
        assert not await unlocks(locked, attrs.evolve(await staged(locked, ring), mac=ring.mac))

    async def test_a_new_mac_does_not_fit_an_older_ring(self, locked: Cipher, ring: KeyRing) -> None:
        newer = await put(locked, ring, frozen=True)
        assert not await unlocks(locked, attrs.evolve(ring, mac=newer.mac, version=newer.version))

    async def test_the_mac_of_another_key_does_not_fit(self, locked: Cipher, ring: KeyRing) -> None:
        other = await founded(locked)
        assert not await unlocks(locked, attrs.evolve(ring, mac=other.mac))
        assert not await unlocks(locked, attrs.evolve(ring, mac=other.mac, hash_key=other.hash_key))

    async def test_the_mac_of_another_root_does_not_fit(self, locked: Cipher, stranger: Cipher, ring: KeyRing) -> None:
        other = await founded(stranger)
        assert not await unlocks(locked, attrs.evolve(ring, mac=other.mac))
        assert not await unlocks(locked, attrs.evolve(ring, mac=other.mac, hash_key=other.hash_key))

    async def test_a_key_of_another_root_does_not_get_into_the_ring(
        self, locked: Cipher, stranger: Cipher, ring: KeyRing
    ) -> None:
        added = (*ring.keys, await stranger.create_key(ring))
        assert await refuses(locked, attrs.evolve(ring, keys=added))

    async def test_the_same_instant_in_another_time_zone_is_no_change(self, locked: Cipher) -> None:
        ring = await _rich(locked)
        there = _MADE.astimezone(timezone(timedelta(hours=8)))
        await locked.unlock(attrs.evolve(ring, keys=tuple(attrs.evolve(key, created_at=there) for key in ring.keys)))


async def _rich(cipher: Cipher) -> KeyRing:
    """Return a ring with a key in each state, and something in each field."""
    ring = KeyRing(RING, 3, epoch=3, min_decrypt=2, version=4)
    for _ in range(4):
        ring = attrs.evolve(ring, keys=(*ring.keys, await cipher.create_key(ring)))
    ring = attrs.evolve(ring, keys=(*ring.keys, WrappedKey(5, KeyState.DESTROYED, b"check", _SLOTS[0])))
    keys = tuple(attrs.evolve(key, state=_STATES[key.version], created_at=_MADE) for key in ring.keys)
    return await put(cipher, ring, keys=keys, recovery=("one", "two"))


def _changes(ring: KeyRing) -> Iterator[tuple[str, KeyRing]]:
    """Return the ring with every part of it changed in turn, and what was changed."""
    changes = [*_field_changes(ring), *_key_changes(ring), *_key_lists(ring)]
    yield from ((f"{name}: {value!r}", _evolved(ring, {name: value})) for name, value in changes)
    yield "another key seals", _evolved(in_states(ring, {3: KeyState.DECRYPT, 4: KeyState.ACTIVE}), {"active": 4})
    yield "a retired key is back", _evolved(in_states(ring, {1: KeyState.DECRYPT}), {"min_decrypt": 0})


def _evolved(ring: KeyRing, changes: dict[str, Any]) -> KeyRing:
    return attrs.evolve(ring, **changes)


def _field_changes(ring: KeyRing) -> Iterator[tuple[str, Any]]:
    for name, values in _FIELDS.items():
        yield from ((name, value) for value in values)
    for name, now in (("hash_key", ring.hash_key), ("mac", ring.mac)):
        yield from ((name, value) for value in (b"", now[:-1], now + b"\0", flip(now, 0), flip(now, -1)))
    yield from (("version", version) for version in (0, ring.version - 1, ring.version + 1))


def _key_changes(ring: KeyRing) -> Iterator[tuple[str, Any]]:
    """Return each key of the ring changed in every way, the others beside it as they are."""
    for key in ring.keys:
        for name, value in _one_key_changes(key):
            yield "keys", with_key(ring, key.version, **{name: value}).keys


def _one_key_changes(key: WrappedKey) -> Iterator[tuple[str, Any]]:
    yield from (("state", state) for state in KeyState if state is not key.state)
    yield from (("created_at", made) for made in (None, _MADE + timedelta(microseconds=1)))
    yield from (("check", check) for check in (b"", flip(key.check, 0)))
    yield "version", 6
    first, *others = key.slots
    yield "slots", (attrs.evolve(first, provider=first.provider + "?"), *others)
    yield "slots", (*key.slots, KeySlot("another", b"slot"))
    if key.state is KeyState.DESTROYED:
        yield from (("slots", slots) for slots in _SLOTS[1:])


def _key_lists(ring: KeyRing) -> Iterator[tuple[str, Any]]:
    keys = ring.keys
    yield from (("keys", keys[:at] + keys[at + 1 :]) for at in range(len(keys)))
    yield "keys", keys[::-1]
    yield "keys", (*keys, attrs.evolve(keys[0], version=6))
    yield "keys", ()


_STATES = {
    1: KeyState.RETIRED,
    2: KeyState.DECRYPT,
    3: KeyState.ACTIVE,
    4: KeyState.STAGED,
    5: KeyState.DESTROYED,
}
_FIELDS: dict[str, tuple[Any, ...]] = {
    "id": (OTHER_RING,),
    "active": (1, 2, 4, 5, 6),
    "min_decrypt": (-1, 0, 1, 3, 4),
    "frozen": (True,),
    "epoch": (1, 2, 4),
    "recovery": ((), ("one",), ("two",), ("two", "one"), ("onetwo",), ("one", "two", ""), ("one", "two", "three")),
}
_SLOTS = (
    (KeySlot("one", b"two"), KeySlot("three", b"four")),
    (),
    (KeySlot("one", b"two"),),
    (KeySlot("three", b"four"), KeySlot("one", b"two")),
    (KeySlot("one", b"tw0"), KeySlot("three", b"four")),
    (KeySlot("onet", b"wo"), KeySlot("three", b"four")),
    (KeySlot("one", b"twothree"), KeySlot("", b"four")),
    (KeySlot("one", b"two"), KeySlot("three", b"fours")),
)


def _with_blob(ring: KeyRing, blob: bytes) -> KeyRing:
    slot = attrs.evolve(ring.keys[0].slots[0], blob=blob)
    return with_key(ring, 1, slots=(slot,))
