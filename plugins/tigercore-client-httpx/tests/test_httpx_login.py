"""The browser's flow: who comes back to this machine with a code, and who only says so."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs
import pytest
import trio
from trio.testing import MockClock

from tigercore.errors import OutcomeUnknown, Rejected
from tigercore.model import Grant
from tigercore.ports import Authorization, Prompt
from tigercore.testing.client import Answer, SocketGateway
from tigercore_client_httpx import HttpxClient

METADATA = "/.well-known/oauth-authorization-server"
FOREIGN = (
    b"GET /callback?code=theirs HTTP/1.1\r\n\r\n",
    b"GET /callback?code=theirs&state=theirs HTTP/1.1\r\n\r\n",
    b"GET /callback?code=theirs&state=%C3%BC%FF HTTP/1.1\r\n\r\n",
    b"GET /callback?error=access_denied HTTP/1.1\r\n\r\n",
    b"GET /callback?error=access_denied&state=theirs HTTP/1.1\r\n\r\n",
    b"GET /callback?state={state} HTTP/1.1\r\n\r\n",
    b"GET /callback?code=&state={state} HTTP/1.1\r\n\r\n",
    b"GET /callback?state=theirs&state={state}&code=theirs HTTP/1.1\r\n\r\n",
    b"GET /callback?" + b"a=1&" * 30 + b"code=theirs&state={state} HTTP/1.1\r\n\r\n",
    b"GET /elsewhere?code=theirs&state={state} HTTP/1.1\r\n\r\n",
    b"GET /callback/?code=theirs&state={state} HTTP/1.1\r\n\r\n",
    b"POST /callback?code=theirs&state={state} HTTP/1.1\r\n\r\n",
    b"POST /callback HTTP/1.1\r\n\r\ncode=theirs&state={state}",
    b"GET http://[/callback?code=theirs&state={state} HTTP/1.1\r\n\r\n",
    b"GET /callback?code=theirs\xff&state={state} HTTP/1.1\r\n\r\n",
    b"GET /favicon.ico HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"\r\n\r\n",
)
Person = Callable[[Mapping[str, str]], Awaitable[Any]]


async def authorized(client: HttpxClient, gateway: SocketGateway, person: Person) -> Grant:
    """Ask a person who does this with what the page was asked for."""
    async with trio.open_nursery() as nursery:

        def show(prompt: Prompt) -> None:
            nursery.start_soon(person, dict(parse_qsl(urlsplit(prompt.url).query)))

        return Grant.of(await client.authorize(Authorization(gateway.endpoint, gateway.issuer), show))


async def knocks(asked: Mapping[str, str], head: bytes, host: str = "127.0.0.1") -> bytes:
    """Send this to where the browser is to come back, and return what it is answered."""
    port = urlsplit(asked["redirect_uri"]).port
    received = b""
    async with await trio.open_tcp_stream(host, port or 0) as stream:
        await stream.send_all(head.replace(b"{state}", asked["state"].encode()))
        async for chunk in stream:
            received += chunk
    return received


async def consents(asked: Mapping[str, str], code: str = "code-1") -> bytes:
    query = urlencode({"code": code, "state": asked["state"]}).encode()
    return await knocks(asked, b"GET /callback?%s HTTP/1.1\r\n\r\n" % query)


async def test_the_page_is_asked_for_what_the_protocol_says(client: HttpxClient, gateway: SocketGateway) -> None:
    pages = []

    async def person(asked: Mapping[str, str]) -> None:
        pages.append(asked)
        await consents(asked)

    await authorized(client, gateway, person)
    [asked] = pages
    made = {"redirect_uri", "state", "code_challenge"}
    expected = {
        "response_type": "code",
        "client_id": "client-1",
        "scope": "api.account:read api.trade:read",
        "code_challenge_method": "S256",
    }
    assert expected == {name: value for name, value in asked.items() if name not in made}
    assert made <= asked.keys()


async def test_the_challenge_is_the_hash_of_the_verifier_that_only_the_issuer_is_shown(
    client: HttpxClient, gateway: SocketGateway
) -> None:
    pages = []

    async def person(asked: Mapping[str, str]) -> None:
        pages.append(asked)
        await consents(asked)

    await authorized(client, gateway, person)
    verifier = str(gateway.arrivals[0].params["code_verifier"])
    hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert (hashed, False) == (pages[0]["code_challenge"], verifier in str(pages))
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier)


async def test_each_login_has_a_verifier_and_a_state_of_its_own(client: HttpxClient, gateway: SocketGateway) -> None:
    made = []

    async def person(asked: Mapping[str, str]) -> None:
        made.append(asked["state"])
        await consents(asked)

    for _ in range(2):
        await authorized(client, gateway, person)
    assert 4 == len({*made, *(arrival.params["code_verifier"] for arrival in gateway.arrivals)})


async def test_the_code_is_exchanged_once_as_it_came(client: HttpxClient, gateway: SocketGateway) -> None:
    pages = []

    async def person(asked: Mapping[str, str]) -> None:
        pages.append(asked)
        await consents(asked, "a+b/c=&d é")

    await authorized(client, gateway, person)
    [arrival] = gateway.arrivals
    expected = {
        "grant_type": "authorization_code",
        "code": "a+b/c=&d é",
        "redirect_uri": pages[0]["redirect_uri"],
        "client_id": "client-1",
    }
    assert expected == {name: value for name, value in arrival.params.items() if name != "code_verifier"}


@pytest.mark.parametrize("head", FOREIGN)
async def test_who_knocks_without_state_or_code_is_turned_away_and_the_person_still_waited_for(
    client: HttpxClient, gateway: SocketGateway, head: bytes
) -> None:
    answers = []

    async def person(asked: Mapping[str, str]) -> None:
        answers.append(await knocks(asked, head))
        answers.append(await consents(asked))

    await authorized(client, gateway, person)
    assert [b"HTTP/1.1 404", b"HTTP/1.1 200"] == [answer[:12] for answer in answers]
    assert ["code-1"] == [arrival.params["code"] for arrival in gateway.arrivals]


async def test_a_request_of_endless_headers_is_turned_away(client: HttpxClient, gateway: SocketGateway) -> None:
    async def person(asked: Mapping[str, str]) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await knocks(asked, b"GET /favicon.ico HTTP/1.1\r\n" + b"X: y\r\n" * 1_000_000)
        await consents(asked)

    await authorized(client, gateway, person)
    assert 1 == len(gateway.arrivals)


async def test_a_connection_that_says_nothing_holds_up_nobody(client: HttpxClient, gateway: SocketGateway) -> None:
    async def person(asked: Mapping[str, str]) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", urlsplit(asked["redirect_uri"]).port or 0):
            await consents(asked)

    await authorized(client, gateway, person)
    assert 1 == len(gateway.arrivals)


async def test_a_connection_that_says_nothing_for_ten_seconds_is_ended(
    client: HttpxClient, gateway: SocketGateway, autojump_clock: MockClock
) -> None:
    ended = []

    async def person(asked: Mapping[str, str]) -> None:
        begun = trio.current_time()
        await knocks(asked, b"GET /callback?code=")
        ended.append(trio.current_time() - begun)
        await consents(asked)

    autojump_clock.autojump_threshold = 0.1
    await authorized(client, gateway, person)
    assert [10] == ended


async def test_who_refuses_sends_nothing_to_the_issuer(client: HttpxClient, gateway: SocketGateway) -> None:
    async def person(asked: Mapping[str, str]) -> None:
        await knocks(asked, b"GET /callback?error=access_denied&code=code-1&state={state} HTTP/1.1\r\n\r\n")

    with pytest.RaisesGroup(pytest.RaisesExc(Rejected, match="refused")):
        await authorized(client, gateway, person)
    assert [] == gateway.arrivals


async def test_a_person_has_five_minutes(
    client: HttpxClient, gateway: SocketGateway, autojump_clock: MockClock
) -> None:
    begun = []

    async def person(asked: Mapping[str, str]) -> None:
        begun.append(trio.current_time())

    autojump_clock.autojump_threshold = 0.1
    with pytest.RaisesGroup(pytest.RaisesExc(Rejected, match="nobody consented within 5 minutes")):
        await authorized(client, gateway, person)
    assert 300 == trio.current_time() - begun[0]


@pytest.mark.parametrize("host", ["127.0.0.2", "::1"])
async def test_nobody_listens_but_at_this_one_address(client: HttpxClient, gateway: SocketGateway, host: str) -> None:
    async def person(asked: Mapping[str, str]) -> None:
        with pytest.raises(OSError, match="all attempts to connect"):
            await knocks(asked, FOREIGN[0], host)
        await consents(asked)

    await authorized(client, gateway, person)


@pytest.mark.parametrize("word", ["code", "error"])
async def test_nobody_listens_when_the_person_has_answered(
    client: HttpxClient, gateway: SocketGateway, word: str
) -> None:
    pages = []

    async def person(asked: Mapping[str, str]) -> None:
        pages.append(asked)
        await knocks(asked, b"GET /callback?%s=x&state={state} HTTP/1.1\r\n\r\n" % word.encode())

    try:
        await authorized(client, gateway, person)
    except* Rejected:
        pass
    with pytest.raises(OSError, match="all attempts to connect"):
        await knocks(pages[0], FOREIGN[0])


async def test_a_first_grant_needs_a_refresh_token(client: HttpxClient, gateway: SocketGateway) -> None:
    gateway.then(Answer({"access_token": "access-1", "expires_in": 600}))
    with pytest.RaisesGroup(pytest.RaisesExc(OutcomeUnknown, match="no refresh_token")):
        await authorized(client, gateway, consents)


async def test_an_issuer_that_registers_nobody_needs_a_client_id(client: HttpxClient, gateway: SocketGateway) -> None:
    page = gateway.pages[METADATA]
    assert isinstance(page, Answer)
    gateway.pages[METADATA] = attrs.evolve(page, data=page.data | {"registration_endpoint": None})
    with pytest.RaisesGroup(pytest.RaisesExc(Rejected, match="ask the broker for a client id")):
        await authorized(client, gateway, consents)


@pytest.mark.parametrize("client_id", [None, 7, "", "two words", "ü", "a\nb", ["client-1"]])
async def test_a_client_id_that_is_no_word_of_ascii_is_unknown(
    client: HttpxClient, gateway: SocketGateway, client_id: Any
) -> None:
    gateway.pages["/register"] = Answer({"client_id": client_id}, status=201)
    with pytest.RaisesGroup(pytest.RaisesExc(OutcomeUnknown, match="no client_id")):
        await authorized(client, gateway, consents)
