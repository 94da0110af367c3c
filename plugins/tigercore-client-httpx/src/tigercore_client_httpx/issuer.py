"""The issuer of grants (OAuth 2.0 for public clients): each request is sent once, each reply read as hostile input."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, final
from urllib.parse import quote_plus, urlencode

import attrs

from tigercore.errors import ClientError, NotProcessed, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tigercore.model import Grant, Secret
from tigercore.ports import Clock, Endpoint
from tigercore_client_httpx.hosts import gateway_url, is_here
from tigercore_client_httpx.lane import HttpReply, HttpRequest, Lane, Unshown
from tigercore_client_httpx.polls import POLL, NotYet, Unanswered
from tigercore_client_httpx.replies import load, printable

__all__ = ["DEVICE_GRANT", "Issuer", "Metadata"]

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_WELL_KNOWN = "/.well-known/oauth-authorization-server"
_REFUSED = frozenset({"invalid_grant", "invalid_client", "unauthorized_client"})
_NOT_YET = frozenset({"authorization_pending", "slow_down"})
_DECIDES = _REFUSED | _NOT_YET | {"access_denied", "expired_token"}  # words that count under HTTP 429 too
_LIFE = 3600  # seconds of an access token whose reply does not say (protocol 4B.7)
_LONGEST = 365 * 86400
_YEARS = range(2001, 2286)  # of moments that can be of our time
_OPEN = frozenset({"grant_type", "token_type_hint", "scope"})  # fields that an error may show
_PATIENCE = 60.0  # seconds before who was told to slow down asks again
_FORM = "application/x-www-form-urlencoded; charset=utf-8"


@final
@attrs.frozen
class Metadata:
    """The issuer's endpoints, each of them allowed, and all the scopes it has."""

    authorization: str
    token: str
    scope: str
    registration: str | None
    device: str | None
    revocation: str | None


@final
class Issuer:
    """One issuer, as an endpoint of the gateway may use it. `url` and what it names are on allowed hosts."""

    def __init__(self, url: str, endpoint: Endpoint, allowed: Collection[str], lane: Lane, clock: Clock) -> None:
        self._endpoint = endpoint
        self._allowed = allowed
        self._lane = lane
        self._clock = clock
        self.url = self._checked("issuer", url)

    async def metadata(self, seconds: float) -> Metadata:
        """Ask where the endpoints are (protocol 4B.2). Errors as `TigerClient.call`."""
        method = "oauth2_metadata"
        sent = _request(self.url + _WELL_KNOWN, b"", None, "GET")
        found = self._object(method, await self._lane.post(method, sent, seconds))
        scopes = found.get("scopes_supported")
        if not isinstance(scopes, list) or not scopes or not all(map(_is_word, scopes)):
            raise Rejected(method, "the issuer names no scopes")
        needed = (self._place(method, found, name) for name in ("authorization_endpoint", "token_endpoint"))
        names = ("registration_endpoint", "device_authorization_endpoint", "revocation_endpoint")
        optional = (self._place(method, found, name) if found.get(name) is not None else None for name in names)
        authorization, token = needed
        registration, device, revocation = optional
        return Metadata(authorization, token, " ".join(sorted(scopes)), registration, device, revocation)

    async def register(self, place: str | None, seconds: float) -> str:
        """Make a public client, and return its id (protocol 4B.4)."""
        method = "oauth2_register"
        asked = {
            "client_name": "tigercore",
            "redirect_uris": ["http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token", DEVICE_GRANT],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }
        if place is None:
            raise Rejected(method, "the issuer registers no clients: ask the broker for a client id")
        sent = _request(place, json.dumps(asked).encode(), "application/json")
        reply = await self._lane.post(method, sent, seconds)
        return self._word(method, self._object(method, reply), "client_id")

    async def form(self, method: str, place: str, fields: Mapping[str, str], seconds: float) -> dict[str, Any]:
        """Post a form and return the object of the reply."""
        return self._object(method, await self._post(method, place, fields, seconds), fields)

    async def revoke(self, place: str, fields: Mapping[str, str], seconds: float) -> None:
        """End a grant; what the reply holds beside its status means nothing (protocol 4B.8)."""
        method = "oauth2_revoke"
        reply = await self._post(method, place, fields, seconds)
        if not 200 <= reply.status < 300:
            self._object(method, reply, fields)

    async def grant(
        self, method: str, place: str, fields: Mapping[str, str], seconds: float, before: Grant | None = None
    ) -> Grant:
        """Post a form to the token endpoint and return the grant that it gives; `before` is the one that it renews."""
        reply = await self._post(method, place, fields, seconds)
        found = self._object(method, reply, fields)
        life = found.get("expires_in", _LIFE)
        if type(life) is not int or not 0 < life <= _LONGEST:
            raise OutcomeUnknown(method, "the reply does not say how long the grant is good")
        access, again = Secret(self._word(method, found, "access_token")), self._again(method, found, before)
        scope, born = found.get("scope"), self._born(reply, before)
        kept = scope if isinstance(scope, str) else before.scope if before else ""
        ends = born + timedelta(seconds=life)
        return _readable(method, Grant(self.url, fields["client_id"], access, again, kept, born, ends))

    # -- within ------------------------------------------------------------------------------------------------

    def _again(self, method: str, found: Mapping[str, Any], before: Grant | None) -> Secret:
        """Return the refresh token; an issuer that does not rotate it leaves it out."""
        if before is not None and found.get("refresh_token") is None:
            return before.refresh_token
        return Secret(self._word(method, found, "refresh_token"))

    def _born(self, reply: HttpReply, before: Grant | None) -> datetime:
        """Return when the grant was issued, by the issuer's clock if it tells it, and later than the one before."""
        born = _date(reply.headers.get("date", "")) or self._clock.now()
        return born if before is None else max(born, before.issued_at + timedelta(milliseconds=1))

    async def _post(self, method: str, place: str, fields: Mapping[str, str], seconds: float) -> HttpReply:
        try:
            return await self._lane.post(method, _request(place, _encoded(fields), _FORM), seconds)
        except (NotProcessed, OutcomeUnknown) as error:
            if method != POLL:
                raise
            fault = Unanswered(error.detail)
        raise fault

    def _object(self, method: str, reply: HttpReply, sent: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the object of a reply; `sent` is the form whose fields no error may show."""
        found = _fields(reply)
        is_denied = found is not None and 400 <= reply.status < 500 and isinstance(found.get("error"), str)
        if method == POLL and not _answers(reply.status, found if is_denied else None):
            raise Unanswered(f"HTTP {reply.status}", _rest(reply, 0.0))
        if method != POLL and reply.status == 429:
            raise RateLimited(method, "the issuer is asked too often", retry_after=_rest(reply, _PATIENCE))
        if found is not None and 200 <= reply.status < 300:
            return found
        if found is not None and is_denied:
            raise self._refusal(method, found, sent or {})
        raise OutcomeUnknown(method, f"HTTP {reply.status}, and no answer that can be used")

    def _refusal(self, method: str, found: Mapping[str, Any], sent: Mapping[str, str]) -> ClientError:
        word = found["error"]
        told = printable(f"{word}: {found.get('error_description', '')}".rstrip(": "), _secrets(sent))
        if word in _REFUSED and method == "oauth2_refresh":
            return Unauthorized(method, told)
        if word in _NOT_YET and method == POLL:
            return NotYet(method, slower=word == "slow_down")
        return Rejected(method, told)

    def _word(self, method: str, found: Mapping[str, Any], name: str) -> str:
        if not _is_word(found.get(name)):
            raise OutcomeUnknown(method, f"the reply holds no {name}")
        return str(found[name])

    def _place(self, method: str, found: Mapping[str, Any], name: str) -> str:
        try:
            place = self._checked(name, self._word(method, found, name))
        except ValueError as error:
            fault = str(error)
        else:
            if is_here(self.url) or not is_here(place):
                return place
            fault = f"{name} is on this machine, and the issuer is not"
        raise Rejected(method, fault)

    def _checked(self, name: str, url: str) -> str:
        """Pass a URL that tokens may be sent to: by the rules of the gateway's own."""
        try:
            gateway_url(attrs.evolve(self._endpoint, server_url=url), self._allowed)
        except ValueError as error:
            fault = str(error).replace("server_url", name)
        else:
            return url.rstrip("/") if name == "issuer" else url
        raise ValueError(fault)


# What is below holds texts in its locals, and raises nothing: a report that prints locals shows none of them.


def _request(url: str, body: bytes, kind: str | None, verb: str = "POST") -> HttpRequest:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "tigercore"}
    return HttpRequest(url, headers | ({"Content-Type": kind} if kind else {}), body, verb)


def _encoded(fields: Mapping[str, str]) -> bytes:
    return urlencode(fields, errors="surrogatepass").encode()  # what cannot be text is refused over there


def _fields(reply: HttpReply) -> Unshown | None:
    try:
        found = load(reply.body.decode())
    except ValueError:
        return None
    return Unshown(found) if isinstance(found, dict) else None


def _answers(status: int, denial: Unshown | None) -> bool:
    """Say whether a reply to a poll tells how the person decided, or that they have not."""
    return status < 500 and (status != 429 or (denial is not None and denial["error"] in _DECIDES))


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable() and " " not in value


def _rest(reply: HttpReply, otherwise: float) -> float:
    text = reply.headers.get("retry-after", "")
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return float(min(seconds, 3600)) if seconds else otherwise


def _secrets(fields: Mapping[str, str]) -> list[str]:
    """Return the texts that no error may show, as they are and as the form bears them."""
    held = [value for name, value in fields.items() if name not in _OPEN]
    return held + [quote_plus(value, errors="surrogatepass") for value in held]


def _date(text: str) -> datetime | None:
    """Return the moment of a Date header, None if it is none of our time."""
    try:
        told = parsedate_to_datetime(text)
        found = (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.year in _YEARS else None


def _readable(method: str, grant: Grant) -> Grant:
    """Return a grant that can be kept: what reads it back has bounds too."""
    try:
        return Grant.of(grant.token())
    except ValueError:
        pass
    raise OutcomeUnknown(method, "the reply is too long to be kept")
