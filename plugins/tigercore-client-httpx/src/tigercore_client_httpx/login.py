"""How a person consents: in a browser on this machine that comes back to it, or anywhere, with a code (4B.5, 4B.6)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, final
from urllib.parse import parse_qs, urlencode, urlsplit

import trio

from tigercore.errors import OutcomeUnknown, Rejected
from tigercore.model import Grant
from tigercore.ports import Prompt
from tigercore_client_httpx.hosts import is_here
from tigercore_client_httpx.issuer import DEVICE_GRANT, Issuer, Metadata
from tigercore_client_httpx.lane import Unshown
from tigercore_client_httpx.polls import POLL, Polls

__all__ = ["in_browser", "with_code"]

_BROWSER: Final = 300.0  # seconds that a person has
_LONGEST, _INTERVAL = 1800, 5  # seconds of the device flow
_HEAD, _PATIENCE = 16 * 1024, 10  # bytes and seconds that a browser's request may take
_PAGE: Final = b"<!doctype html><title>tigercore</title><p>You may close this page.</p>"
_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n"
    b"Cache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s" % (len(_PAGE), _PAGE)
)
_NOTHING: Final = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_METHOD: Final = "oauth2_authorize"


async def in_browser(
    issuer: Issuer, places: Metadata, client_id: str, show: Callable[[Prompt], None], seconds: float
) -> Grant:
    """Let the person consent in a browser of this machine (PKCE S256). Errors as `TigerClient.authorize`."""
    fields = Unshown(grant_type="authorization_code", client_id=client_id)
    fields["code_verifier"] = secrets.token_urlsafe(48)
    asked = Unshown(response_type="code", client_id=client_id, scope=places.scope, state=secrets.token_urlsafe(24))
    asked |= {"code_challenge": _challenge(fields["code_verifier"]), "code_challenge_method": "S256"}
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listeners[0] as listener:
        uri = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/callback"
        asked["redirect_uri"] = fields["redirect_uri"] = uri
        show(Prompt(f"{places.authorization}?{urlencode(asked)}", None, _BROWSER))
        with trio.move_on_after(_BROWSER) as waiting:
            fields["code"] = await _Receiver(asked["state"]).code(listener)
    if waiting.cancelled_caught:
        raise Rejected(_METHOD, f"nobody consented within {_BROWSER / 60:.0f} minutes")
    return await issuer.grant("oauth2_token", places.token, fields, seconds)


async def with_code(
    issuer: Issuer, places: Metadata, client_id: str, show: Callable[[Prompt], None], seconds: float
) -> Grant:
    """Let the person type a code at another machine. Errors as `TigerClient.authorize`."""
    if places.device is None:
        raise Rejected(_METHOD, "the issuer has no device flow: consent in a browser on this machine")
    asked = {"client_id": client_id, "scope": places.scope}
    found = await issuer.form("oauth2_device", places.device, asked, seconds)
    fields = Unshown(grant_type=DEVICE_GRANT, client_id=client_id)
    fields["device_code"], url = _word(found, "device_code"), _word(found, "verification_uri")
    left, pause = _count(found, "expires_in", 600, _LONGEST), _count(found, "interval", _INTERVAL, _LONGEST)
    if not (url.startswith("https://") or is_here(issuer.url)):
        raise Rejected(_METHOD, "the issuer's page for the code is not https")
    show(Prompt(url, _word(found, "user_code"), float(left)))
    polls = Polls(lambda: issuer.grant(POLL, places.token, fields, seconds), pause)
    with trio.move_on_after(left):
        return await polls.grant()
    raise polls.expired(_METHOD, left / 60)


@final
class _Receiver:
    """Wait at the loopback for the browser to come back; whatever else knocks is turned away."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._found: dict[str, str] | None = None
        self._came = trio.Event()

    async def code(self, listener: trio.SocketListener) -> str:
        """Return the code of the consent. :raises Rejected: the person refused."""
        async with trio.open_nursery() as nursery:  # browsers open connections in advance: none holds up another
            nursery.start_soon(trio.serve_listeners, self._serve, [listener])
            await self._came.wait()
            nursery.cancel_scope.cancel()
        found = Unshown(self._found or {})
        if "error" in found:
            raise Rejected(_METHOD, "the consent was refused")
        return str(found["code"])

    async def _serve(self, stream: trio.SocketStream) -> None:
        async with stream:
            with suppress(trio.BrokenResourceError), trio.move_on_after(_PATIENCE):
                query = _query(await _head(stream))
                found = query if query is not None and self._is_ours(query) else None
                self._found = self._found or found
                await stream.send_all(_ANSWER if found else _NOTHING)
        if self._found:
            self._came.set()

    def _is_ours(self, query: dict[str, str]) -> bool:
        """Say whether this comes from the page that was shown: nobody else knows the state."""
        same = hmac.compare_digest(query.get("state", "").encode(), self._state.encode())
        return same and ("error" in query or bool(query.get("code")))


async def _head(stream: trio.SocketStream) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _HEAD:
        more = await stream.receive_some(4096)
        if not more:
            break
        head += more
    return head


def _query(head: bytes) -> dict[str, str] | None:
    """Return what the browser brings, None if this is another request."""
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) != 3 or words[0] != b"GET":
        return None
    try:
        url = urlsplit(words[1].decode("ascii"))
        found = parse_qs(url.query, max_num_fields=20)
    except ValueError:
        return None
    return {name: values[0] for name, values in found.items()} if url.path == "/callback" else None


def _word(found: dict[str, Any], name: str) -> str:
    if not _is_shown(found.get(name)):
        raise OutcomeUnknown("oauth2_device", f"the reply holds no {name}")
    return str(found[name])


def _is_shown(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 4096 and value.isprintable()


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _count(found: dict[str, Any], name: str, otherwise: int, most: int) -> int:
    value = found.get(name, otherwise)
    return min(max(value, 1), most) if type(value) is int else otherwise
