"""What the issuer's replies and old grants could still do to a client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus

import attrs
import pytest
import trio
from trio.testing import MockClock

from tigercore.errors import ClientError, RateLimited, Rejected
from tigercore.model import Credentials, Grant, Secret, Token
from tigercore.ports import Authorization, Signer
from tigercore.testing.client import Answer, Denial, SocketGateway
from tigercore_client_httpx import HttpxClient

METADATA = "/.well-known/oauth-authorization-server"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TOKENS = {"access_token": "access-9", "refresh_token": "refresh-9", "expires_in": 600}


@pytest.fixture
def held(gateway: SocketGateway) -> Grant:
    access, again = Secret("an-access-token"), Secret("a+refresh/token==")
    return Grant(gateway.issuer, "client-1", access, again, "", NOON - timedelta(days=1), NOON)


@pytest.fixture
def bearer(client: HttpxClient, gateway: SocketGateway) -> Signer:
    return client.signer(Credentials(Secret("client-1"), None), gateway.endpoint)


@pytest.fixture
def shanghai(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand in a zone that is not the clocks'."""
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("0", 60.0), ("soon", 60.0), ("999999", 3600.0)])
async def test_a_limit_of_the_issuers_rests_as_long_as_it_says_or_a_minute(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant, header: str, seconds: float
) -> None:
    gateway.then(Answer({}, status=429, headers=(("Retry-After", header),)))
    with pytest.raises(RateLimited) as caught:
        await client.refresh(bearer, held.token())
    assert seconds == caught.value.retry_after


async def test_an_error_does_not_repeat_the_refresh_token_as_the_form_bore_it(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant
) -> None:
    sent = quote_plus(held.refresh_token.reveal())
    gateway.then(Denial("invalid_request", f"bad form: refresh_token={sent}"))
    with pytest.raises(ClientError) as caught:
        await client.refresh(bearer, held.token())
    assert sent not in str(caught.value)


@pytest.mark.parametrize("date", ["Mon, 05 Jan 2026 12:30:00", "Mon, 05 Jan 2026 12:30:00 -0000"])
async def test_a_date_without_a_zone_is_of_no_zone_of_ours(
    shanghai: None, client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant, date: str
) -> None:
    gateway.then(Answer(TOKENS, headers=(("Date", date),)))
    fresh = Grant.of(await client.refresh(bearer, held.token()))
    assert NOON + timedelta(minutes=30) == fresh.issued_at


async def test_a_grant_after_which_none_can_be_later_is_not_renewed(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant
) -> None:
    last = {"issued_at": 253402300799999, "expires_at": 253402300799999}
    token = Token(Secret(json.dumps(json.loads(held.token().value.reveal()) | last)))
    with pytest.raises(ClientError, match="log in again"):
        await client.refresh(bearer, token)
    assert [] == gateway.arrivals


@pytest.mark.parametrize("scope", ["\ud800", "", "two words", "a\nb", "ü"])
async def test_a_scope_that_is_no_word_of_ascii_is_refused(
    client: HttpxClient, gateway: SocketGateway, scope: str
) -> None:
    page = gateway.pages[METADATA]
    assert isinstance(page, Answer)
    gateway.pages[METADATA] = attrs.evolve(page, data=page.data | {"scopes_supported": [scope]})
    with trio.fail_after(5), pytest.raises(Rejected, match="names no scopes"):
        await client.authorize(Authorization(gateway.endpoint, gateway.issuer), print)


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_person_is_waited_for_whatever_4xx_says_slow_down(
    client: HttpxClient, gateway: SocketGateway, autojump_clock: MockClock, status: int
) -> None:
    autojump_clock.autojump_threshold = 0.1
    gateway.then(Answer({"error": "slow_down"}, status=status))
    wanted = Authorization(gateway.endpoint, gateway.issuer, "client-1", device=True)
    assert "access-1" == Grant.of(await client.authorize(wanted, lambda _: None)).access_token.reveal()
