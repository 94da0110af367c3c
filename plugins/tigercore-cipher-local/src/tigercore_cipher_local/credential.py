"""A systemd credential that holds the root key: a key file that systemd hands to the service, and to no one else."""

from __future__ import annotations

import os
import re

from tigercore.errors import KeyUnavailable, SettingsError
from tigercore_cipher_local import keyfile
from tigercore_envelope import read_private

_DIRECTORY = "CREDENTIALS_DIRECTORY"
_NAME = re.compile(r"(?!\.\.?\Z)[^/:\x00-\x1f\x7f]{1,255}")
_BAD_NAME = "`credential` is no name of a credential: give the part before the colon of LoadCredential=NAME:PATH"
_NO_SYSTEMD = "systemd gave this process no credentials ({} is not set): {}"
_MISSING = "the service has no credential {}: {}"
_ADD = "add `LoadCredential={}:/etc/tigercore/root.key` to [Service] of its unit, reload systemd and restart it"


def require_name(name: str) -> None:
    """Pass if systemd would take the name for a credential's.

    :raises SettingsError: it would not.
    """
    if _NAME.fullmatch(name) is None:
        raise SettingsError([_BAD_NAME])


def read(name: str) -> bytes:
    """Return the key of 32 bytes. Who may read it is systemd's affair: it may give root's file by an ACL.

    :raises KeyUnavailable: there is no such credential, it is not a regular file, or it is no key.
    """
    directory = os.environ.get(_DIRECTORY)
    if not directory:
        raise KeyUnavailable(_NO_SYSTEMD.format(_DIRECTORY, _ADD.format(name)))
    path = os.path.join(directory, name)
    if not os.path.lexists(path):
        raise KeyUnavailable(_MISSING.format(name, _ADD.format(name)))
    return keyfile.parse(path, read_private(path, keyfile.LIMIT, ours=False))
