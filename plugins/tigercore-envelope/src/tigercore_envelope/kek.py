"""A key that seals messages, itself kept wrapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tigercore_envelope.root import Root

SIZE = 32
_SHA256 = SHA256()


@final
class Kek:
    """Hold one version of a key. It comes out wrapped or derived from, and shows nothing but its version."""

    __slots__ = ("__key", "version")

    def __init__(self, version: int, key: bytes) -> None:
        if len(key) != SIZE:
            del key  # no error shows it
            raise ValueError(f"a key has {SIZE} bytes")
        self.version = version
        self.__key = key

    def derive(self, info: bytes, length: int, salt: bytes | None = None) -> bytes:
        """Return `length` bytes by HKDF-SHA256 (RFC 5869); other `info` gives unrelated bytes."""
        return HKDF(_SHA256, length, salt, info).derive(self.__key)

    async def wrapped(self, root: Root, context: Mapping[str, str]) -> bytes:
        """Return the key, sealed under a root. Errors as `Root.wrap`."""
        return await root.wrap(self.__key, context)

    def check(self) -> bytes:
        """Return the 16 public bytes that prove that a key was unwrapped right."""
        return self.derive(b"kcv", 16)

    def __repr__(self) -> str:
        return f"<Kek {self.version}>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a key cannot be pickled or copied")
