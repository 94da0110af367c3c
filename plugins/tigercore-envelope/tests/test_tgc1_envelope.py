"""How the envelope behaves; what its bytes are is in `test_vectors_golden.py`, what it refuses in its neighbours."""

from __future__ import annotations

import copy
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore_envelope import Kek, key_of, seal, unseal

_KEY = bytes(range(32))
_KEK = Kek(7, _KEY)
_KEKS = {7: _KEK}
_PLACE = b"a place"


# -- messages ----------------------------------------------------------------------------------------------


@given(st.binary(max_size=2000), st.binary(max_size=60))
def test_every_message_opens_in_its_place(message: bytes, place: bytes) -> None:
    assert message == unseal(seal(_KEK, message, place), _KEKS, place)


@pytest.mark.parametrize(("size", "padded"), [(0, 256), (252, 256), (253, 512), (1700, 1792)])
def test_a_message_shows_its_length_in_steps_of_256_bytes(size: int, padded: int) -> None:
    assert 86 + padded + 16 == len(seal(_KEK, bytes(size), _PLACE))


@pytest.mark.parametrize("field", [slice(10, 42), slice(42, 54), slice(54, 86), slice(86, -16), slice(-16, None)])
def test_the_same_message_is_never_sealed_alike(field: slice) -> None:
    assert 50 == len({seal(_KEK, b"secret", _PLACE)[field] for _ in range(50)})


@pytest.mark.parametrize("version", [0, 1, 2**32 - 1])
def test_a_message_names_the_version_of_its_key(version: int) -> None:
    assert version == key_of(seal(Kek(version, _KEY), b"secret", _PLACE))


_GOOD = seal(_KEK, b"secret", _PLACE)


@pytest.mark.parametrize(
    ("sealed", "place", "message"),
    [
        (_GOOD[:-1], _PLACE, "not a TGC1 message: the length does not fit"),
        (b"TGC2" + _GOOD[4:], _PLACE, "not a TGC1 message: it begins otherwise"),
        (b"TGC1\0\2" + _GOOD[6:], _PLACE, "a TGC1 message of suite 2, which this release does not read"),
        (b"TGC1\0\1\0\0\0\1" + _GOOD[10:], _PLACE, "the ring has no key 1 that opens messages"),
        (_GOOD, b"elsewhere", "sealed for another place, or with another key than this version 7"),
        (_GOOD[:-1] + bytes([_GOOD[-1] ^ 1]), _PLACE, "changed since it was sealed with key 7: restore it"),
    ],
    ids=["length", "magic", "suite", "version", "place", "tag"],
)
def test_a_refusal_says_what_is_wrong(sealed: bytes, place: bytes, message: str) -> None:
    with pytest.raises((DecryptionFailed, KeyUnavailable), match=message):
        unseal(sealed, _KEKS, place)


# -- keys --------------------------------------------------------------------------------------------------


def test_the_check_of_a_key_is_hkdf_of_kcv() -> None:
    prk = hmac.digest(bytes(32), _KEY, hashlib.sha256)
    assert hmac.digest(prk, b"kcv\1", hashlib.sha256)[:16] == _KEK.check()


def test_a_key_shows_its_version_alone() -> None:
    assert "<Kek 7>" == f"{_KEK!r}" == f"{_KEK}"


def test_a_key_cannot_be_copied() -> None:
    with pytest.raises(TypeError):
        copy.deepcopy(_KEK)


def test_a_key_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Kek(1, b"short")
