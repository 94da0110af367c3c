"""The cipher whose root is in Vault."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, ClassVar, final

import trio

from tigercore.errors import KeyUnavailable
from tigercore_cipher_vault.connection import Connection
from tigercore_cipher_vault.options import VaultOptions
from tigercore_cipher_vault.root import VaultRoot
from tigercore_cipher_vault.transit import Transit
from tigercore_envelope import EnvelopeCipher, Root

_OPEN = {"exportable": "it may be exported", "allow_plaintext_backup": "it may be backed up in plain text"}


@final
class VaultCipher(EnvelopeCipher):
    """Seal under a root key that the Transit engine of HashiCorp Vault or OpenBao holds."""

    Options: ClassVar[type] = VaultOptions

    @classmethod
    def create_root(cls, options: VaultOptions) -> str:
        """Make the Transit key if it is not there, and warn of one that may leave Vault.

        :raises KeyUnavailable: Vault does not answer or refuses, or the key does not bind what it wraps.
        """
        with ThreadPoolExecutor(1) as thread:  # the caller may be in a trio of its own, and those do not nest
            return thread.submit(trio.run, _create, options).result()

    @classmethod
    @asynccontextmanager
    async def open_root(cls, options: VaultOptions) -> AsyncIterator[Root]:
        """Make ready to ask Vault. It is asked when a ring is unlocked, not now.

        :raises KeyUnavailable: `ca_file` cannot be used.
        """
        async with Connection(options) as connection:
            yield VaultRoot(options, connection)


async def _create(options: VaultOptions) -> str:
    async with Connection(options) as connection:
        transit = Transit(options, connection)
        before = await transit.key()
        if before is None:
            await transit.make_key()
        key = before or await transit.key() or {}
    _require_derived(options, key)
    if before is None:
        return f"Made the Transit key {options.identity}{_warning(key)}; back Vault up: without it no secret opens."
    return f"Found the Transit key {options.identity}{_warning(key)}, and left it as it is."


def _require_derived(options: VaultOptions, key: Mapping[str, Any]) -> None:
    if key.get("derived") is True and key.get("supports_encryption") is True:
        return
    make = f"bao write -f {options.mount}/keys/<new name> derived=true"
    fault = "is not derived, or does not encrypt, so it would not bind a key to its ring"
    raise KeyUnavailable(f"{options.identity} {fault}: make another with `{make}`, and name that in `key`")


def _warning(key: Mapping[str, Any]) -> str:
    """Warn of whatever Vault does not rule out."""
    found = [words for flag, words in _OPEN.items() if key.get(flag) is not False]
    return f" (warning: {' and '.join(found)}, so make another one)" if found else ""
