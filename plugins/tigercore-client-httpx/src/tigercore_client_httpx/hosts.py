"""Which URL an endpoint means, and whether it may be called at all (threat 11: keys and tokens follow the URL)."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from tigercore.model import Environment, License
from tigercore.ports import Endpoint

__all__ = ["gateway_url"]

_BROKER = (".tigerfintech.com", ".itigerup.com", ".tradeup.com")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def gateway_url(endpoint: Endpoint, allowed_hosts: Collection[str] = ()) -> str:
    """Return the URL to post to.

    A `server_url` is taken as it is (protocol 1.1). It must be https on a host of the broker's or one of
    `allowed_hosts` (`host`, or `host:port` for another port than 443). A sandbox may name a gateway on this machine.

    :raises ValueError: the URL may not be called.
    """
    if endpoint.server_url is None:
        return _default(endpoint)
    try:
        url = urlsplit(endpoint.server_url)
        host, port = url.hostname or "", url.port
    except ValueError:
        raise ValueError("server_url is not a URL: write it as https://host/gateway") from None
    if not _plain(endpoint.server_url, url):
        raise ValueError("server_url holds a user, a query, a fragment or odd characters: write https://host/gateway")
    if endpoint.environment is Environment.SANDBOX and host in _LOOPBACK and url.scheme in ("http", "https"):
        return endpoint.server_url
    if url.scheme != "https":
        raise ValueError("server_url is not https: only a sandbox account may use http, and only on this machine")
    if not _allowed(host if port in (None, 443) else f"{host}:{port}", allowed_hosts):
        raise ValueError(
            f"server_url names {host!r}, which is not a host of the broker's: "
            "if you trust it with keys and tokens, add it to allowed_hosts in the settings of the client"
        )
    return endpoint.server_url


def _default(endpoint: Endpoint) -> str:
    # The broker has switched its sandbox off; a sandbox account still never falls back to where real money is.
    if endpoint.environment is Environment.SANDBOX:
        return "https://openapi-sandbox.tigerfintech.com/gateway"
    if endpoint.license is License.TBUS:
        return "https://openapi.tradeup.com/gateway"
    return "https://openapi.tigerfintech.com/gateway"


def _plain(text: str, url: SplitResult) -> bool:
    readable = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    return readable and "@" not in url.netloc and "?" not in text and "#" not in text


def _allowed(host: str, allowed_hosts: Collection[str]) -> bool:
    return host.endswith(_BROKER) or host in {allowed.lower() for allowed in allowed_hosts}
