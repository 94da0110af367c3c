"""A hunt for secrets in what a program leaves behind: every form in which one may lie there."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

_WINDOW = 24  # bytes of a long secret that are looked for at once: in base64 they fit into one line of a PEM file
_LINE = 48  # bytes of a key in such a line


def found(secrets: Mapping[str, str | bytes], heaps: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Return which secret lies where."""
    wanted = {name: [form for piece in pieces(secret) for form in forms(piece)] for name, secret in secrets.items()}
    return [(name, where) for name, each in wanted.items() for where, heap in heaps.items() if _any(each, heap)]


def _any(wanted: list[bytes], heap: bytes) -> bool:
    return any(form in heap for form in wanted)


def pieces(secret: str | bytes) -> list[bytes]:
    """Return what to look for of a secret: all of it, or of a private key three windows of its private half."""
    raw = secret.encode() if isinstance(secret, str) else secret
    if len(raw) <= 200:
        return [raw]
    body = b"".join(line for line in raw.splitlines() if not line.startswith(b"-"))
    key = base64.b64decode(body)
    lines = len(key) // _LINE
    return [key[_LINE * at + 6 : _LINE * at + 6 + _WINDOW] for at in (lines // 2, lines // 2 + 1, lines - 1)]


def forms(piece: bytes) -> Iterator[bytes]:
    """Return a secret as it is, reversed, in hex, in base64 at each alignment, in UTF-16, and as Python shows bytes."""
    yield from (piece, piece[::-1], repr(piece)[2:-1].encode())
    yield from (piece.hex().encode(), piece.hex().upper().encode(), piece[::-1].hex().encode())
    for shift in range(3):
        text = base64.b64encode(bytes(shift) + piece).rstrip(b"=")
        whole = text[(0, 2, 3)[shift] : len(text) - bool((shift + len(piece)) % 3)]  # no bit of a neighbour in it
        yield from (whole, whole.replace(b"+", b"-").replace(b"/", b"_"))
    yield b"\0".join(bytes([byte]) for byte in piece)  # in UTF-16, whichever byte of a letter stands first
