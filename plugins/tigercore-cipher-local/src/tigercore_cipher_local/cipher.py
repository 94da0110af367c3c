"""The cipher whose root is on this machine."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar, final

import attrs

from tigercore.errors import KeyUnavailable, SettingsError
from tigercore.model import Secret
from tigercore_cipher_local import keyfile
from tigercore_cipher_local.root import LocalRoot
from tigercore_envelope import EnvelopeCipher, Root

_ONE_OF = (
    "give the local cipher one root key, not {}: either set ENCRYPTION_MASTER_KEY to base64 of 32 bytes, "
    "or set `key_file` to a path and run `tigercore init`, which makes the file"
)
_NUL = "`key_file` holds a NUL, which no path can: write the path anew"
_BAD_KEY = "ENCRYPTION_MASTER_KEY is not base64 of 32 bytes: make one with `openssl rand -base64 32`"


@final
@attrs.frozen(kw_only=True)
class LocalOptions:
    """Where the root key is: exactly one of the two. `master_key` comes from ENCRYPTION_MASTER_KEY alone.

    :raises SettingsError: none is given, or both, or the path cannot be one.
    """

    master_key: Secret | None = None
    key_file: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.master_key is None) == (self.key_file is None):
            raise SettingsError([_ONE_OF.format("none" if self.key_file is None else "two")])
        if "\0" in (self.key_file or ""):
            raise SettingsError([_NUL])


@final
class LocalCipher(EnvelopeCipher):
    """Seal under a root key from a file or from the environment."""

    Options: ClassVar[type] = LocalOptions

    @classmethod
    def create_root(cls, options: LocalOptions) -> str:
        """Make the key file if it is not there; a master key is only checked.

        :raises KeyUnavailable: the file cannot be made, or what is there is no key.
        """
        if options.key_file is None:
            return f"ENCRYPTION_MASTER_KEY is the root, {LocalRoot(_root_key(options)).identity()}; nothing was made."
        made = not os.path.lexists(options.key_file)
        if made:
            keyfile.create(options.key_file)
        name = LocalRoot(keyfile.read(options.key_file)).identity()
        if made:
            return f"Made the key file {options.key_file}, {name}; keep a copy elsewhere: without it no secret opens."
        return f"Found the key file {options.key_file}, {name}, and left it as it is."

    @classmethod
    @asynccontextmanager
    async def open_root(cls, options: LocalOptions) -> AsyncIterator[Root]:
        """Read the root key.

        :raises KeyUnavailable: it is not there, or is no key.
        """
        yield LocalRoot(_root_key(options))


def _root_key(options: LocalOptions) -> bytes:
    if options.master_key is not None:
        return _decode(options.master_key)
    return keyfile.read(options.key_file or "")


def _decode(master_key: Secret) -> bytes:
    try:
        key = base64.b64decode(master_key.reveal().strip(), validate=True)
    except ValueError:
        raise KeyUnavailable(_BAD_KEY) from None
    if len(key) != 32:
        raise KeyUnavailable(_BAD_KEY)
    return key
