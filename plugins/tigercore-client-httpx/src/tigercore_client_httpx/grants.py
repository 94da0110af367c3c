"""Grants of OAuth2: consent, renewal and revocation, each at the issuer that the grant names."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from tigercore.errors import NotProcessed, OutcomeUnknown, Rejected
from tigercore.model import Grant
from tigercore.ports import Authorization, Clock, Endpoint, Prompt
from tigercore_client_httpx.issuer import Issuer, Metadata
from tigercore_client_httpx.lane import Lane, Unshown
from tigercore_client_httpx.login import in_browser, with_code
from tigercore_client_httpx.options import HttpxOptions

__all__ = ["Grants"]

_KNOWN = 3600.0  # seconds for which an issuer's endpoints are believed


@final
class Grants:
    """Ask issuers. Errors as those of `TigerClient.call`."""

    def __init__(self, options: HttpxOptions, lane: Lane, clock: Clock) -> None:
        self._options = options
        self._lane = lane
        self._clock = clock
        self._known: dict[str, tuple[float, Metadata]] = {}

    async def authorize(self, wanted: Authorization, show: Callable[[Prompt], None]) -> Grant:
        """Let a person consent, in a browser of this machine or with a code.

        :raises Rejected: the person refused, or took too long.
        """
        seconds = self._options.timeout
        issuer = self._issuer(wanted.issuer or self._options.oauth2_issuer, wanted.endpoint)
        places = await self._places(issuer)
        client_id = wanted.client_id or await issuer.register(places.registration, seconds)
        flow = with_code if wanted.device else in_browser
        return await flow(issuer, places, client_id, show, seconds)

    async def renew(self, held: Grant, endpoint: Endpoint) -> Grant:
        """Ask once for the grant that comes after this one: its refresh token is dead then (protocol 4B.7)."""
        issuer = self._issuer(held.issuer, endpoint)
        places = await self._places(issuer)
        fields = Unshown(grant_type="refresh_token", client_id=held.client_id)
        fields["refresh_token"] = held.refresh_token.reveal()
        return await issuer.grant("oauth2_refresh", places.token, fields, self._options.timeout, before=held)

    async def revoke(self, held: Grant, endpoint: Endpoint) -> None:
        """Ask once to end a grant (protocol 4B.8)."""
        issuer = self._issuer(held.issuer, endpoint)
        place = (await self._places(issuer)).revocation
        if place is None:
            raise Rejected("oauth2_revoke", "the issuer revokes nothing: end the consent in its portal")
        fields = Unshown({"token_type_hint": "refresh_token", "client_id": held.client_id})
        fields["token"] = held.refresh_token.reveal()
        await issuer.revoke(place, fields, self._options.timeout)

    def _issuer(self, url: str, endpoint: Endpoint) -> Issuer:
        try:
            return Issuer(url, endpoint, self._options.allowed_hosts, self._lane, self._clock)
        except ValueError as error:
            fault = str(error)
        raise Rejected("oauth2_metadata", fault)

    async def _places(self, issuer: Issuer) -> Metadata:
        """Return the issuer's endpoints, asked for once an hour; nothing was sent that could matter if that fails."""
        now = self._clock.monotonic()
        since, places = self._known.get(issuer.url, (now, None))
        if places is None or since < now - _KNOWN:
            places = await self._discovered(issuer)
            self._known[issuer.url] = (now, places)
        return places

    async def _discovered(self, issuer: Issuer) -> Metadata:
        try:
            return await issuer.metadata(self._options.timeout)
        except OutcomeUnknown as error:
            fault = NotProcessed(error.method, error.detail)
        raise fault
