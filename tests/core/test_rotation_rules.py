"""The rules of a key ring's life, and the text that carries a ring."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore import KeyRing, KeySlot, KeyState, KeyUnavailable, WrappedKey
from tigercore import _rotation as rotation
from tigercore._ringfile import dump, parse

_moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
_slots = st.lists(st.builds(KeySlot, st.text(max_size=9), st.binary(max_size=9)), max_size=3).map(tuple)
_keys = st.builds(WrappedKey, st.integers(1, 9), st.sampled_from(KeyState), st.binary(), _slots, st.none() | _moments)
_rings = st.builds(
    KeyRing,
    id=st.uuids(),
    active=st.integers(1, 9),
    keys=st.lists(_keys, max_size=4).map(tuple),
    min_decrypt=st.integers(0, 9),
    frozen=st.booleans(),
    epoch=st.integers(1, 9),
    recovery=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    hash_key=st.binary(max_size=9),
    mac=st.binary(max_size=9),
    version=st.integers(0, 9),
)


def key(version: int, state: KeyState, *roots: str) -> WrappedKey:
    return WrappedKey(version, state, b"check", tuple(KeySlot(root, b"blob") for root in roots or ("root",)))


FRESH = KeyRing(UUID(int=1), 1, (key(1, KeyState.ACTIVE),))
STAGED = rotation.staged(FRESH, key(2, KeyState.STAGED))


def states(ring: KeyRing | None) -> list[KeyState]:
    assert ring is not None
    return [each.state for each in ring.keys]


def activated() -> KeyRing:
    ring = rotation.activated(STAGED)
    assert ring is not None
    return ring


def retired() -> KeyRing:
    ring = rotation.retired(activated())
    assert ring is not None
    return ring


def test_a_staged_key_does_not_seal() -> None:
    assert (1, [KeyState.ACTIVE, KeyState.STAGED]) == (STAGED.active, states(STAGED))


def test_an_activated_key_seals_and_the_one_before_still_opens() -> None:
    assert (2, [KeyState.DECRYPT, KeyState.ACTIVE]) == (activated().active, states(activated()))


def test_retiring_raises_the_floor() -> None:
    assert (2, [KeyState.RETIRED, KeyState.ACTIVE]) == (retired().min_decrypt, states(retired()))


def test_destroying_leaves_nothing_of_a_key() -> None:
    ring = rotation.destroyed(retired())
    assert [KeyState.DESTROYED, KeyState.ACTIVE] == states(ring)
    assert ring is not None
    assert () == ring.keys[0].slots


@pytest.mark.parametrize("rule", [rotation.activated, rotation.retired, rotation.destroyed])
def test_a_step_that_was_taken_already_is_nothing(rule: object) -> None:
    assert None is rule(FRESH)  # type: ignore[operator]


def test_a_ring_tells_whether_a_rotation_was_begun() -> None:
    assert [False, True, True, False] == [rotation.is_rotating(r) for r in (FRESH, STAGED, activated(), retired())]


def test_who_thaws_writes_a_ring_that_is_newer_in_any_case() -> None:
    assert [False, False] == [rotation.thawed(ring).frozen for ring in (FRESH, rotation.frozen(FRESH))]


def test_freezing_kills_what_is_of_this_epoch() -> None:
    ring = rotation.frozen(FRESH)
    assert (True, 2) == (ring.frozen, ring.epoch)


def test_dropping_the_only_root_of_a_key_in_use_is_refused() -> None:
    with pytest.raises(KeyUnavailable, match="no root would be left that opens key 1"):
        rotation.only_with_roots(FRESH, {"another"})


def test_a_retired_key_may_lose_its_roots() -> None:
    ring = attrs.evolve(retired(), keys=(key(1, KeyState.RETIRED, "old"), key(2, KeyState.ACTIVE, "old", "new")))
    assert [(), ("new",)] == [
        tuple(slot.provider for slot in each.slots) for each in rotation.only_with_roots(ring, {"new"}).keys
    ]


def test_a_recovery_recipient_stands_once() -> None:
    ring = rotation.with_recovery(rotation.with_recovery(FRESH))
    assert ("root",) == ring.recovery


@given(_rings)
def test_a_ring_comes_back_from_its_text_as_it_was(ring: KeyRing) -> None:
    assert ring == parse(dump(ring))


@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(str))
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(KeyUnavailable, match="not a key ring"):
        parse(text)


_ODD = {
    "a negative number": attrs.evolve(FRESH, epoch=-1),
    "a number that is too large": attrs.evolve(FRESH, version=2**62 + 1),
    "a floor that is too large": attrs.evolve(FRESH, min_decrypt=2**64),
    "an active key zero": attrs.evolve(FRESH, active=0),
    "a key zero": attrs.evolve(FRESH, keys=(key(0, KeyState.ACTIVE),)),
    "a key that is too large": attrs.evolve(FRESH, keys=(key(2**63, KeyState.ACTIVE),)),
    "a time without a zone": attrs.evolve(FRESH, keys=(attrs.evolve(FRESH.keys[0], created_at=datetime(2026, 1, 5)),)),
    "a recipient that is no text": attrs.evolve(FRESH, recovery=("age1\ud800",)),
    "a root whose name is no text": attrs.evolve(FRESH, keys=(key(1, KeyState.ACTIVE, "\udfff"),)),
}


@pytest.mark.parametrize("name", _ODD)
def test_a_ring_with_a_value_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(KeyUnavailable, match="not a key ring"):
        parse(dump(_ODD[name]))


def test_a_ring_with_the_largest_number_is_read() -> None:
    ring = attrs.evolve(FRESH, version=2**62)
    assert ring == parse(dump(ring))


@pytest.mark.parametrize("name", [each.name for each in attrs.fields(KeyRing) if each.name in ("id", "active")])
def test_a_ring_that_lacks_a_field_is_refused(name: str) -> None:
    with pytest.raises(KeyUnavailable, match="not a key ring"):
        parse(dump(FRESH).replace(f'"{name}"', '"other"'))
