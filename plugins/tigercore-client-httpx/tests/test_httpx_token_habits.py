"""What the vendor's SDK does with tokens and connections (protocol 1.9, 1.10, 1.11, 4A.4-4A.8), and this does not.

The laws and `tests/core/test_none_of_the_sdks_token_habits.py` have the rest of them.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tigercore.errors import ClientError, OutcomeUnknown, Unauthorized
from tigercore.model import Credentials, Environment, Grant, Secret, Token
from tigercore.operations import operation
from tigercore.ports import Authorization, Endpoint, GatewayRequest, Signer
from tigercore.testing.client import Answer, Fault, Move, SocketGateway, a_token, open_socket_gateway, token_text
from tigercore.testing.clock import driver_context
from tigercore_client_httpx import HttpxClient, HttpxOptions

READ, PLACE = operation("positions"), operation("place_order")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TOKEN_FILE = "tiger_openapi_token.properties"
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"code":0}'
Serve = Callable[[trio.SocketStream], Awaitable[None]]


@pytest.fixture
def grant(gateway: SocketGateway) -> Token:
    access, again = Secret("an-access-token"), Secret("a-refresh-token")
    return Grant(gateway.issuer, "client-1", access, again, "", NOON - timedelta(hours=1), NOON).token()


@pytest.fixture
def bearer(client: HttpxClient, gateway: SocketGateway) -> Signer:
    return client.signer(Credentials(Secret("client-1"), None), gateway.endpoint)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder, which is also the home and the place for passing files, with a token file of another token."""
    tmp_path.joinpath(TOKEN_FILE).write_text(f"token={a_token(9).value.reveal()}\n")
    for name in ("HOME", "TMPDIR", "TIGEROPEN_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("TIGEROPEN_TOKEN", a_token(9).value.reveal())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in folder.rglob("*")]


@asynccontextmanager
async def listening(serve: Serve, scheme: str = "http") -> AsyncIterator[Endpoint]:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        port = listeners[0].socket.getsockname()[1]
        yield Endpoint(Environment.SANDBOX, server_url=f"{scheme}://127.0.0.1:{port}/gateway")
        nursery.cancel_scope.cancel()


# -- nothing is done that nobody asked for (4A.4, 4A.5, 4B.9) --------------------------------------------------


async def test_no_token_is_refreshed_however_long_nobody_asks(
    gateway: SocketGateway, client: HttpxClient, signer: Signer, autojump_clock: MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.05
    await client.call(GatewayRequest(READ, {}), signer, a_token())
    await trio.sleep(40 * 86400)
    assert [READ.method] == [arrival.method for arrival in gateway.arrivals]


async def test_a_token_that_has_ended_is_borne_as_it_is(
    client: HttpxClient, gateway: SocketGateway, signer: Signer
) -> None:
    ended = Token.parse(token_text(NOON - timedelta(days=90)))
    await client.call(GatewayRequest(READ, {}), signer, ended)
    assert [(READ.method, ended.value.reveal())] == [(each.method, each.token) for each in gateway.arrivals]


async def test_a_read_with_a_refused_access_token_refreshes_nothing_and_is_not_sent_again(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, grant: Token
) -> None:
    gateway.then(Answer(status=401))
    with pytest.raises(Unauthorized):
        await client.call(GatewayRequest(READ, {}), bearer, grant)
    assert ([READ.method], []) == ([arrival.method for arrival in gateway.arrivals], gateway.visits)


async def test_each_developer_of_one_client_is_refreshed_with_a_token_of_their_own(
    client: HttpxClient, gateway: SocketGateway, credentials: Credentials
) -> None:
    for number in (1, 2):
        gateway.then(Answer({"token": token_text(NOON)}))
        one = Credentials(Secret(f"2015000{number}"), credentials.private_key)
        await client.refresh(client.signer(one, gateway.endpoint), a_token(number))
    expected = [("20150001", a_token(1).value.reveal()), ("20150002", a_token(2).value.reveal())]
    assert expected == [(arrival.tiger_id, arrival.token) for arrival in gateway.arrivals]


# -- a refresh is sent once, and says how it ended (1.9, 3.9, 4A.8) --------------------------------------------


@pytest.mark.parametrize(
    "move",
    [
        *(Answer(status=status, code=5, message="rate limit error") for status in (307, 401, 408, 429, 500, 503)),
        Answer(code=5, message="rate limit error"),
        Fault.CLOSE_AFTER_READING,
        Fault.CUT,
    ],
)
async def test_a_refresh_that_was_not_answered_well_is_an_error_and_not_sent_again(
    client: HttpxClient, gateway: SocketGateway, signer: Signer, move: Move
) -> None:
    gateway.then(move)
    with pytest.raises(ClientError):
        await client.refresh(signer, a_token())
    assert (1, 1) == (len(gateway.arrivals), gateway.connections)


async def test_a_refresh_that_nobody_took_is_not_tried_again(
    client: HttpxClient, gateway: SocketGateway, signer: Signer
) -> None:
    gateway.then(Fault.CLOSE_BEFORE_READING)
    with pytest.raises(ClientError):
        await client.refresh(signer, a_token())
    assert ([], 1) == (gateway.arrivals, gateway.connections)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_takes_no_token_to_another_host(
    client: HttpxClient, gateway: SocketGateway, signer: Signer, status: int
) -> None:
    async with open_socket_gateway() as other:
        gateway.then(Answer(status=status, headers=(("Location", str(other.endpoint.server_url)),)))
        with pytest.raises(OutcomeUnknown):
            await client.refresh(signer, a_token())
        assert 0 == other.connections


async def test_a_reply_that_dribbles_in_ends_with_the_timeout_of_the_whole(
    client: HttpxClient, credentials: Credentials, autojump_clock: MockClock
) -> None:
    async def dribbles(stream: trio.SocketStream) -> None:
        for letter in OK * 100:
            await stream.send_all(bytes([letter]))
            await trio.sleep(1)

    async with listening(dribbles) as endpoint:
        autojump_clock.autojump_threshold = 0.05
        begun = trio.current_time()
        with pytest.raises(OutcomeUnknown, match="no reply within 15 s"):
            await client.refresh(client.signer(credentials, endpoint), a_token())
        assert 15 == trio.current_time() - begun


async def test_no_two_clients_share_a_connection(gateway: SocketGateway, credentials: Credentials) -> None:
    for _ in range(2):
        async with HttpxClient.open(HttpxOptions(), driver_context()) as client:
            await client.call(GatewayRequest(READ, {}), client.signer(credentials, gateway.endpoint), None)
    assert 2 == gateway.connections


# -- a token is in its header, and nowhere else (1.1, 1.10, 1.11, 4A.7) ----------------------------------------


async def test_a_token_is_no_part_of_the_url(client: HttpxClient, credentials: Credentials) -> None:
    heads = []

    async def serve(stream: trio.SocketStream) -> None:
        heads.append(await stream.receive_some())
        await stream.send_all(OK)

    async with listening(serve) as endpoint:
        await client.call(GatewayRequest(PLACE, {}), client.signer(credentials, endpoint), a_token())
    assert b"POST /gateway HTTP/1.1" == heads[0].split(b"\r\n")[0]
    assert 1 == heads[0].count(a_token().value.reveal().encode())


async def test_a_refresh_token_is_no_part_of_the_url(
    client: HttpxClient, gateway: SocketGateway, bearer: Signer, grant: Token
) -> None:
    await client.refresh(bearer, grant)
    await client.revoke(bearer, grant)
    assert ["/oauth2/token", "/oauth2/revoke"] == gateway.visits[1:]


async def test_an_error_shows_neither_the_body_of_a_failing_server_nor_what_it_was_asked(
    client: HttpxClient, credentials: Credentials
) -> None:
    async def fails(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        body = b"<html>Authorization: %s, a stack trace</html>" % a_token().value.reveal().encode()
        await stream.send_all(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    async with listening(fails) as endpoint:
        with pytest.raises(OutcomeUnknown) as caught:
            await client.call(GatewayRequest(PLACE, {"symbol": "SYM"}), client.signer(credentials, endpoint), a_token())
    assert "place_order: HTTP 500" == str(caught.value)


async def test_neither_the_token_of_before_nor_the_new_one_is_logged(
    caplog: pytest.LogCaptureFixture,
    client: HttpxClient,
    gateway: SocketGateway,
    signer: Signer,
    bearer: Signer,
    grant: Token,
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway.then(Answer({"token": token_text(NOON)}))
    held = [a_token(), await client.refresh(signer, a_token())]
    fresh = Grant.of(await client.refresh(bearer, grant))
    texts = [
        *(token.value for token in held),
        *(Grant.of(grant).refresh_token, fresh.access_token, fresh.refresh_token),
    ]
    assert [] == [text for text in texts if text.reveal() in caplog.text]


async def test_no_file_is_written(
    folder: Path, client: HttpxClient, gateway: SocketGateway, signer: Signer, bearer: Signer, grant: Token
) -> None:
    before = files(folder)
    gateway.then(Answer({"token": token_text(NOON)}))
    await client.refresh(signer, a_token())
    await client.refresh(bearer, grant)
    async with trio.open_nursery() as nursery:
        wanted = Authorization(gateway.endpoint, gateway.issuer)
        await client.authorize(wanted, lambda prompt: nursery.start_soon(gateway.consent, prompt))
    await client.revoke(bearer, grant)
    assert before == files(folder)


async def test_a_token_that_lies_about_is_not_taken(
    folder: Path, client: HttpxClient, gateway: SocketGateway, signer: Signer
) -> None:
    gateway.then(Answer(), Answer({"token": token_text(NOON)}))
    await client.call(GatewayRequest(READ, {}), signer, None)
    await client.refresh(signer, a_token())
    assert [None, a_token().value.reveal()] == [arrival.token for arrival in gateway.arrivals]
