"""A root key in Vault."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import final

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_vault.connection import Connection
from tigercore_cipher_vault.options import VaultOptions
from tigercore_cipher_vault.transit import Transit
from tigercore_envelope import Root, UnwrapFailed, lp

_WRAPPED = re.compile(r"vault:v[1-9][0-9]{0,8}:[A-Za-z0-9+/]+={0,2}")  # Transit takes v0 for v1, and never writes it


@final
class VaultRoot(Root):
    """Have Transit wrap keys, as `vault:v<version of the root key>:<base64>`. The root key never leaves Vault."""

    def __init__(self, options: VaultOptions, connection: Connection) -> None:
        self._options = options
        self._transit = Transit(options, connection)

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key, encrypted under a key that Transit derives for this context.

        :raises RootUnreachable: Vault does not answer, is sealed or is busy.
        :raises KeyUnavailable: it refuses, or the answer is none of Vault's.
        """
        plaintext = Secret(base64.b64encode(key).decode())
        del key  # no error shows it
        given: dict[str, str | Secret] = {"plaintext": plaintext, "context": _bind(context)}
        wrapped = _ciphertext(await self._transit.transform("encrypt", "ciphertext", **given))
        if wrapped is None:
            raise KeyUnavailable(f"{self._options.address} sent something else than a ciphertext: is it a Vault?")
        return wrapped

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        """Return the key that was wrapped.

        :raises RootUnreachable: Vault does not answer, is sealed or is busy.
        :raises UnwrapFailed: another key wrapped it, in another context, or it was changed.
        :raises KeyUnavailable: Vault refuses; the message says what to do.
        """
        ciphertext = wrapped.decode("ascii", "replace")
        if not _WRAPPED.fullmatch(ciphertext):
            raise UnwrapFailed("not wrapped by Vault, or changed")
        given = {"ciphertext": ciphertext, "context": _bind(context)}
        key = _decoded(await self._transit.transform("decrypt", "plaintext", **given))
        if key is None:
            raise KeyUnavailable(f"{self._options.address} sent something else than base64: is it a Vault?")
        return key

    def identity(self) -> str:
        """Return `vault:<address>/<mount>/<key>`."""
        return self._options.identity


def _ciphertext(text: str) -> bytes | None:
    return text.encode("ascii") if _WRAPPED.fullmatch(text) else None


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _bind(context: Mapping[str, str]) -> str:
    pairs = [text.encode() for pair in sorted(context.items()) for text in pair]
    return base64.b64encode(lp(b"tigercore.root.1", *pairs)).decode()
