"""The cipher for the day on which the root is lost: its root is a recovery identity from the safe."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar, final

import attrs

from tigercore.errors import KeyUnavailable, SettingsError
from tigercore.model import Secret
from tigercore_envelope.cipher import EnvelopeCipher
from tigercore_envelope.private_file import create_private, read_private
from tigercore_envelope.recipient import Recipient
from tigercore_envelope.root import Root

_NUL = "`identity_file` holds a NUL, which no path can: write the path anew"
_ONE_OF = "give the recovery cipher either `identity_file`, or the `recipient` of an identity that lies in a safe"


@final
@attrs.frozen(kw_only=True)
class RecoveryOptions:
    """The identity, or only its public half, which seals and does not open.

    :raises SettingsError: none is given, or both, or the path cannot be one.
    """

    identity_file: str | None = None
    recipient: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.identity_file is None) == (self.recipient is None):
            raise SettingsError([_ONE_OF])
        if "\0" in (self.identity_file or ""):
            raise SettingsError([_NUL])


@final
class RecoveryCipher(EnvelopeCipher):
    """Open a ring with a recovery identity, in the file that age-keygen writes, to give it a new root."""

    Options: ClassVar[type] = RecoveryOptions

    @classmethod
    def create_root(cls, options: RecoveryOptions) -> str:
        """Make the identity file if it is not there; a recipient is only checked.

        :raises KeyUnavailable: the file cannot be made, or what is there is no identity.
        """
        if options.recipient is not None:
            return f"The recovery recipient is {Recipient(options.recipient).identity()}; nothing was made."
        path = options.identity_file or ""
        made = not os.path.lexists(path)
        if made:
            create_private(path, _generated())
        public = _read(path).identity()
        if made:
            return f"Made the recovery identity {path} of {public}; move it to a safe, off this machine."
        return f"Found the recovery identity {path} of {public}, and left it as it is."

    @classmethod
    @asynccontextmanager
    async def open_root(cls, options: RecoveryOptions) -> AsyncIterator[Root]:
        """Read the identity.

        :raises KeyUnavailable: it is not there, or is none.
        """
        yield Recipient(options.recipient) if options.recipient is not None else _read(options.identity_file or "")


def _generated() -> bytes:
    from pyrage import x25519

    identity = x25519.Identity.generate()
    return f"# public key: {identity.to_public()}\n{identity}\n".encode()


def _read(path: str) -> Recipient:
    lines = _lines(read_private(path, 4096))
    if len(lines) != 1:
        raise KeyUnavailable(f"{path} is not an identity file as age-keygen writes it: one identity is expected")
    return Recipient.from_identity(lines[0])


def _lines(content: bytes) -> list[Secret]:
    lines = content.decode("ascii", "replace").splitlines()
    return [Secret(line) for line in lines if line.strip() and not line.startswith("#")]
