"""The issuer's half of a scripted gateway on a real socket (protocol 4B)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final
from urllib.parse import parse_qsl, urlencode, urlsplit

import trio

from tigercore.ports import Prompt
from tigercore.testing._gateway import Answer, Arrival, Denial, Fault, Move

__all__ = ["SocketIssuer"]

_PATH = "/oauth2"


@final
class SocketIssuer:
    """Give a grant for every form, unless a move says otherwise. `pages` overrides what it tells at other paths."""

    def __init__(self, base: str) -> None:
        self.url = base + _PATH
        self.pages: dict[str, Move] = {
            "/.well-known/oauth-authorization-server": Answer(self._metadata()),
            "/register": Answer({"client_id": "client-1"}, status=201),
            "/device": Answer(
                {
                    "device_code": "device-1",
                    "user_code": "WDJB-MJHT",
                    "verification_uri": f"{self.url}/verify",
                    "expires_in": 600,
                }
            ),
        }
        self._given = 0

    def serves(self, path: str) -> bool:
        """Say whether a path is the issuer's."""
        return path.startswith(_PATH)

    def page(self, path: str) -> Move | None:
        """Return what stands at a path, None if a form is expected there."""
        return self.pages.get(path.removeprefix(_PATH))

    def arrival(self, path: str, form: Mapping[str, str]) -> Arrival:
        """Return a form as the laws see it."""
        method = f"oauth2_{path.rpartition('/')[2]}"
        return Arrival(method, form, "", form.get("refresh_token") or form.get("token"))

    def grant(self) -> Mapping[str, Any]:
        """Return the next grant."""
        self._given += 1
        return {
            "access_token": f"access-{self._given}",
            "refresh_token": f"refresh-{self._given}",
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "api.account:read",
        }

    async def consent(self, prompt: Prompt, move: Move) -> None:
        """Send the browser of the person back to where it came from."""
        asked = dict(parse_qsl(urlsplit(prompt.url).query))
        if move is Fault.HANG or prompt.user_code is not None:
            return
        told = {"error": move.error} if isinstance(move, Denial) else {"code": "code-1"}
        await visit(f"{asked['redirect_uri']}?{urlencode(told | {'state': asked['state']})}")

    def _metadata(self) -> Mapping[str, Any]:
        paths = ("authorize", "token", "register", "device", "revoke")
        names = ("authorization", "token", "registration", "device_authorization", "revocation")
        places = {f"{name}_endpoint": f"{self.url}/{path}" for name, path in zip(names, paths, strict=True)}
        return {"issuer": self.url, **places, "scopes_supported": ["api.trade:read", "api.account:read"]}


async def visit(url: str) -> bytes:
    """Open a page of this machine, and return the reply as it came."""
    parts = urlsplit(url)
    received = b""
    async with await trio.open_tcp_stream(str(parts.hostname), parts.port or 80) as stream:
        await stream.send_all(f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        async for chunk in stream:
            received += chunk
    return received
