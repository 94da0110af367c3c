"""Whatever is done to a sealed message, none opens, and the error says what was done. `None` stands for: it opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore.errors import KeyUnavailable
from tigercore_envelope import Kek, Malformed, Tampered, WrongKeyOrContext, lp, seal, unseal

_KEY = os.urandom(32)
_KEK = Kek(7, _KEY)
_PLACE = b"a place"
_SEALED = seal(_KEK, os.urandom(600), _PLACE)  # three blocks: 870 bytes
_SHORT = seal(_KEK, b"short", _PLACE)  # one block: 358 bytes

_FIELDS = {
    "magic": slice(0, 4),
    "suite": slice(4, 6),
    "version": slice(6, 10),
    "salt": slice(10, 42),
    "nonce": slice(42, 54),
    "commitment": slice(54, 86),
    "body": slice(86, -16),
    "tag": slice(-16, None),
}
_HEADER = {"version", "salt", "nonce", "commitment"}


def _error(sealed: bytes, place: bytes = _PLACE, keks: Mapping[int, Kek] | None = None) -> type[Exception] | None:
    """Return with which of the four errors a message is refused, None if it opens; another error ends the test."""
    try:
        unseal(sealed, keks or {7: _KEK}, place)
    except (Malformed, KeyUnavailable, WrongKeyOrContext, Tampered) as error:
        return type(error)
    return None


def _unlike(usual: type[Exception], sealed: Iterable[tuple[int, bytes]]) -> dict[int, type[Exception] | None]:
    """Return what is not refused as usual."""
    errors = {at: _error(each) for at, each in sealed}
    return {at: error for at, error in errors.items() if error is not usual}


# -- bits and lengths --------------------------------------------------------------------------------------


def _flipped(sealed: bytes, bit: int) -> bytes:
    changed = bytearray(sealed)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _errors_of_flips(keks: Mapping[int, Kek]) -> dict[str, set[type[Exception] | None]]:
    sealed = seal(_KEK, os.urandom(1700), _PLACE)
    everywhere = range(len(sealed) * 8)
    spans = {name: everywhere[slice(*(at and at * 8 for at in (f.start, f.stop)))] for name, f in _FIELDS.items()}
    assert len(everywhere) == sum(map(len, spans.values()))
    return {name: {_error(_flipped(sealed, bit), keks=keks) for bit in span} for name, span in spans.items()}


_OF_FLIPS = {
    "magic": {Malformed},
    "suite": {Malformed},
    "version": {KeyUnavailable},
    "salt": {WrongKeyOrContext},
    "nonce": {WrongKeyOrContext},
    "commitment": {WrongKeyOrContext},
    "body": {Tampered},
    "tag": {Tampered},
}


def test_every_flipped_bit_is_refused_for_what_it_is() -> None:
    assert _OF_FLIPS == _errors_of_flips({7: _KEK})


def test_a_flipped_version_is_seen_though_the_reader_has_that_very_key_as_that_version() -> None:
    keks = {version: Kek(version, _KEY) for version in [7, *(7 ^ 1 << bit for bit in range(32))]}
    assert _OF_FLIPS | {"version": {WrongKeyOrContext}} == _errors_of_flips(keks)


def test_every_suite_but_ours_is_refused() -> None:
    suites = ((suite, b"TGC1" + suite.to_bytes(2, "big") + _SHORT[6:]) for suite in range(2**16))
    assert {1: None} == _unlike(Malformed, suites)


def test_every_truncation_is_refused() -> None:
    cuts = ((size, _SEALED[:size]) for size in range(len(_SEALED)))
    assert {358: Tampered, 614: Tampered} == _unlike(Malformed, cuts)


def test_every_loss_of_the_first_bytes_is_refused() -> None:
    assert {} == _unlike(Malformed, ((size, _SEALED[size:]) for size in range(1, len(_SEALED) + 1)))


_EXTRAS = {"zeros": bytes(600), "random": os.urandom(600), "its start": _SEALED[:600], "its end": _SEALED[-600:]}


@pytest.mark.parametrize("extra", _EXTRAS.values(), ids=_EXTRAS)
def test_every_extension_is_refused(extra: bytes) -> None:
    longer = ((size, _SEALED + extra[:size]) for size in range(1, 601))
    assert {256: Tampered, 512: Tampered} == _unlike(Malformed, longer)


def test_every_extension_of_the_front_is_refused() -> None:
    assert {} == _unlike(Malformed, ((size, (_SEALED * 2)[-len(_SEALED) - size :]) for size in range(1, 601)))


def test_every_repetition_of_a_whole_message_is_refused() -> None:
    assert {129: Tampered} == _unlike(Malformed, ((times, _SHORT * times) for times in range(2, 200)))  # there it fits


@pytest.mark.parametrize("field", _FIELDS.values(), ids=_FIELDS)
@pytest.mark.parametrize("times", [0, 2])
def test_a_field_that_is_missing_or_there_twice_is_refused(field: slice, times: int) -> None:
    start, stop, _ = field.indices(len(_SHORT))
    changed = _SHORT[:start] + _SHORT[field] * times + _SHORT[stop:]
    assert (Tampered if len(changed) == 614 else Malformed) is _error(changed)


# -- swaps between messages, places and keys ---------------------------------------------------------------


def _blend(one: bytes, two: bytes, taken: set[str]) -> bytes:
    """Return the one message with the fields that are taken from the other."""
    return b"".join((two if name in taken else one)[field] for name, field in _FIELDS.items())


@pytest.mark.parametrize("second", [_KEY, os.urandom(32)], ids=["one key as both", "two keys"])
def test_no_blend_of_two_messages_opens(second: bytes) -> None:
    keks = {7: _KEK, 8: Kek(8, second)}
    one, two = seal(keks[7], b"one", _PLACE), seal(keks[8], b"two", _PLACE)
    names = [name for name in _FIELDS if one[_FIELDS[name]] != two[_FIELDS[name]]]
    blends = [set(taken) for size in range(1, len(names)) for taken in combinations(names, size)]
    assert ["version", "salt", "nonce", "commitment", "body", "tag"] == names
    expected = [Tampered if taken & _HEADER in (set(), _HEADER) else WrongKeyOrContext for taken in blends]
    assert expected == [_error(_blend(one, two, taken), keks=keks) for taken in blends]


_BASE = [b"tigercore.ctx.1", bytes(16), b"tc_account", bytes([1] * 16), b"credentials", (5).to_bytes(8, "big")]
_COLUMNS = [b"U0000001", b"STANDARD", b"production", b"developer", b"=TBHK", b"=https://openapi.example"]


def _place(at: int | None = None, part: bytes = b"") -> bytes:
    parts = [*_BASE, *_COLUMNS]
    return lp(*(part if index == at else old for index, old in enumerate(parts)))


_PLACES = {
    "itself": _place(),
    "domain": _place(0, b"tigercore.ctx.2"),
    "ring": _place(1, os.urandom(16)),
    "table": _place(2, b"tc_token"),
    "row": _place(3, os.urandom(16)),
    "field": _place(4, b"token"),
    "generation before": _place(5, (4).to_bytes(8, "big")),
    "generation after": _place(5, (6).to_bytes(8, "big")),
    "generation, little-endian": _place(5, (5).to_bytes(8, "little")),
    "number": _place(6, b"U0000002"),
    "type": _place(7, b"PAPER"),
    "environment": _place(8, b"sandbox"),
    "developer": _place(9, b"another"),
    "licence": _place(10, b"=TBSG"),
    "empty licence": _place(10, b"="),
    "no licence": _place(10),
    "server": _place(11, b"=https://evil.example"),
    "no server": _place(11),
    "two columns swapped": lp(*_BASE, _COLUMNS[1], _COLUMNS[0], *_COLUMNS[2:]),
    "a letter moved": lp(*_BASE, b"U000000", b"1STANDARD", *_COLUMNS[2:]),
    "two columns as one": lp(*_BASE, b"U0000001STANDARD", *_COLUMNS[2:]),
    "a column less": lp(*_BASE, *_COLUMNS[:-1]),
    "a column more": lp(*_BASE, *_COLUMNS, b""),
    "no column": lp(*_BASE),
    "a list within": lp(*_BASE, lp(*_COLUMNS)),
    "no place": b"",
}


def test_a_message_opens_in_no_place_but_its_own() -> None:
    sealed = {name: seal(_KEK, b"secret", place) for name, place in _PLACES.items()}
    expected = {pair: None if pair[0] == pair[1] else WrongKeyOrContext for pair in product(_PLACES, repeat=2)}
    assert expected == {(was, now): _error(sealed[was], _PLACES[now]) for was, now in expected}


def test_a_message_opens_by_no_key_but_its_own_whatever_version_it_claims() -> None:
    keks = {version: Kek(version, os.urandom(32)) for version in (0, 1, 2, 256, 2**32 - 1)}
    sealed = {version: seal(kek, b"secret", _PLACE) for version, kek in keks.items()}
    expected = {pair: None if pair[0] == pair[1] else WrongKeyOrContext for pair in product(keks, repeat=2)}
    claims = {(was, now): sealed[was][:6] + now.to_bytes(4, "big") + sealed[was][10:] for was, now in expected}
    assert expected == {pair: _error(claim, keks=keks) for pair, claim in claims.items()}


# -- whatever comes ----------------------------------------------------------------------------------------

_AT = st.integers(0, len(_SEALED))
_SPLICES = st.lists(st.tuples(_AT, _AT, st.binary(max_size=300)), min_size=1, max_size=4)


@given(st.binary(max_size=1000))
def test_arbitrary_bytes_never_open(garbage: bytes) -> None:
    assert Malformed is _error(garbage)


@given(st.integers(1, 3).flatmap(lambda blocks: st.binary(min_size=92 + 256 * blocks, max_size=92 + 256 * blocks)))
def test_arbitrary_bytes_of_a_length_that_fits_behind_a_good_start_never_open(garbage: bytes) -> None:
    assert WrongKeyOrContext is _error(_SHORT[:10] + garbage)


@given(st.integers(0, 3).flatmap(lambda blocks: st.binary(min_size=16 + 256 * blocks, max_size=16 + 256 * blocks)))
def test_arbitrary_bytes_behind_a_good_header_never_open(garbage: bytes) -> None:
    assert (Tampered if len(garbage) > 16 else Malformed) is _error(_SHORT[:86] + garbage)


@given(_SPLICES)
def test_no_splice_of_a_message_opens(splices: list[tuple[int, int, bytes]]) -> None:
    changed = _SEALED
    for start, stop, new in splices:
        changed = changed[:start] + new + changed[stop:]
    assert (changed == _SEALED) is (_error(changed) is None)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_message_opens_in_arbitrary_places_only_if_they_are_one(was: bytes, now: bytes) -> None:
    assert (None if was == now else WrongKeyOrContext) is _error(seal(_KEK, b"secret", was), now)
