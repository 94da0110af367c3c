"""A message for two keys, the invisible salamander (Dodis and others, 2018): GCM opens it under both.

GCM's tag is a polynomial over GF(2^128) at a point that the key gives, so one free block makes the tags under two keys
equal: a linear equation. The commitment of TGC1 is 32 bytes of HKDF-SHA256: to hold for two keys it takes a collision.
"""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tigercore_envelope import Kek, WrongKeyOrContext, lp, unseal

_PLACE = b"a place"
_START = b"TGC1\0\1\0\0\0\7"


def _times(x: int, y: int) -> int:
    """Multiply in GF(2^128), bits reversed as GCM has them (SP 800-38D, 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        product ^= y * (x >> bit & 1)
        y = y >> 1 ^ (0xE1 << 120) * (y & 1)
    return product


def _inverse(x: int) -> int:
    """Return x to the power of 2^128 - 2."""
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
    """Change the last block of the body so that one tag is right under both keys; return both."""
    h1, h2 = _block(one, bytes(16)), _block(two, bytes(16))
    difference = _tag(one, nonce, aad, body) ^ _tag(two, nonce, aad, body)
    free = _times(difference, _inverse(_times(h1, h1) ^ _times(h2, h2)))
    body = body[:-16] + (int.from_bytes(body[-16:], "big") ^ free).to_bytes(16, "big")
    return body + _tag(one, nonce, aad, body).to_bytes(16, "big")


def _okm(kek: Kek, salt: bytes, nonce: bytes) -> bytes:
    return kek.derive(lp(b"tigercore/TGC1", _START[4:], nonce, _PLACE), 64, salt)


def _salamander(one: Kek, two: Kek, commitment: bytes | None = None) -> bytes:
    """Return a message whose body GCM opens under the keys derived from both, and that commits to the first by default.

    For the first it is even well padded: nothing but the commitment stands between the body and the second reader.
    """
    salt, nonce = os.urandom(32), os.urandom(12)
    okm = _okm(one, salt, nonce)
    keys = okm[:32], _okm(two, salt, nonce)[:32]
    header = _START + salt + nonce + (okm[32:] if commitment is None else commitment)
    body = AESGCM(keys[0]).encrypt(nonce, b"\0\0\0\xfc" + bytes(252), None)[:256]
    sealed = header + _for_both(*keys, nonce, header + _PLACE, body)
    assert [256, 256] == [len(AESGCM(key).decrypt(nonce, sealed[86:], header + _PLACE)) for key in keys]  # both take it
    return sealed


@pytest.fixture
def keks() -> tuple[Kek, Kek]:
    return Kek(7, os.urandom(32)), Kek(7, os.urandom(32))


def test_gcm_alone_opens_one_ciphertext_under_two_keys() -> None:
    one, two, nonce = os.urandom(32), os.urandom(32), os.urandom(12)
    sealed = _for_both(one, two, nonce, b"aad", os.urandom(32))
    plaintexts = {AESGCM(key).decrypt(nonce, sealed, b"aad") for key in (one, two)}
    assert (48, 2) == (len(sealed), len(plaintexts))  # and each reads something else


def test_a_message_for_two_keys_opens_for_the_one_it_commits_to(keks: tuple[Kek, Kek]) -> None:
    assert 252 == len(unseal(_salamander(*keks), {7: keks[0]}, _PLACE))


def test_a_message_for_two_keys_is_refused_to_the_other(keks: tuple[Kek, Kek]) -> None:
    with pytest.raises(WrongKeyOrContext):
        unseal(_salamander(*keks), {7: keks[1]}, _PLACE)


@pytest.mark.parametrize("reader", [0, 1])
def test_a_message_for_two_keys_that_commits_to_neither_is_refused_to_both(keks: tuple[Kek, Kek], reader: int) -> None:
    with pytest.raises(WrongKeyOrContext):
        unseal(_salamander(*keks, os.urandom(32)), {7: keks[reader]}, _PLACE)
