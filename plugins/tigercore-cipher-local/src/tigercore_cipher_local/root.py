"""A root key in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore_envelope import Kek, Root, UnwrapFailed, WrongKeyOrContext, lp, seal, unseal

_VERSION = 0
_WRONG = "this root key did not wrap it, or it was moved from another place"


@final
class LocalRoot(Root):
    """Wrap keys in TGC1 envelopes of their own, under 32 bytes; `wrong` is told of what other bytes have wrapped."""

    def __init__(self, key: bytes, wrong: str = _WRONG) -> None:
        self._kek = Kek(_VERSION, key)
        self._wrong = wrong

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key, sealed."""
        return seal(self._kek, key, _bind(context))

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key that was wrapped.

        :raises UnwrapFailed: another root wrapped it, in another context, or it was changed.
        """
        try:
            return unseal(wrapped, {_VERSION: self._kek}, _bind(context))
        except (WrongKeyOrContext, KeyUnavailable) as error:  # the latter for a version that no root key has
            raise UnwrapFailed(self._wrong) from error
        except DecryptionFailed as error:
            raise UnwrapFailed(str(error)) from error

    def identity(self) -> str:
        """Return `local:` and 8 hex digits that are derived from the key, one way."""
        return f"local:{self._kek.check()[:4].hex()}"


def _bind(context: Mapping[str, str]) -> bytes:
    pairs = [text.encode() for pair in sorted(context.items()) for text in pair]
    return lp(b"tigercore.root.1", *pairs)
