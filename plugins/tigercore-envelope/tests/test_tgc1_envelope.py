from __future__ import annotations

import copy
import hashlib
import hmac
import os
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore_envelope import Kek, Malformed, Tampered, WrongKeyOrContext, lp, seal, unseal

_KEY = bytes(range(32))
_KEK = Kek(7, _KEY)
_KEKS = {7: _KEK}
_PLACE = b"a place"


def _okm(key: bytes, sealed: bytes, place: bytes) -> bytes:
    """RFC 5869, written out, over the fields as they stand in the message."""
    info = lp(b"tigercore/TGC1", sealed[4:10], sealed[42:54], place)
    prk = hmac.digest(sealed[10:42], key, "sha256")
    first = hmac.digest(prk, info + b"\1", "sha256")
    return first + hmac.digest(prk, first + info + b"\2", "sha256")


def _forge(padded: bytes) -> bytes:
    """Seal padded bytes as they are, by the page's own words."""
    start = b"TGC1\0\1\0\0\0\7" + os.urandom(44)
    okm = _okm(_KEY, start, _PLACE)
    header = start + okm[32:]
    return header + AESGCM(okm[:32]).encrypt(start[42:], padded, header + _PLACE)


def _swap(one: bytes, two: bytes, field: slice) -> bytes:
    return one[: field.start] + two[field] + one[field.stop :]


# -- the format --------------------------------------------------------------------------------------------


def test_a_message_is_laid_out_as_the_format_says() -> None:
    sealed = seal(_KEK, b"secret", _PLACE)
    okm = _okm(_KEY, sealed, _PLACE)
    padded = AESGCM(okm[:32]).decrypt(sealed[42:54], sealed[86:], sealed[:86] + _PLACE)
    assert (b"TGC1\0\1\0\0\0\7", okm[32:], b"\0\0\0\6secret" + bytes(246)) == (sealed[:10], sealed[54:86], padded)


def test_a_message_that_others_sealed_by_the_format_opens() -> None:
    assert b"secret" == unseal(_forge(b"\0\0\0\6secret" + bytes(246)), _KEKS, _PLACE)


@pytest.mark.parametrize(("size", "padded"), [(0, 256), (252, 256), (253, 512), (1700, 1792)])
def test_a_message_shows_its_length_in_steps_of_256_bytes(size: int, padded: int) -> None:
    assert 86 + padded + 16 == len(seal(_KEK, bytes(size), _PLACE))


@given(st.binary(max_size=2000), st.binary(max_size=60))
def test_every_message_opens_in_its_place(message: bytes, place: bytes) -> None:
    assert message == unseal(seal(_KEK, message, place), _KEKS, place)


# -- what is refused ---------------------------------------------------------------------------------------


def _all_flips(sealed: bytes) -> Iterator[tuple[int, bytes]]:
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        yield bit // 8, bytes(changed)


def _error_of(at: int) -> type[Exception]:
    if at < 6:
        return Malformed
    if at < 10:
        return KeyUnavailable
    return WrongKeyOrContext if at < 86 else Tampered


def test_every_flipped_bit_of_a_message_is_refused_for_what_it_is() -> None:
    sealed = seal(_KEK, os.urandom(1700), _PLACE)
    for at, changed in _all_flips(sealed):
        with pytest.raises(_error_of(at)):
            unseal(changed, _KEKS, _PLACE)


def test_every_truncation_is_refused() -> None:
    sealed = seal(_KEK, bytes(600), _PLACE)
    for size in range(len(sealed)):
        with pytest.raises(DecryptionFailed):
            unseal(sealed[:size], _KEKS, _PLACE)


@given(st.binary(min_size=1, max_size=600))
def test_every_extension_is_refused(extra: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        unseal(seal(_KEK, b"secret", _PLACE) + extra, _KEKS, _PLACE)


@given(st.binary(max_size=800))
def test_whatever_comes_only_the_two_errors_leave(garbage: bytes) -> None:
    with pytest.raises((DecryptionFailed, KeyUnavailable)):
        unseal(garbage, _KEKS, _PLACE)


@given(st.binary(min_size=614, max_size=614))
def test_garbage_behind_a_good_start_is_refused(garbage: bytes) -> None:
    with pytest.raises(WrongKeyOrContext):
        unseal(seal(_KEK, b"", _PLACE)[:10] + garbage[:604], _KEKS, _PLACE)


@pytest.mark.parametrize("field", [slice(10, 42), slice(42, 54), slice(54, 86), slice(10, 86)])
def test_no_field_of_the_header_may_come_from_another_message(field: slice) -> None:
    one, two = seal(_KEK, b"one", _PLACE), seal(_KEK, b"two", _PLACE)
    with pytest.raises(WrongKeyOrContext if field.stop - field.start < 76 else Tampered):
        unseal(_swap(one, two, field), _KEKS, _PLACE)


@pytest.mark.parametrize("field", [slice(86, 342), slice(342, 358), slice(86, 358)])
def test_no_part_of_the_body_may_come_from_another_message(field: slice) -> None:
    one, two = seal(_KEK, b"one", _PLACE), seal(_KEK, b"two", _PLACE)
    with pytest.raises(Tampered):
        unseal(_swap(one, two, field), _KEKS, _PLACE)


def test_a_message_in_another_place_is_told_from_a_changed_one() -> None:
    with pytest.raises(WrongKeyOrContext):
        unseal(seal(_KEK, b"secret", _PLACE), _KEKS, b"another place")


def test_another_key_of_the_same_version_is_refused_by_the_commitment() -> None:
    with pytest.raises(WrongKeyOrContext):
        unseal(seal(_KEK, b"secret", _PLACE), {7: Kek(7, bytes(32))}, _PLACE)


def test_a_message_may_not_be_passed_off_as_one_of_another_version() -> None:
    sealed = seal(_KEK, b"secret", _PLACE)
    with pytest.raises(WrongKeyOrContext):
        unseal(sealed[:6] + b"\0\0\0\10" + sealed[10:], {8: Kek(8, _KEY)}, _PLACE)


def test_a_missing_key_is_named_by_its_version() -> None:
    with pytest.raises(KeyUnavailable, match="no key 7"):
        unseal(seal(_KEK, b"secret", _PLACE), {1: _KEK}, _PLACE)


def test_an_unknown_suite_is_refused() -> None:
    sealed = seal(_KEK, b"secret", _PLACE)
    with pytest.raises(Malformed, match="suite 2"):
        unseal(sealed[:4] + b"\0\2" + sealed[6:], _KEKS, _PLACE)


@pytest.mark.parametrize(
    "padded",
    [
        b"\0\0\0\6secret" + bytes(245) + b"\1",
        b"\0\0\0\6secret" + bytes(246 + 256),
        b"\0\0\0\xfd" + bytes(252),
        b"\xff\xff\xff\xff" + bytes(252),
    ],
    ids=["not zero", "too long", "too short", "no length"],
)
def test_padding_has_one_right_form(padded: bytes) -> None:
    with pytest.raises(Malformed, match="padding"):
        unseal(_forge(padded), _KEKS, _PLACE)


def test_a_message_of_no_block_is_refused() -> None:
    with pytest.raises(Malformed, match="length"):
        unseal(_forge(b""), _KEKS, _PLACE)


# -- a message for two keys --------------------------------------------------------------------------------
# GCM alone commits to no key: with one free block, one ciphertext passes its tag under two keys.


def _times(x: int, y: int) -> int:
    """Multiply in GF(2^128), bits reversed as GCM has them (SP 800-38D, 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        product ^= y * (x >> bit & 1)
        y = y >> 1 ^ (0xE1 << 120) * (y & 1)
    return product


def _inverse(x: int) -> int:
    result, power = 1 << 127, x
    for _ in range(127):
        power = _times(power, power)
        result = _times(result, power)
    return result


def _block(key: bytes, block: bytes) -> int:
    """Return AES of one block, which is what CTR adds to zeros."""
    return int.from_bytes(Cipher(algorithms.AES(key), modes.CTR(block)).encryptor().update(bytes(16)), "big")


def _tag(key: bytes, nonce: bytes, aad: bytes, body: bytes) -> int:
    h, y = _block(key, bytes(16)), 0
    lengths = (len(aad) * 8).to_bytes(8, "big") + (len(body) * 8).to_bytes(8, "big")
    text = aad + bytes(-len(aad) % 16) + body + bytes(-len(body) % 16) + lengths
    for at in range(0, len(text), 16):
        y = _times(y ^ int.from_bytes(text[at : at + 16], "big"), h)
    return y ^ _block(key, nonce + b"\0\0\0\1")


def _for_both(one: bytes, two: bytes, nonce: bytes, aad: bytes, body: bytes) -> bytes:
    """Change the last block of the body so that one tag is right under both keys."""
    h1, h2 = _block(one, bytes(16)), _block(two, bytes(16))
    difference = _tag(one, nonce, aad, body) ^ _tag(two, nonce, aad, body)
    free = _times(difference, _inverse(_times(h1, h1) ^ _times(h2, h2)))
    body = body[:-16] + (int.from_bytes(body[-16:], "big") ^ free).to_bytes(16, "big")
    return body + _tag(one, nonce, aad, body).to_bytes(16, "big")


def test_a_message_that_gcm_accepts_under_two_keys_opens_under_one_only() -> None:
    other = bytes(32)
    header = seal(_KEK, b"", _PLACE)[:86]
    one, two = _okm(_KEY, header, _PLACE)[:32], _okm(other, header, _PLACE)[:32]
    nonce, aad = header[42:54], header + _PLACE
    start = AESGCM(one).encrypt(nonce, b"\0\0\0\xfc" + bytes(252), None)[:256]
    body = _for_both(one, two, nonce, aad, start)
    assert 256 == len(AESGCM(two).decrypt(nonce, body, aad))  # GCM alone is content
    assert 252 == len(unseal(header + body, _KEKS, _PLACE))
    with pytest.raises(WrongKeyOrContext):
        unseal(header + body, {7: Kek(7, other)}, _PLACE)


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
