"""The Transit engine: what is asked of it, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_vault.connection import Connection, Reply
from tigercore_cipher_vault.options import VaultOptions
from tigercore_envelope import RootUnreachable, UnwrapFailed


@final
class Transit:
    """Use one key of the engine.

    Every method raises `RootUnreachable` if the server does not answer, is sealed or is busy, and `KeyUnavailable` if
    it refuses. A server's own words are searched, but never repeated: it knows the token.
    """

    def __init__(self, options: VaultOptions, connection: Connection) -> None:
        self._options = options
        self._connection = connection

    async def transform(self, action: str, result: str, **given: str | Secret) -> str:
        """Have the key `encrypt` or `decrypt` what is given, and return that field of the reply."""
        reply = await self._connection.ask("POST", self._path(action), given)
        if reply.status != 200:
            raise self._refusal(reply, action, "update")
        return self._field(reply, result)

    async def key(self) -> Mapping[str, Any] | None:
        """Return what is known of the key, None if it is not there."""
        reply = await self._connection.ask("GET", self._path("keys"))
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise self._refusal(reply, "keys", "read")
        return self._data(reply)

    async def make_key(self) -> None:
        """Make the key: AES-256-GCM, derived, so that a context is bound to what it wraps. One that is there stays."""
        reply = await self._connection.ask("POST", self._path("keys"), {"type": "aes256-gcm96", "derived": True})
        if reply.status not in (200, 204):
            raise self._refusal(reply, "keys", "create` and `update")

    def _path(self, action: str) -> str:
        return f"{self._options.mount}/{action}/{self._options.key}"

    def _data(self, reply: Reply) -> Mapping[str, Any]:
        data = reply.json.get("data")
        return data if isinstance(data, dict) else {}

    def _field(self, reply: Reply, name: str) -> str:
        value = self._data(reply).get(name)
        if isinstance(value, str):
            return value
        del value  # no error shows it
        raise KeyUnavailable(f"{self._options.address} sent a reply without its {name}: is it a Vault?")

    def _refusal(self, reply: Reply, action: str, capability: str) -> KeyUnavailable:
        address, path, status = self._options.address, self._path(action), reply.status
        if status in (412, 429) or status >= 500:
            return RootUnreachable(f"{address} {_unready(reply)}")
        if 300 <= status < 400:
            return KeyUnavailable(f"{address} sent a redirect, never followed: give the address of the active node")
        if status == 400 and _is_foreign(reply, action):
            root = self._options.identity
            return UnwrapFailed(f"{root} did not wrap this, or for another ring or version, or it was changed")
        if status == 400:
            return KeyUnavailable(self._refused(reply, action))
        if status == 403:
            missing = f", or there is no key {self._options.key}" if action == "encrypt" else ""
            lacks = f"its policy lacks `{capability}` on {path}{missing}"
            return KeyUnavailable(f"{address} refused the token: it is no longer good, or {lacks}")
        if status == 404:
            return KeyUnavailable(f"{address} has no {path}: {self._how_to_make()}")
        return KeyUnavailable(f"{address} answered with status {status}: is it a Vault?")

    def _refused(self, reply: Reply, action: str) -> str:
        root, mount, key = self._options.identity, self._options.mount, self._options.key
        said = _said(reply)
        if "key not found" in said and action == "decrypt":
            return f"{root} is not there: name the key that wrapped this, or restore Vault; a new one does not open it"
        if "key not found" in said:
            return f"{root} is not there: run `bao write -f {mount}/keys/{key} derived=true`"
        if "too old" in said:
            lower = f"bao write {mount}/keys/{key}/config min_decryption_version=1"
            return f"{root} opens no version that is so old: lower the bound with `{lower}`"
        return f"{root} refuses to {action}: look at it with `bao read {mount}/keys/{key}`"

    def _how_to_make(self) -> str:
        mount, key = self._options.mount, self._options.key
        return f"run `bao secrets enable -path={mount} transit`, then `bao write -f {mount}/keys/{key} derived=true`"


def _is_foreign(reply: Reply, action: str) -> bool:
    """Say whether Vault has a key that opens nothing here: it is there, and not too young."""
    return action == "decrypt" and not any(words in _said(reply) for words in ("key not found", "too old"))


def _unready(reply: Reply) -> str:
    if "sealed" in _said(reply):
        return "is sealed: unseal it with `bao operator unseal`"
    if reply.status == 503:
        return "is a standby, or not ready (status 503): bring its active node back"
    if reply.status == 429:
        return "is over its rate limit (status 429): ask later, or raise the quota"
    return f"cannot answer now (status {reply.status})"


def _said(reply: Reply) -> str:
    return str(reply.json.get("errors")).lower()
