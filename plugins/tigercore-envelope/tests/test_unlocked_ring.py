"""The MAC of a ring, the hash key, and what a message is bound to, without any root."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeySlot, KeyState, WrappedKey
from tigercore_envelope import Kek, UnlockedRing, lp, seal, unseal
from tigercore_envelope.envelope import key_of
from tigercore_envelope.ring import _canonical

_KEYS = {version: os.urandom(32) for version in (1, 2, 3)}
_KEKS = {version: Kek(version, key) for version, key in _KEYS.items()}
_MADE = datetime(2026, 1, 5, 12, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _key(version: int, state: KeyState, *slots: KeySlot) -> WrappedKey:
    return WrappedKey(version, state, _KEKS[version].check(), slots or (KeySlot("root", b"blob"),), _MADE)


_DRAFT = KeyRing(
    UUID(int=5),
    active=2,
    keys=(
        _key(1, KeyState.DECRYPT),
        _key(2, KeyState.ACTIVE, KeySlot("root", b"blob"), KeySlot("age1", b"another")),
        _key(3, KeyState.STAGED),
    ),
    min_decrypt=1,
    epoch=4,
    recovery=("age1", "age2"),
    version=6,
)


def _put(ring: KeyRing, keks: Mapping[int, Kek] = _KEKS) -> KeyRing:
    """Return the ring as a store keeps it."""
    ready = UnlockedRing.of(ring, keks).authenticated(ring)
    return attrs.evolve(ready, version=ready.version + 1)


_RING = _put(_DRAFT)


def _refuses(ring: KeyRing, keks: Mapping[int, Kek] = _KEKS) -> bool:
    try:
        UnlockedRing.of(ring, keks).verify(ring)
    except KeyUnavailable:
        return True
    return False


# -- the MAC, written here a second time -------------------------------------------------------------------


def _number(number: int) -> bytes:
    return number.to_bytes(8, "big", signed=True)


def _fields(ring: KeyRing) -> list[bytes]:
    numbers = [_number(n) for n in (ring.version, ring.active, ring.min_decrypt, ring.frozen, ring.epoch)]
    recovery = lp(*(recipient.encode() for recipient in ring.recovery))
    keys = []
    for key in ring.keys:
        slots = [part for slot in key.slots for part in (slot.provider.encode(), slot.blob)]
        made = b"" if key.created_at is None else _number((key.created_at - _EPOCH) // timedelta(microseconds=1))
        keys.append(lp(_number(key.version), key.state.value.encode(), key.check, made, *slots))
    return [b"tigercore.ring.1", ring.id.bytes, *numbers, recovery, ring.hash_key, lp(*keys)]


def _with_mac(key: bytes, fields: list[bytes]) -> KeyRing:
    return attrs.evolve(_RING, mac=hmac.digest(key, lp(*fields), "sha256"))


def _part(kek: bytes) -> bytes:
    """HKDF-SHA256 of 32 bytes, as RFC 5869 has it."""
    return hmac.digest(hmac.digest(bytes(32), kek, "sha256"), b"tigercore/ring\1", "sha256")


def _mac_key(*keks: bytes) -> bytes:
    return hashlib.sha256(b"".join(map(_part, keks))).digest()


_MAC_KEY = _mac_key(*_KEYS.values())


def test_the_mac_is_hmac_of_every_field_under_all_keys_that_open_in_their_order() -> None:
    assert _RING == _with_mac(_MAC_KEY, _fields(_RING))
    assert not _refuses(_RING)


@pytest.mark.parametrize(
    "key",
    [
        *(b"", bytes(32), _RING.id.bytes, _KEYS[2], _part(_KEYS[2]), _mac_key(os.urandom(32))),
        *(_mac_key(_KEYS[1]), _mac_key(_KEYS[2]), _mac_key(_KEYS[1], _KEYS[2]), _mac_key(_KEYS[2], _KEYS[3])),
        _mac_key(*reversed(_KEYS.values())),
    ],
    ids=[
        *("none", "zeros", "the ring's id", "the key itself", "the active key's part", "another ring's"),
        *("the first alone", "the active alone", "all but the staged", "all but the first", "another order"),
    ],
)
def test_a_mac_under_any_other_key_is_refused(key: bytes) -> None:
    assert _refuses(_with_mac(key, _fields(_RING)))


def test_a_plain_hash_is_no_mac() -> None:
    assert _refuses(attrs.evolve(_RING, mac=hashlib.sha256(lp(*_fields(_RING))).digest()))


def test_a_mac_that_is_cut_is_refused() -> None:
    assert [True] * 32 == [_refuses(attrs.evolve(_RING, mac=_RING.mac[:size])) for size in range(32)]


@pytest.mark.parametrize("at", range(9))
def test_a_mac_of_the_fields_in_another_order_is_refused(at: int) -> None:
    fields = _fields(_RING)
    fields[at], fields[at + 1] = fields[at + 1], fields[at]
    assert _refuses(_with_mac(_MAC_KEY, fields))


def test_a_ring_without_a_hash_key_was_never_authenticated() -> None:
    bare = attrs.evolve(_RING, hash_key=b"")
    assert _refuses(attrs.evolve(bare, mac=hmac.digest(_MAC_KEY, lp(*_fields(bare)), "sha256")))


def test_the_ring_is_authenticated_for_the_version_that_it_will_have() -> None:
    ready = UnlockedRing.of(_DRAFT, _KEKS).authenticated(_DRAFT)
    refused = [_refuses(attrs.evolve(ready, version=version)) for version in (6, 7, 8)]
    assert [True, False, True] == refused


# -- every field is in it: those that are added later, too -------------------------------------------------


def _other(value: Any) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, Enum):
        return next(member for member in type(value) if member is not value)
    if isinstance(value, int):
        return value + 1
    if isinstance(value, bytes):
        return value + b"\0"
    if isinstance(value, str):
        return value + "?"
    if isinstance(value, UUID):
        return UUID(int=value.int ^ 1)
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, tuple):
        return value[1:]
    raise TypeError(f"say what another {type(value).__name__} is")


def _changed(holder: Any, name: str) -> Any:
    return attrs.evolve(holder, **{name: _other(getattr(holder, name))})


def _changes() -> Iterator[tuple[str, KeyRing]]:
    yield from ((field.name, _changed(_RING, field.name)) for field in attrs.fields(KeyRing))
    for at, key in enumerate(_RING.keys):
        for field in attrs.fields(WrappedKey):
            yield f"key {key.version} {field.name}", _with_key(at, _changed(key, field.name))
        for slot in range(len(key.slots)):
            for field in attrs.fields(KeySlot):
                changed = [*key.slots[:slot], _changed(key.slots[slot], field.name), *key.slots[slot + 1 :]]
                name = f"key {key.version} slot {slot} {field.name}"
                yield name, _with_key(at, attrs.evolve(key, slots=tuple(changed)))


def _with_key(at: int, key: WrappedKey) -> KeyRing:
    return attrs.evolve(_RING, keys=(*_RING.keys[:at], key, *_RING.keys[at + 1 :]))


def _covered(ring: KeyRing) -> bool:
    """Say whether the MAC tells this ring from the one that it was made for; `mac` itself is compared, not covered."""
    return _canonical(ring, ring.version) != _canonical(_RING, _RING.version) or ring.mac != _RING.mac


@pytest.mark.parametrize("name", [name for name, _ in _changes()])
def test_no_field_can_be_changed_without_the_mac_being_wrong(name: str) -> None:
    assert _covered(dict(_changes())[name])


_small = st.integers(0, 1)
_texts = st.text("ab", max_size=1)
_blobs = _texts.map(str.encode)
_key_slots = st.lists(st.builds(KeySlot, _texts, _blobs), max_size=2).map(tuple)
_moments = st.none() | st.just(_MADE)
_keys = st.builds(WrappedKey, _small, st.sampled_from([*KeyState][:2]), _blobs, _key_slots, _moments)
_key_lists = st.lists(_keys, max_size=2).map(tuple)
_recipients = st.lists(_texts, max_size=2).map(tuple)
_rings = st.builds(KeyRing, st.just(UUID(int=5)), _small, _key_lists, recovery=_recipients, hash_key=_blobs)


@given(_rings, _rings)
def test_two_rings_give_the_same_bytes_only_if_they_are_the_same(one: KeyRing, two: KeyRing) -> None:
    assert (one == two) == (_canonical(one, 1) == _canonical(two, 1))


# -- messages and hashes -----------------------------------------------------------------------------------


def test_a_message_is_bound_to_its_ring_before_its_place() -> None:
    sealed = UnlockedRing.of(_RING, _KEKS).seal(b"secret", lp(b"place"))
    assert b"secret" == unseal(sealed, _KEKS, lp(b"tigercore.ctx.1", _RING.id.bytes, b"place"))


def test_a_hash_is_hmac_under_a_key_of_its_purpose() -> None:
    unlocked = UnlockedRing.of(_RING, _KEKS)
    hash_key = unlocked.unseal(_RING.hash_key, lp(b"tc_key_ring", b"hash_key"))
    expected = hmac.digest(Kek(0, hash_key).derive(lp(b"tigercore/mac", b"index"), 32), b"data", "sha256")
    assert expected == unlocked.mac(b"data", "index")


def test_the_hash_key_goes_with_the_active_key_and_stays_the_same() -> None:
    keys = (attrs.evolve(_RING.keys[0], state=KeyState.ACTIVE), attrs.evolve(_RING.keys[1], state=KeyState.DECRYPT))
    assert _RING.hash_key == _put(_RING).hash_key
    turned = _put(attrs.evolve(_RING, active=1, keys=(*keys, _RING.keys[2])))
    assert (2, 1) == (key_of(_RING.hash_key), key_of(turned.hash_key))
    assert 1 == len({UnlockedRing.of(ring, _KEKS).mac(b"data", "index") for ring in (_RING, turned)})


def test_nothing_is_hashed_without_a_hash_key() -> None:
    with pytest.raises(KeyUnavailable, match="changed by something else"):
        UnlockedRing.of(_DRAFT, _KEKS).mac(b"data", "index")


@pytest.mark.parametrize("place", [b"", lp(b"tc_key_ring"), lp(b"tc_account", b"hash_key")])
def test_a_hash_key_from_another_place_does_not_open(place: bytes) -> None:
    elsewhere = seal(_KEKS[2], bytes(32), lp(b"tigercore.ctx.1", _RING.id.bytes) + place)
    with pytest.raises(KeyUnavailable, match="its hash key does not open"):
        UnlockedRing.of(attrs.evolve(_RING, hash_key=elsewhere), _KEKS)


def test_an_unlocked_ring_shows_no_key() -> None:
    shown = repr(UnlockedRing.of(_RING, _KEKS))
    assert "keks={1: <Kek 1>, 2: <Kek 2>, 3: <Kek 3>}" in shown
    assert [] == [key for key in _KEYS.values() if key.hex() in shown or repr(key)[2:-1] in shown]
