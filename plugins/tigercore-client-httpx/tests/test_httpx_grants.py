"""Renewal and revocation of grants: what is sent, to whom, and what of the reply is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import attrs
import pytest

from tigercore.errors import NotProcessed, OutcomeUnknown, Rejected, Unauthorized
from tigercore.model import Credentials, Environment, Grant, Secret, Token
from tigercore.operations import operation
from tigercore.ports import Endpoint, GatewayRequest, Signer
from tigercore.testing.client import Answer, Fault, Move, SocketGateway, a_token, open_socket_gateway
from tigercore_client_httpx import HttpxClient

METADATA = "/.well-known/oauth-authorization-server"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TOKENS = {"access_token": "access-9", "refresh_token": "refresh-9", "expires_in": 600, "scope": "api.quote:read"}
READ = GatewayRequest(operation("positions"), {})
LOST = (Fault.CLOSE_AFTER_READING, Fault.CUT, Fault.HUGE, Answer({}, status=502), Answer({}, status=307))


@pytest.fixture
def held(gateway: SocketGateway) -> Grant:
    access, again = Secret("an-access-token"), Secret("a-refresh-token")
    return Grant(gateway.issuer, "client-1", access, again, "api.trade:read", NOON - timedelta(hours=1), NOON)


@pytest.fixture
def bearer(client: HttpxClient, gateway: SocketGateway) -> Signer:
    return client.signer(Credentials(Secret("client-1"), None), gateway.endpoint)


@pytest.fixture
async def other() -> AsyncIterator[SocketGateway]:
    async with open_socket_gateway() as gateway:
        yield gateway


def dated(moment: datetime, **changes: object) -> Answer:
    return Answer(TOKENS | changes, headers=(("Date", format_datetime(moment, usegmt=True)),))


async def renewed(client: HttpxClient, bearer: Signer, held: Grant) -> Grant:
    return Grant.of(await client.refresh(bearer, held.token()))


# -- what is sent ----------------------------------------------------------------------------------------------


async def test_a_renewal_is_the_protocols_form(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant
) -> None:
    await client.refresh(bearer, held.token())
    expected = {"grant_type": "refresh_token", "client_id": "client-1", "refresh_token": "a-refresh-token"}
    assert [expected] == [arrival.params for arrival in gateway.arrivals]


async def test_a_revocation_is_the_protocols_form(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant
) -> None:
    await client.revoke(bearer, held.token())
    expected = {"token_type_hint": "refresh_token", "client_id": "client-1", "token": "a-refresh-token"}
    assert [("oauth2_revoke", expected)] == [(arrival.method, arrival.params) for arrival in gateway.arrivals]


async def test_a_form_goes_out_with_no_access_token_and_on_a_connection_of_its_own(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant
) -> None:
    await client.refresh(bearer, held.token())
    expected = {
        "accept": "application/json",
        "accept-encoding": "identity",
        "connection": "close",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "user-agent": "tigercore",
    }
    others = {"content-length", "host"}
    assert expected == {name: text for name, text in gateway.headers[0].items() if name not in others}


@pytest.mark.parametrize("text", ["a+b/c==", "a&client_id=another", "ü €", "a%2Bb", "line\r\nfeed"])
async def test_a_refresh_token_of_whatever_text_stays_in_its_field(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant, text: str
) -> None:
    await client.refresh(bearer, attrs.evolve(held, refresh_token=Secret(text)).token())
    expected = {"grant_type": "refresh_token", "client_id": "client-1", "refresh_token": text}
    assert [expected] == [arrival.params for arrival in gateway.arrivals]


@pytest.mark.parametrize("move", LOST)
async def test_a_renewal_whose_reply_is_lost_has_shown_the_token_once(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant, move: Move
) -> None:
    gateway.then(move)
    with pytest.raises(OutcomeUnknown):
        await client.refresh(bearer, held.token())
    assert 1 == gateway.visits.count("/oauth2/token")


@pytest.mark.parametrize("move", LOST[:-2])
async def test_a_revocation_whose_reply_is_lost_has_shown_the_token_once(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant, move: Move
) -> None:
    gateway.then(move)
    with pytest.raises(OutcomeUnknown):
        await client.revoke(bearer, held.token())
    assert 1 == gateway.visits.count("/oauth2/revoke")


async def test_an_issuer_that_nobody_listens_for_is_not_processed(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant
) -> None:
    nobody = str(gateway.dead_endpoint.server_url).removesuffix("/gateway")
    with pytest.raises(NotProcessed):
        await client.refresh(bearer, attrs.evolve(held, issuer=nobody).token())


# -- to whom ---------------------------------------------------------------------------------------------------


async def test_each_grant_is_renewed_at_the_issuer_that_it_names(
    client: HttpxClient, gateway: SocketGateway, other: SocketGateway, bearer: Signer, held: Grant
) -> None:
    await client.refresh(bearer, held.token())
    await client.refresh(bearer, attrs.evolve(held, issuer=other.issuer).token())
    assert (1, 1) == (len(gateway.arrivals), len(other.arrivals))


async def test_a_grant_of_an_issuer_on_this_machine_is_not_shown_to_it_for_a_production_account(
    client: HttpxClient, gateway: SocketGateway, held: Grant
) -> None:
    bearer = client.signer(Credentials(Secret("client-1"), None), Endpoint(Environment.PRODUCTION))
    for ask in (client.refresh, client.revoke):
        with pytest.raises(Rejected, match="issuer is not https"):
            await ask(bearer, held.token())
    assert [] == gateway.visits


@pytest.mark.parametrize("url", ["https://evil.example.com", "https://user:word@openapi-oauth2.tigerfintech.com", "x"])
async def test_a_grant_that_names_an_issuer_who_is_not_allowed_is_not_shown_to_it(
    client: HttpxClient, bearer: Signer, held: Grant, url: str
) -> None:
    with pytest.raises(Rejected, match="issuer") as caught:
        await client.refresh(bearer, attrs.evolve(held, issuer=url).token())
    assert "word" not in str(caught.value)


async def test_refresh_of_a_token_that_is_no_grant_is_unauthorized_and_nothing_is_sent(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer
) -> None:
    with pytest.raises(Unauthorized, match="log in again"):
        await client.refresh(bearer, a_token())
    assert ([], []) == (gateway.arrivals, gateway.visits)


@pytest.mark.parametrize("text", ["two words", "line\r\nX-Injected: 1", "токен"])
async def test_an_access_token_that_is_no_header_text_is_refused_unsent(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant, text: str
) -> None:
    with pytest.raises(Unauthorized) as caught:
        await client.call(READ, bearer, attrs.evolve(held, access_token=Secret(text)).token())
    assert ([], False) == (gateway.arrivals, text in str(caught.value))


async def test_a_token_that_is_no_grant_is_borne_by_no_call(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer
) -> None:
    with pytest.raises(Unauthorized, match="log in again"):
        await client.call(READ, bearer, Token(Secret("not a grant")))
    assert [] == gateway.arrivals


# -- what is kept ----------------------------------------------------------------------------------------------


async def test_an_issuer_that_gives_no_new_refresh_token_leaves_the_old_one_good(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant
) -> None:
    for answer in ({"access_token": "access-9"}, {"access_token": "access-9", "refresh_token": None}):
        gateway.then(Answer(answer))
        fresh = await renewed(client, bearer, held)
        assert ("access-9", "a-refresh-token") == (fresh.access_token.reveal(), fresh.refresh_token.reveal())


@pytest.mark.parametrize(
    ("told", "kept"), [({}, "api.trade:read"), ({"scope": 7}, "api.trade:read"), (TOKENS, "api.quote:read")]
)
async def test_a_scope_that_is_not_told_is_the_one_of_before(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant, told: dict[str, object], kept: str
) -> None:
    gateway.then(Answer({"access_token": "access-9"} | told))
    assert kept == (await renewed(client, bearer, held)).scope


async def test_a_grant_is_born_by_the_issuers_clock(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant
) -> None:
    there = NOON + timedelta(hours=3)
    gateway.then(dated(there))
    fresh = await renewed(client, bearer, held)
    assert (there, there + timedelta(seconds=600)) == (fresh.issued_at, fresh.expires_at)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "soon",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 99 Jan 2026 12:00:00 GMT",
        "1" * 5000,
    ],
)
async def test_a_date_that_is_no_moment_of_our_time_leaves_our_own_clock(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant, date: str
) -> None:
    gateway.then(Answer(TOKENS, headers=(("Date", date),)))
    assert NOON == (await renewed(client, bearer, held)).issued_at


@pytest.mark.parametrize("hours", [-48, -2, -1])
async def test_a_clock_that_went_back_makes_no_grant_older_than_the_one_before(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant, hours: int
) -> None:
    gateway.then(dated(NOON + timedelta(hours=hours)))
    assert held.issued_at + timedelta(milliseconds=1) == (await renewed(client, bearer, held)).issued_at


async def test_renewals_in_one_moment_are_each_later_than_the_one_before(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant
) -> None:
    born = [held.issued_at]
    for _ in range(4):
        held = await renewed(client, bearer, held)
        born.append(held.issued_at)
    assert sorted(set(born)) == born


# -- what ends -------------------------------------------------------------------------------------------------


async def test_an_issuer_that_revokes_nothing_says_where_to_go(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, held: Grant
) -> None:
    page = gateway.pages[METADATA]
    assert isinstance(page, Answer)
    gateway.pages[METADATA] = attrs.evolve(page, data=page.data | {"revocation_endpoint": None})
    with pytest.raises(Rejected, match="portal"):
        await client.revoke(bearer, held.token())
