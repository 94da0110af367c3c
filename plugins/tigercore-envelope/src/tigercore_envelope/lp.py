"""Lists of bytes as bytes, so that no two lists give the same."""

from __future__ import annotations


def lp(*parts: bytes) -> bytes:
    """Return each part after its length in bytes as an unsigned 32-bit big-endian number.

    The encoding is injective: `lp(b"account", b"a1")` is not `lp(b"accoun", b"ta1")`.

    :raises OverflowError: a part has 4 GiB or more.
    """
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])
