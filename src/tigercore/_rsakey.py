"""The two forms of an RSA private key, told apart and turned into each other without cryptography.

PKCS#1 is nine INTEGERs; PKCS#8 is a version, the name of the algorithm and PKCS#1 in an OCTET STRING (RFC 8017, 5958).
Only the shape is looked at: whether the numbers make a key is for the client to say.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

__all__ = ["pkcs1", "pkcs8"]

_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
_RSA = bytes.fromhex("06092a864886f70d010101")  # rsaEncryption, 1.2.840.113549.1.1.1
_NULL = b"\x05\x00"
_VERSION_0 = b"\x02\x01\x00"
_PEM = re.compile(r"\s*-----BEGIN (RSA )?PRIVATE KEY-----(?P<body>[^-]*)-----END (RSA )?PRIVATE KEY-----\s*")


def pkcs1(text: str) -> str:
    """Return the key as one line of base64 of PKCS#1, from PEM or base64 of either form.

    :raises ValueError: this is no RSA private key; the message does not show it.
    """
    return _base64(_numbers(text))


def pkcs8(text: str) -> str:
    """Return the key as one line of base64 of PKCS#8, from PEM or base64 of either form.

    :raises ValueError: this is no RSA private key; the message does not show it.
    """
    algorithm = _element(_SEQUENCE, _RSA + _NULL)
    return _base64(_element(_SEQUENCE, _VERSION_0 + algorithm + _element(_OCTETS, _numbers(text))))


def _numbers(text: str) -> bytes:
    pem = _PEM.fullmatch(text)
    try:
        return _unwrapped(base64.b64decode("".join((pem["body"] if pem else text).split()), validate=True))
    except ValueError:
        pass  # what Python says of it may quote it
    raise ValueError("not an RSA private key: base64 or PEM of PKCS#1 or PKCS#8 without a passphrase is expected")


def _unwrapped(der: bytes) -> bytes:
    parts = _sequence(der)
    if [tag for tag, _ in parts[:3]] == [_INTEGER, _SEQUENCE, _OCTETS] and parts[1][1].startswith(_RSA):
        der = parts[2][1]
        parts = _sequence(der)
    if [tag for tag, _ in parts] != [_INTEGER] * 9:
        raise ValueError
    return der


def _sequence(der: bytes) -> list[tuple[int, bytes]]:
    ((tag, body),) = _elements(der)
    if tag != _SEQUENCE:
        raise ValueError
    return list(_elements(body))


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(der):
        start, size = _extent(der, at)
        if start + size > len(der):
            raise ValueError
        yield der[at], der[start : start + size]
        at = start + size


def _extent(der: bytes, at: int) -> tuple[int, int]:
    """Return where the content of an element begins, and its size."""
    start, first = at + 2, int.from_bytes(der[at + 1 : at + 2])
    if first < 0x80:
        return start, first
    digits = der[start : start + first - 0x80]
    return start + len(digits), int.from_bytes(digits)


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 + len(digits)]) + digits + content


def _base64(der: bytes) -> str:
    return base64.b64encode(der).decode()
