import logging
from decimal import Decimal
from typing import Any

import pytest
import trio
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tigercore.errors import ClientError, NotProcessed, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tigercore.model import Credentials, Environment, Operation, OperationClass, OperationType, Secret, Token
from tigercore.ports import Endpoint, GatewayRequest, Signer
from tigercore.testing.client import Answer, Fault, Move, Raw, SocketGateway, a_token, open_socket_gateway
from tigercore.testing.clock import driver_context
from tigercore_client_httpx import HttpxClient, HttpxOptions
from tigercore_client_httpx.signing import RsaSigner

READ = Operation("positions", "2.0", OperationType.POSITIONS, OperationClass.ACCOUNT_READ, "any", 60, "any", True)
PLACE = Operation("place_order", "2.0", OperationType.PLACE_ORDER, OperationClass.CREATE, "any", 60, "any", True)


async def test_the_headers_are_the_protocols(client: HttpxClient, gateway: SocketGateway, signer: Signer) -> None:
    token = a_token()
    await client.call(GatewayRequest(READ, {}), signer, token)
    expected = {
        "accept-encoding": "identity",
        "authorization": token.value.reveal(),
        "content-type": "application/json;charset=UTF-8",
        "user-agent": "tigercore",
    }
    others = {"content-length", "host"}
    assert expected == {name: text for name, text in gateway.headers[0].items() if name not in others}


async def test_a_compressed_reply_is_refused_unread(
    client: HttpxClient, gateway: SocketGateway, signer: Signer
) -> None:
    gateway.then(Answer(headers=(("Content-Encoding", "gzip"),)))
    with pytest.raises(OutcomeUnknown, match="compressed"):
        await client.call(GatewayRequest(READ, {}), signer, None)


async def test_a_cookie_of_one_call_is_not_sent_with_the_next(
    client: HttpxClient, gateway: SocketGateway, signer: Signer
) -> None:
    gateway.then(Answer(headers=(("Set-Cookie", "session=one; Path=/"),)))
    for _ in range(2):
        await client.call(GatewayRequest(READ, {}), signer, None)
    assert "cookie" not in gateway.headers[1]


async def test_environment_proxies_are_not_asked(
    monkeypatch: pytest.MonkeyPatch, gateway: SocketGateway, credentials: Credentials
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with HttpxClient.open(HttpxOptions(), driver_context()) as client:
        await client.call(GatewayRequest(READ, {}), client.signer(credentials, gateway.endpoint), None)
    assert 1 == len(gateway.arrivals)


async def test_waiting_for_a_free_connection_too_long_is_not_processed(
    gateway: SocketGateway, credentials: Credentials
) -> None:
    async with HttpxClient.open(HttpxOptions(max_connections=1), driver_context()) as client:
        signer = client.signer(credentials, gateway.endpoint)
        gateway.then(Fault.HANG)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, GatewayRequest(READ, {}), signer, None)
            await gateway.arrived(1)
            with pytest.raises(NotProcessed, match="nothing was sent"):
                await client.call(GatewayRequest(READ, {}, timeout=0.05), signer, None)
            nursery.cancel_scope.cancel()
    assert 1 == len(gateway.arrivals)


async def test_reads_that_hang_do_not_hold_up_an_order(gateway: SocketGateway, credentials: Credentials) -> None:
    async with HttpxClient.open(HttpxOptions(max_connections=1), driver_context()) as client:
        signer = client.signer(credentials, gateway.endpoint)
        gateway.then(Fault.HANG, Answer({"id": 7}))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call, GatewayRequest(READ, {}), signer, None)
            await gateway.arrived(1)
            assert {"id": 7} == await client.call(GatewayRequest(PLACE, {}), signer, None)
            nursery.cancel_scope.cancel()


async def test_a_gateway_that_speaks_no_tls_is_not_processed(client: HttpxClient, credentials: Credentials) -> None:
    async with open_socket_gateway() as gateway:
        url = str(gateway.endpoint.server_url).replace("http://", "https://")
        signer = client.signer(credentials, Endpoint(Environment.SANDBOX, server_url=url))
        with pytest.raises(NotProcessed):
            await client.call(GatewayRequest(PLACE, {}, timeout=0.5), signer, None)


async def test_a_token_that_is_no_header_text_is_refused_unsent(
    client: HttpxClient, gateway: SocketGateway, signer: Signer
) -> None:
    for text in ("two words", "line\r\nX-Injected: 1", "токен"):
        with pytest.raises(Unauthorized) as caught:
            await client.call(GatewayRequest(READ, {}), signer, Token(Secret(text)))
        assert text not in str(caught.value)
    assert [] == gateway.arrivals


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("0", 60.0), ("soon", 60.0), ("999999", 3600.0)])
async def test_a_limit_rests_as_long_as_the_gateway_says_or_a_window(
    client: HttpxClient, gateway: SocketGateway, signer: Signer, header: str, seconds: float
) -> None:
    gateway.then(Answer(status=429, code=5, message="rate limit error", headers=(("Retry-After", header),)))
    with pytest.raises(RateLimited) as caught:
        await client.call(GatewayRequest(READ, {}), signer, None)
    assert seconds == caught.value.retry_after


async def _signed_call(
    gateway: SocketGateway, credentials: Credentials, key: RSAPrivateKey, signed: str | None, code: int = 0
) -> object:
    """Call with a gateway whose reply is signed over `signed`, None for not; the clock of the test stands still."""
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    gateway_signer = RsaSigner(key, Secret(""), None, "")
    async with HttpxClient.open(HttpxOptions(gateway_public_key=public), driver_context()) as client:
        sign = None if signed is None else gateway_signer.sign(signed.encode())
        gateway.then(Answer({"id": 7}, code=code, sign=sign))
        return await client.call(GatewayRequest(PLACE, {}), client.signer(credentials, gateway.endpoint), None)


async def test_a_reply_that_is_signed_over_our_time_is_taken(
    gateway: SocketGateway, credentials: Credentials, key: RSAPrivateKey
) -> None:
    assert {"id": 7} == await _signed_call(gateway, credentials, key, "2026-01-05 20:00:00")


async def test_a_reply_that_is_signed_over_another_time_is_unknown(
    gateway: SocketGateway, credentials: Credentials, key: RSAPrivateKey
) -> None:
    with pytest.raises(OutcomeUnknown, match="not signed"):
        await _signed_call(gateway, credentials, key, "2026-01-05 20:00:01")


async def test_an_answer_without_a_signature_is_unknown_where_one_is_asked_for(
    gateway: SocketGateway, credentials: Credentials, key: RSAPrivateKey
) -> None:
    with pytest.raises(OutcomeUnknown, match="not signed"):
        await _signed_call(gateway, credentials, key, None)


async def test_a_refusal_may_come_without_a_signature(
    gateway: SocketGateway, credentials: Credentials, key: RSAPrivateKey
) -> None:
    with pytest.raises(Rejected):
        await _signed_call(gateway, credentials, key, None, code=1200)


@pytest.mark.parametrize(
    "move",
    [
        Raw(b'{"code":0,"echo":"something private"} x'),
        Raw(b'{"code":0,"data":"something private"}'),
        Raw(b'\xff{"code":0}'),
        Answer(code=1200, message="no"),
        Answer({"token": "something private"}),
        Answer(status=502),
        *Fault,
    ],
)
async def test_an_error_has_no_other_behind_it_that_could_hold_a_body_or_a_request(
    client: HttpxClient, gateway: SocketGateway, signer: Signer, move: Move
) -> None:
    gateway.then(move, move)
    with pytest.raises(ClientError) as read:
        if isinstance(move, Answer):  # some of which only a refresh cannot use
            await client.refresh(signer, a_token())
        await client.call(GatewayRequest(READ, {}, timeout=0.3), signer, None)
    assert (None, None) == (read.value.__cause__, read.value.__context__)


async def test_an_error_of_what_was_never_sent_has_no_other_behind_it(
    client: HttpxClient, gateway: SocketGateway, credentials: Credentials
) -> None:
    signer = client.signer(credentials, gateway.dead_endpoint)
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    for params in ({}, {"symbol": "\ud800"}, {"price": Decimal("NaN")}, {"symbol": object()}, deep):
        with pytest.raises(ClientError) as caught:
            await client.call(GatewayRequest(PLACE, params), signer, None)
        assert (None, None) == (caught.value.__cause__, caught.value.__context__)


async def test_a_debug_log_holds_no_secret(
    caplog: pytest.LogCaptureFixture, gateway: SocketGateway, credentials: Credentials
) -> None:
    caplog.set_level(logging.DEBUG)
    token = a_token()
    async with HttpxClient.open(HttpxOptions(), driver_context()) as client:
        signer = client.signer(credentials, gateway.endpoint)
        gateway.then(Answer(headers=(("X-Echo", token.value.reveal()),)), Fault.CUT, Fault.CLOSE_AFTER_READING)
        await client.call(GatewayRequest(READ, {}), signer, token)
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await client.call(GatewayRequest(PLACE, {}), signer, token)
    sent = [gateway.envelopes[0]["sign"], token.value.reveal(), "20150001", "institution-secret"]
    assert [] == [secret for secret in sent if secret in caplog.text]


async def test_a_signer_of_another_client_is_refused(client: HttpxClient) -> None:
    class Foreign(Signer):
        def sign(self, content: bytes) -> str:
            return ""

    with pytest.raises(TypeError, match="another client"):
        await client.call(GatewayRequest(READ, {}), Foreign(), None)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0.0},
        {"max_connections": 0},
        {"gateway_public_key": "no key"},
        *({"user_agent": text} for text in ("", " ", "a\nb", "a\r\nX: y", "ü", "a ", "a\x7f", "a\n")),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        HttpxOptions(**options)
