"""The clients of OAuth 2.0: programs that have registered themselves."""

import json
from random import Random
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from tigercore_simulator.denials import Denial, malformed
from tigercore_simulator.forms import Form, need
from tigercore_simulator.scopes import ALL, as_text
from tigercore_simulator.wire import Json

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@frozen
class Client:
    """Hold one public client, and where its redirects may go."""

    id: str
    redirect_uris: tuple[str, ...]

    def check_redirect(self, uri: str) -> None:
        """Refuse a redirect to where the client did not register one; any port of this machine will do."""
        if _portless(uri) not in map(_portless, self.redirect_uris):
            raise malformed("'redirect_uri' is not one that the client has registered")


class Clients:
    """Register clients and find them again."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._clients: dict[str, Client] = {}

    def register(self, body: bytes, now: float) -> Json:
        """Register a public client, as RFC 7591 has it."""
        wanted = _metadata(body)
        client = Client(f"client-{self._random.randbytes(8).hex()}", tuple(wanted["redirect_uris"]))
        self._clients[client.id] = client
        return wanted | {"client_id": client.id, "client_id_issued_at": int(now), "scope": as_text(ALL)}

    def find(self, form: Form) -> Client:
        """Return the client a request names."""
        client = self._clients.get(need(form, "client_id"))
        if client is None:
            raise Denial("invalid_client", "there is no such client; register it first", 401)
        return client


def _metadata(body: bytes) -> dict[str, Any]:
    try:
        wanted = json.loads(body)
    except (ValueError, RecursionError):
        wanted = None
    if not isinstance(wanted, dict):
        raise Denial("invalid_client_metadata", "the body is not a JSON object")
    if wanted.setdefault("token_endpoint_auth_method", "none") != "none":
        raise Denial("invalid_client_metadata", "a client has no secret here: 'token_endpoint_auth_method' is none")
    uris = wanted.setdefault("redirect_uris", [])
    if not isinstance(uris, list) or not all(map(_is_loopback, uris)):
        raise Denial("invalid_redirect_uri", "a redirect goes to http on this machine")
    return wanted


def _is_loopback(uri: object) -> bool:
    if not isinstance(uri, str):
        return False
    scheme, host, _ = _portless(uri)
    return scheme == "http" and host in _LOOPBACK


def _portless(uri: str) -> tuple[str, str | None, str]:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "", None, ""
    return parts.scheme, parts.hostname, parts.path
