"""The token that requests carry."""

from __future__ import annotations

import os
import re
import stat

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_vault.options import VaultOptions

_LIMIT = 8192
_SHAPE = re.compile(r"[!-~]{1,4096}")  # anything else cannot stand in a header, and the HTTP library would quote it


def read_token(options: VaultOptions) -> str:
    """Return the token as it is now: an agent may have renewed it in its file.

    :raises KeyUnavailable: there is none, or it cannot be one.
    """
    source = "`token`" if options.token is not None else options.token_file or ""
    token = options.token if options.token is not None else Secret(_read(source))
    if not _SHAPE.fullmatch(token.reveal().strip()):
        raise KeyUnavailable(f"{source} holds no Vault token: one line of printable ASCII is expected")
    return token.reveal().strip()


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KeyUnavailable(f"{path}: {error.strerror}: have the Vault agent write the token there") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise KeyUnavailable(f"{path} is not a regular file: name the file that holds the token")
        return os.read(descriptor, _LIMIT).decode("ascii", "replace")
    finally:
        os.close(descriptor)
