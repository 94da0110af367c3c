"""Which URL an endpoint means, and whether it may be called at all (threat 11: keys and tokens follow the URL)."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from tigercore.model import Environment, License
from tigercore.ports import Endpoint
from tigercore_client_httpx._httpx import httpx

__all__ = ["gateway_url", "is_here"]

_BROKER = (".tigerfintech.com", ".itigerup.com", ".tradeup.com")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_NAME = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_LONGEST = 512
_ODD = frozenset(" @?#\\")


def gateway_url(endpoint: Endpoint, allowed_hosts: Collection[str] = ()) -> str:
    """Return the URL to post to.

    A `server_url` is taken as it is (protocol 1.1). It must be https on a host of the broker's or one of
    `allowed_hosts` (`host`, or `host:port` for another port than 443). A sandbox may name a gateway on this machine.

    :raises ValueError: the URL may not be called.
    """
    text = endpoint.server_url
    if text is None:
        return _default(endpoint)
    url = _split(text)
    if url is None:
        raise ValueError(
            "server_url is too long, or holds a user, a query, a fragment or odd characters: write https://host/gateway"
        )
    host, port = url.hostname or "", url.port
    if endpoint.environment is Environment.SANDBOX and host in _LOOPBACK and url.scheme in ("http", "https"):
        return text
    if url.scheme != "https":
        raise ValueError("server_url is not https: only a sandbox account may use http, and only on this machine")
    if not _allowed(host if port in (None, 443) else f"{host}:{port}", allowed_hosts):
        raise ValueError(
            f"server_url names {host!r}, which is not a host of the broker's: "
            "if you trust it with keys and tokens, add it to allowed_hosts in the settings of the client"
        )
    return text


def is_here(url: str) -> bool:
    """Say whether a URL that may be called names this very machine."""
    return urlsplit(url).hostname in _LOOPBACK


def _default(endpoint: Endpoint) -> str:
    # The broker has switched its sandbox off; a sandbox account still never falls back to where real money is.
    if endpoint.environment is Environment.SANDBOX:
        return "https://openapi-sandbox.tigerfintech.com/gateway"
    if endpoint.license is License.TBUS:
        return "https://openapi.tradeup.com/gateway"
    return "https://openapi.tigerfintech.com/gateway"


def _split(text: str) -> SplitResult | None:
    """Return the parts of a URL that can be read in one way only: this reader and the HTTP library must agree."""
    if len(text) > _LONGEST or not _ODD.isdisjoint(text) or not (text.isascii() and text.isprintable()):
        return None
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
        same = httpx.URL(text).host == host
    except (ValueError, httpx.InvalidURL):
        return None
    named = host in _LOOPBACK or _NAME.fullmatch(host)
    shown = f"[{host}]" if ":" in host else host
    plain = url.netloc.lower() == (shown if port is None else f"{shown}:{port}")
    return url if same and named and plain else None


def _allowed(host: str, allowed_hosts: Collection[str]) -> bool:
    return host.endswith(_BROKER) or host in {allowed.lower() for allowed in allowed_hosts}
