"""Keys and signatures: RSASSA-PKCS1-v1_5 with SHA-1, which is what the gateway speaks (protocol 2.2)."""

from __future__ import annotations

import base64
import binascii
from typing import final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from tigercore.model import Secret
from tigercore.ports import Signer

__all__ = ["RsaSigner", "load_private_key", "load_public_key", "prove", "verifies"]

_PADDING, _HASH = PKCS1v15(), SHA1()  # noqa: S303  (the gateway takes no other)
_SMALLEST = 1024  # the broker issues 1024-bit keys


@final
class RsaSigner(Signer):
    """A developer's key object with the URL it speaks to. The text of the key is not kept."""

    __slots__ = ("_key", "secret_key", "tiger_id", "url")

    def __init__(self, key: RSAPrivateKey, tiger_id: Secret, secret_key: Secret | None, url: str) -> None:
        self._key = key
        self.tiger_id = tiger_id
        self.secret_key = secret_key
        self.url = url

    def __repr__(self) -> str:
        return "<RsaSigner>"

    def sign(self, content: bytes) -> str:
        """Return the signature of the content in base64."""
        return base64.b64encode(self._key.sign(content, _PADDING, _HASH)).decode()


def load_private_key(text: str, *, checked: bool) -> RSAPrivateKey:
    """Parse an RSA key: base64 of PKCS#1 or PKCS#8 DER, in one line or wrapped, or either as PEM.

    `checked` proves that its numbers fit together, which takes tens of ms; leave it out for a key that has passed once.

    :raises ValueError: it is not such a key, or one shorter than 1024 bits.
    """
    try:
        if "-----" in text:
            key = load_pem_private_key(text.strip().encode(), None, unsafe_skip_rsa_key_validation=not checked)
        else:
            key = load_der_private_key(_unwrapped(text), None, unsafe_skip_rsa_key_validation=not checked)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(
            "the private key cannot be read: paste private_key_pk1 or private_key_pk8 of the portal's properties file, "
            "or a PEM without a password"
        )
    if key.key_size < _SMALLEST:
        raise ValueError(f"the private key has {key.key_size} bits: the gateway needs {_SMALLEST} or more")
    return key


def load_public_key(text: str) -> RSAPublicKey:
    """Parse an RSA public key: base64 of its DER, or PEM.

    :raises ValueError: it is not such a key.
    """
    try:
        key = load_pem_public_key(text.encode()) if "-----" in text else load_der_public_key(_unwrapped(text))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("gateway_public_key is not an RSA public key in base64 or PEM")
    return key


def prove(key: RSAPrivateKey) -> None:
    """Sign something and verify it.

    :raises ValueError: the key does not sign.
    """
    content = b"tigercore"
    try:
        key.public_key().verify(key.sign(content, _PADDING, _HASH), content, _PADDING, _HASH)
    except (InvalidSignature, ValueError):
        raise ValueError("the private key does not sign: its numbers do not fit together") from None


def verifies(key: RSAPublicKey, content: bytes, signature: str) -> bool:
    """Say whether this signature in base64 was made over the content by the other half of the key."""
    try:
        key.verify(base64.b64decode(signature, validate=True), content, _PADDING, _HASH)
    except (InvalidSignature, ValueError):
        return False
    return True


def _unwrapped(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
