"""Which key wraps, where it is, and who asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import final

import attrs

from tigercore.errors import SettingsError
from tigercore.model import Secret

_LABEL = r"[a-z0-9_-]{1,63}"
_ADDRESS = re.compile(rf"(https?)://({_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]+\])(?::([0-9]{{1,5}}))?")
_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_NAMES = re.compile(rf"{_NAME}(?:/{_NAME})*")
_LONGEST = 60.0


@final
@attrs.frozen(kw_only=True)
class VaultOptions:
    """The table `[cipher.options]` of the settings.

    `address` is `https://host:port`; `http` goes to this machine only. `key` is the Transit key's name, `mount` where
    the engine is. The token is in `token`, which a file of settings never holds, or in `token_file`, which is read
    anew for each request. `ca_file` holds the certificates to trust instead of the system's, in PEM. `timeout` is in
    seconds and covers a whole request.

    :raises SettingsError: a value cannot be used, or there is not exactly one token.
    """

    address: str
    key: str
    mount: str = "transit"
    namespace: str | None = None
    token: Secret | None = None
    token_file: str | None = None
    ca_file: str | None = None
    timeout: float = 5.0

    def __attrs_post_init__(self) -> None:
        faults = [*_address_faults(self.address), *self._name_faults(), *self._file_faults()]
        if (self.token is None) == (self.token_file is None):
            faults.append("give the vault cipher one of `token_file` and `token`, not both and not none")
        if not 0 < self.timeout <= _LONGEST:
            faults.append(f"`timeout`: give seconds above 0, {_LONGEST:g} at most")
        if faults:
            raise SettingsError(faults)

    @property
    def identity(self) -> str:
        """Return the name of the root for people: `vault:<address>/<mount>/<key>`, a namespace before the mount."""
        return "/".join(part for part in (f"vault:{self.address}", self.namespace, self.mount, self.key) if part)

    def _name_faults(self) -> Iterator[str]:
        if not re.fullmatch(_NAME, self.key):
            yield "`key`: give the name of a Transit key: letters, digits and _, with . and - inside"
        for option, value in (("mount", self.mount), ("namespace", self.namespace)):
            if value is not None and not _NAMES.fullmatch(value):
                yield f"`{option}`: give a path like team/{option}, of letters, digits and _, with . and - inside"

    def _file_faults(self) -> Iterator[str]:
        for option, path in (("token_file", self.token_file), ("ca_file", self.ca_file)):
            if "\0" in (path or ""):
                yield f"`{option}` holds a NUL, which no path can: write the path anew"


def _address_faults(address: str) -> Iterator[str]:
    parts = _ADDRESS.fullmatch(address)
    if parts is None or not 0 < int(parts[3] or 443) < 65536:
        yield "`address`: give https://host or https://host:port, in lower case, and nothing behind it"
    elif parts[1] == "http" and not _is_here(parts[2].strip("[]")):
        yield "`address`: http would show the token to the network: give https, or the address of this machine"


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
