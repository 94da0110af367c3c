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
from tigercore_cipher_local import credential, keyfile
from tigercore_cipher_local.passphrase import encode
from tigercore_cipher_local.passphraseroot import PassphraseRoot
from tigercore_cipher_local.root import LocalRoot
from tigercore_cipher_local.terminal import require_terminal
from tigercore_envelope import EnvelopeCipher, Root

_ONE_OF = (
    "give the local cipher one root, not {}: set ENCRYPTION_MASTER_KEY to base64 of 32 bytes, or set one option: "
    "`key_file` to a path (`tigercore init` makes the file), `credential` to a name in systemd's LoadCredential=, "
    "or `ask_passphrase` to true"
)
_NUL = "`key_file` holds a NUL, which no path can: write the path anew"
_BAD_KEY = "ENCRYPTION_MASTER_KEY is not base64 of 32 bytes: make one with `openssl rand -base64 32`"


@final
@attrs.frozen(kw_only=True)
class LocalOptions:
    """Where the root is: exactly one of them. A secret never stands in a file of settings: `master_key` comes from
    ENCRYPTION_MASTER_KEY, `passphrase` from TIGERCORE_SECRET_CIPHER__OPTIONS__PASSPHRASE.

    :raises SettingsError: none is given, or several, or a name cannot be one.
    """

    master_key: Secret | None = None
    key_file: str | None = None
    credential: str | None = None
    passphrase: Secret | None = None
    ask_passphrase: bool = False

    def __attrs_post_init__(self) -> None:
        named = (self.master_key, self.key_file, self.credential, self.passphrase, self.ask_passphrase or None)
        given = sum(root is not None for root in named)
        if given != 1:
            raise SettingsError([_ONE_OF.format(given or "none")])
        if "\0" in (self.key_file or ""):
            raise SettingsError([_NUL])
        if self.credential is not None:
            credential.require_name(self.credential)


@final
class LocalCipher(EnvelopeCipher):
    """Seal under a root key from a file, from systemd or from the environment, or under a passphrase."""

    Options: ClassVar[type] = LocalOptions

    @classmethod
    def create_root(cls, options: LocalOptions) -> str:
        """Make the key file if it is not there; any other root is only checked.

        :raises KeyUnavailable: the file cannot be made, or what is there is no key; a passphrase is too short, or
            there is no terminal to ask for it on.
        """
        if options.key_file is not None:
            return _made(options.key_file)
        if options.ask_passphrase:
            require_terminal()
            return "The passphrase is asked for on the terminal, twice when the key ring is made; nothing was made."
        if options.passphrase is not None:
            encode(options.passphrase)
            return "The passphrase is the root; nothing was made."
        named = "ENCRYPTION_MASTER_KEY" if options.credential is None else f"The credential {options.credential}"
        return f"{named} is the root, {_root(options).identity()}; nothing was made."

    @classmethod
    @asynccontextmanager
    async def open_root(cls, options: LocalOptions) -> AsyncIterator[Root]:
        """Read the root key; a passphrase that is asked for is not needed yet.

        :raises KeyUnavailable: it is not there, or is no key, or is too short a passphrase.
        """
        yield _root(options)


def _root(options: LocalOptions) -> Root:
    if options.master_key is not None:
        return LocalRoot(_decode(options.master_key))
    if options.key_file is not None:
        return LocalRoot(keyfile.read(options.key_file))
    if options.credential is not None:
        return LocalRoot(credential.read(options.credential))
    return PassphraseRoot(options.passphrase)


def _made(path: str) -> str:
    made = not os.path.lexists(path)
    if made:
        keyfile.create(path)
    name = LocalRoot(keyfile.read(path)).identity()
    if made:
        return f"Made the key file {path}, {name}; keep a copy elsewhere: it opens every secret."
    return f"Found the key file {path}, {name}, and left it as it is."


def _decode(master_key: Secret) -> bytes:
    key = _key(master_key)
    if key is None:
        raise KeyUnavailable(_BAD_KEY)  # out here, where no frame holds what was given
    return key


def _key(master_key: Secret) -> bytes | None:
    try:
        key = base64.b64decode(master_key.reveal().strip(), validate=True)
    except ValueError:
        return None
    return key if len(key) == 32 else None
