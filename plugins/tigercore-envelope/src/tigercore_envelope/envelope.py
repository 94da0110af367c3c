"""The envelope TGC1: one sealed message.

===  ====  ==========================================================================================
off  len   field
===  ====  ==========================================================================================
  0     4  magic `TGC1`
  4     2  suite, big-endian: 1 is HKDF-SHA256, AES-256-GCM, a commitment of 32 bytes
  6     4  version of the key, big-endian
 10    32  salt, random
 42    12  nonce, random
 54    32  commitment: okm[32:64]
 86     n  AES-256-GCM(okm[0:32], nonce, pad(plaintext), aad = bytes[0:86] + context), and its tag of 16 bytes
===  ====  ==========================================================================================

`okm = HKDF-SHA256(key, salt, info = lp("tigercore/TGC1", bytes[4:10], nonce, context), 64 bytes)`: the context is in
the key and in the AAD, so a message that was moved fails the commitment. GCM alone commits to no key.
`pad` puts the length (4 bytes, big-endian) before the plaintext and zeros after it, to a multiple of 256 bytes.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from struct import Struct
from typing import final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore_envelope.kek import Kek
from tigercore_envelope.lp import lp

MAGIC = b"TGC1"
SUITE = 1
_START = Struct(">4sHI")
_SALT = slice(10, 42)
_NONCE = slice(42, 54)
_COMMITMENT = slice(54, 86)
_HEADER = slice(0, 86)
_BODY = slice(86, None)
_TAG = 16
_BLOCK = 256
_DOMAIN = b"tigercore/TGC1"


@final
class Malformed(DecryptionFailed):
    """These bytes do not have the shape of a message."""


@final
class WrongKeyOrContext(DecryptionFailed):
    """The message was sealed with another key of this version, or for another place, or its header was changed."""


@final
class Tampered(DecryptionFailed):
    """The key and the place are right, and the sealed bytes were changed."""


def seal(kek: Kek, plaintext: bytes, context: bytes) -> bytes:
    """Return `plaintext` sealed for the place that `context` names: 106 bytes more than its padded length."""
    start = _START.pack(MAGIC, SUITE, kek.version)
    random = os.urandom(44)
    salt, nonce = random[:32], random[32:]
    key, commitment = _derive(kek, start[4:], salt, nonce, context)
    header = start + random + commitment
    return header + AESGCM(key).encrypt(nonce, _pad(plaintext), header + context)


def unseal(sealed: bytes, keks: Mapping[int, Kek], context: bytes) -> bytes:
    """Return the plaintext of a message that was sealed for this place.

    :raises Malformed: these bytes are not a message.
    :raises KeyUnavailable: the key that they name is not among `keks`.
    :raises WrongKeyOrContext: they were sealed with another key or for another place.
    :raises Tampered: they were changed.
    """
    version = key_of(sealed)
    kek = keks.get(version)
    if kek is None:
        raise KeyUnavailable(f"the ring has no key {version} that opens messages: unlock it anew, or restore the key")
    opened = _open(kek, sealed, context)
    if isinstance(opened, DecryptionFailed):
        raise opened  # out here, where no frame holds the message's key
    return opened


def key_of(sealed: bytes) -> int:
    """Return the version of the key that a message names.

    :raises Malformed: these bytes are not a message.
    """
    body = len(sealed) - _HEADER.stop - _TAG
    if body < _BLOCK or body % _BLOCK:
        raise Malformed("not a TGC1 message: the length does not fit")
    magic, suite, version = _START.unpack_from(sealed)
    if magic != MAGIC:
        raise Malformed("not a TGC1 message: it begins otherwise")
    if suite != SUITE:
        raise Malformed(f"a TGC1 message of suite {suite}, which this release does not read")
    return int(version)


def _open(kek: Kek, sealed: bytes, context: bytes) -> bytes | DecryptionFailed:
    nonce = sealed[_NONCE]
    key, commitment = _derive(kek, sealed[4:10], sealed[_SALT], nonce, context)
    if not hmac.compare_digest(commitment, sealed[_COMMITMENT]):
        return WrongKeyOrContext(f"sealed for another place, or with another key than this version {kek.version}")
    try:
        return _unpad(AESGCM(key).decrypt(nonce, sealed[_BODY], sealed[_HEADER] + context))
    except InvalidTag:
        return Tampered(f"changed since it was sealed with key {kek.version}: restore it from a backup")


def _derive(kek: Kek, start: bytes, salt: bytes, nonce: bytes, context: bytes) -> tuple[bytes, bytes]:
    okm = kek.derive(lp(_DOMAIN, start, nonce, context), 64, salt)
    return okm[:32], okm[32:]


def _pad(plaintext: bytes) -> bytes:
    size = len(plaintext)
    return size.to_bytes(4, "big") + plaintext + bytes(-(size + 4) % _BLOCK)


def _unpad(padded: bytes) -> bytes | Malformed:
    size = int.from_bytes(padded[:4], "big")
    plaintext, zeros = padded[4 : 4 + size], padded[4 + size :]
    if len(plaintext) != size or len(zeros) >= _BLOCK or any(zeros):
        return Malformed("not a TGC1 message: the padding does not fit")
    return plaintext
