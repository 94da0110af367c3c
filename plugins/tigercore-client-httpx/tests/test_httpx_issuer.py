"""What an issuer replies is hostile: each reply is taken whole and sound, or it is an error that shows nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from tigercore.errors import ClientError, NotProcessed, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tigercore.model import Credentials, Grant, Secret
from tigercore.ports import Authorization
from tigercore.testing.client import Answer, Denial, Fault, Move, Raw, SocketGateway
from tigercore.testing.clock import ManualClock, driver_context
from tigercore_client_httpx import HttpxClient, HttpxOptions

METADATA = "/.well-known/oauth-authorization-server"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TOKENS = {"access_token": "access-9", "refresh_token": "refresh-9", "expires_in": 600, "scope": "api.quote:read"}
NO_WORDS = ("", 7, True, [], {}, "two words", "line\nfeed", "nul\x00", "tökén", "a\x7f")
NO_OBJECTS: tuple[Move, ...] = (
    Raw(b""),
    Raw(b"<html>sign in</html>"),
    Raw(b"\xff{}"),
    Raw(b'"text"'),
    Raw(b"[]"),
    Raw(b'{"scopes_supported":["a"],"scopes_supported":["b"]}'),
    Raw(b'{"a":NaN}'),
    Raw(b'{"a":' + b"[" * 100 + b"]" * 100 + b"}"),
    Raw(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    Raw(b'{"a":' + b"9" * 5000 + b"}"),
    Fault.HUGE,
    Fault.CUT,
    Fault.CLOSE_AFTER_READING,
    *(Answer({}, status=status) for status in (300, 400, 404, 500, 503)),
)


Refresh = Callable[[], Awaitable[Grant]]


def refresher(client: HttpxClient, gateway: SocketGateway) -> Refresh:
    """Return what refreshes a grant that was given an hour ago."""
    access, again = Secret("an-access-token"), Secret("a-refresh-token")
    held = Grant(gateway.issuer, "client-1", access, again, "api.trade:read", NOON - timedelta(hours=1), NOON)
    bearer = client.signer(Credentials(Secret("client-1"), None), gateway.endpoint)

    async def refresh() -> Grant:
        return Grant.of(await client.refresh(bearer, held.token()))

    return refresh


@pytest.fixture
def refresh(client: HttpxClient, gateway: SocketGateway) -> Refresh:
    return refresher(client, gateway)


def tells(gateway: SocketGateway, **changes: Any) -> None:
    """Let the metadata hold this too; None leaves a field out."""
    page = gateway.pages[METADATA]
    assert isinstance(page, Answer)
    told = {name: value for name, value in (page.data | changes).items() if value is not None}
    gateway.pages[METADATA] = attrs.evolve(page, data=told)


# -- where its endpoints are -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["authorization", "token", "registration", "device_authorization", "revocation"])
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://evil.example.com/token", "names 'evil.example.com'"),
        ("http://openapi-oauth2.tigerfintech.com/token", "is not https"),
        ("https://openapi-oauth2.tigerfintech.com@evil.example.com/token", "holds a user"),
        ("https://openapi-oauth2.tigerfintech.com/token?next=evil", "holds a user, a query"),
        ("/token", "odd characters"),
    ],
)
async def test_an_endpoint_that_may_not_be_called_is_refused_by_its_name_and_nothing_is_sent(
    gateway: SocketGateway, refresh: Refresh, name: str, url: str, why: str
) -> None:
    tells(gateway, **{f"{name}_endpoint": url})
    with pytest.raises(Rejected, match=f"{name}_endpoint.*{why}"):
        await refresh()
    assert [] == gateway.arrivals


@pytest.mark.parametrize("scopes", [None, [], "api.account:read", {"api.account:read": 1}, ["api.account:read", 7]])
async def test_an_issuer_without_scopes_is_refused(gateway: SocketGateway, refresh: Refresh, scopes: Any) -> None:
    tells(gateway, scopes_supported=scopes)
    with pytest.raises(Rejected, match="names no scopes"):
        await refresh()


@pytest.mark.parametrize("move", NO_OBJECTS)
async def test_metadata_that_cannot_be_read_is_not_processed_as_nothing_that_matters_was_sent(
    gateway: SocketGateway, refresh: Refresh, move: Move
) -> None:
    gateway.pages[METADATA] = move
    with pytest.raises(NotProcessed, match="oauth2_metadata"):
        await refresh()
    assert [] == gateway.arrivals


@pytest.mark.parametrize("value", [None, *NO_WORDS])
async def test_metadata_that_names_no_token_endpoint_is_not_processed(
    gateway: SocketGateway, refresh: Refresh, value: Any
) -> None:
    tells(gateway, token_endpoint=value)
    with pytest.raises(NotProcessed, match="holds no token_endpoint"):
        await refresh()


async def test_metadata_that_is_denied_is_rejected(gateway: SocketGateway, refresh: Refresh) -> None:
    gateway.pages[METADATA] = Denial("invalid_client", "not you")
    with pytest.raises(Rejected, match="invalid_client: not you"):
        await refresh()


async def test_the_endpoints_are_believed_for_an_hour(gateway: SocketGateway) -> None:
    clock = ManualClock()
    async with HttpxClient.open(HttpxOptions(), driver_context(clock)) as client:
        refresh = refresher(client, gateway)
        asked = []
        for seconds in (0, 3599, 1, 1):
            clock.advance(seconds)
            await refresh()
            asked.append(gateway.visits.count(f"/oauth2{METADATA}"))
    assert [1, 1, 1, 2] == asked


async def test_endpoints_that_could_not_be_read_are_asked_for_again(gateway: SocketGateway, refresh: Refresh) -> None:
    good, gateway.pages[METADATA] = gateway.pages[METADATA], Raw(b"")
    with pytest.raises(NotProcessed):
        await refresh()
    gateway.pages[METADATA] = good
    assert "access-1" == (await refresh()).access_token.reveal()


@pytest.mark.parametrize("url", ["http://evil.example.com", "https://evil.example.com", "http://", "no url"])
async def test_an_issuer_that_may_not_be_called_is_refused(
    client: HttpxClient, gateway: SocketGateway, url: str
) -> None:
    with pytest.raises(Rejected, match="issuer"):
        await client.authorize(Authorization(gateway.endpoint, url), print)
    assert [] == gateway.visits


# -- what it gives ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("life", [True, 0, -1, 365 * 86400 + 1, 10**30, 600.0, "600", None, [], {}])
async def test_a_grant_of_a_life_that_cannot_be_is_unknown(gateway: SocketGateway, refresh: Refresh, life: Any) -> None:
    gateway.then(Answer(TOKENS | {"expires_in": life}))
    with pytest.raises(OutcomeUnknown, match="how long"):
        await refresh()


@pytest.mark.parametrize("life", [1, 365 * 86400])
async def test_a_grant_lives_as_long_as_its_issuer_says(gateway: SocketGateway, refresh: Refresh, life: int) -> None:
    gateway.then(Answer(TOKENS | {"expires_in": life}))
    fresh = await refresh()
    assert timedelta(seconds=life) == fresh.expires_at - fresh.issued_at


async def test_a_grant_whose_life_is_not_told_lives_an_hour(gateway: SocketGateway, refresh: Refresh) -> None:
    gateway.then(Answer({name: value for name, value in TOKENS.items() if name != "expires_in"}))
    fresh = await refresh()
    assert timedelta(hours=1) == fresh.expires_at - fresh.issued_at


@pytest.mark.parametrize("value", NO_WORDS)
@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
async def test_a_token_that_is_no_word_of_ascii_is_unknown_and_not_shown(
    gateway: SocketGateway, refresh: Refresh, name: str, value: Any
) -> None:
    gateway.then(Answer(TOKENS | {name: value}))
    with pytest.raises(OutcomeUnknown) as caught:
        await refresh()
    assert f"oauth2_refresh: the reply holds no {name}" == str(caught.value)


async def test_a_grant_without_an_access_token_is_unknown(gateway: SocketGateway, refresh: Refresh) -> None:
    gateway.then(Answer({"error": "invalid_grant", "refresh_token": "refresh-9"}))
    with pytest.raises(OutcomeUnknown, match="no access_token"):
        await refresh()


@pytest.mark.parametrize("name", ["access_token", "refresh_token", "scope"])
async def test_a_grant_that_is_too_long_to_be_kept_is_unknown(
    gateway: SocketGateway, refresh: Refresh, name: str
) -> None:
    gateway.then(Answer(TOKENS | {name: "x" * 65536}))
    with pytest.raises(OutcomeUnknown, match="too long"):
        await refresh()


@pytest.mark.parametrize("move", [*NO_OBJECTS, Answer({"error": 7}, status=400)])
async def test_a_reply_that_neither_gives_nor_denies_is_unknown(
    gateway: SocketGateway, refresh: Refresh, move: Move
) -> None:
    gateway.then(move)
    with pytest.raises(OutcomeUnknown):
        await refresh()


# -- what it refuses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(gateway: SocketGateway, refresh: Refresh, status: int) -> None:
    gateway.then(Answer({}, status=status, headers=(("Location", f"{gateway.issuer}/elsewhere"),)))
    with pytest.raises(OutcomeUnknown, match=f"HTTP {status}"):
        await refresh()
    assert [f"/oauth2{METADATA}", "/oauth2/token"] == gateway.visits


@pytest.mark.parametrize("body", [{}, {"error": "invalid_grant"}, TOKENS, []])
async def test_too_many_requests_is_a_limit_whatever_the_body_says(
    gateway: SocketGateway, refresh: Refresh, body: Any
) -> None:
    gateway.then(Answer(body, status=429))
    with pytest.raises(RateLimited) as caught:
        await refresh()
    assert 60.0 == caught.value.retry_after


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_failing_issuer_ends_no_grant_whatever_the_body_says(
    gateway: SocketGateway, refresh: Refresh, status: int
) -> None:
    gateway.then(Answer({"error": "invalid_grant"}, status=status))
    with pytest.raises(OutcomeUnknown):
        await refresh()


async def test_a_client_that_may_ask_no_more_is_unauthorized(gateway: SocketGateway, refresh: Refresh) -> None:
    gateway.then(Answer({"error": "unauthorized_client"}, status=401))
    with pytest.raises(Unauthorized):
        await refresh()


@pytest.mark.parametrize("body", [("error",), ("error_description",), ("error", "error_description")], ids="-".join)
@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
async def test_an_error_does_not_repeat_the_refresh_token(
    gateway: SocketGateway, refresh: Refresh, body: tuple[str, ...], status: int
) -> None:
    gateway.then(Answer({"error": "no"} | dict.fromkeys(body, "you sent a-refresh-token;client-1"), status=status))
    with pytest.raises(ClientError) as caught:
        await refresh()
    assert "a-refresh-token" not in f"{caught.value} {vars(caught.value)}"
