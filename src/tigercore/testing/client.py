"""The laws of the client port. A driver's tests give it a gateway; `open_socket_gateway` is one on a real socket."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import trio

from tigercore.errors import ClientError, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tigercore.model import Credentials, Environment, Secret, Token
from tigercore.ports import Endpoint, GatewayRequest, Signer, TigerClient
from tigercore.testing._client_verdicts import CANCEL, MODIFY, ORDER_NO, PLACE, QUOTE, READ, ClientVerdicts
from tigercore.testing._gateway import Answer as Answer
from tigercore.testing._gateway import Arrival as Arrival
from tigercore.testing._gateway import Fault as Fault
from tigercore.testing._gateway import GatewayScript as GatewayScript
from tigercore.testing._gateway import Move as Move
from tigercore.testing._gateway import Raw as Raw
from tigercore.testing._gateway import token_text as token_text
from tigercore.testing._socket_gateway import SocketGateway as SocketGateway
from tigercore.testing._socket_gateway import open_socket_gateway as open_socket_gateway

BORN = datetime(2026, 1, 5, tzinfo=UTC)
_NO_KEY = "no-such-private-material"


def a_token(number: int = 0) -> Token:
    """Return a token that is told from the others by its number."""
    return Token.parse(token_text(BORN, tail=number.to_bytes(16, "big")))


class TigerClientContract(ClientVerdicts):
    """What every `TigerClient` keeps. Override the fixtures `client`, `gateway` and `credentials`.

    `credentials` hold a secret_key, and a private key that `validate` takes. Laws on faults are in `ClientVerdicts`.
    """

    # -- what is sent ------------------------------------------------------------------------------------------

    async def test_a_request_carries_method_account_and_parameters(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer, credentials: Credentials
    ) -> None:
        await client.call(GatewayRequest(READ, {"market": "US"}, account="12345678"), signer, None)
        [arrival] = gateway.arrivals
        assert (READ.method, credentials.tiger_id.reveal()) == (arrival.method, arrival.tiger_id)
        assert ("12345678", "US") == (arrival.params["account"], arrival.params["market"])

    async def test_an_operation_that_binds_no_account_names_none(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await client.call(GatewayRequest(QUOTE, {"symbols": ["AAPL"]}, account="12345678"), signer, None)
        assert "account" not in gateway.arrivals[0].params

    async def test_parameters_that_are_none_are_left_out(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await client.call(GatewayRequest(QUOTE, {"market": None, "limit": 0}), signer, None)
        params = gateway.arrivals[0].params
        assert ("market" not in params, 0) == (True, params["limit"])

    async def test_a_decimal_travels_as_the_same_number(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await client.call(GatewayRequest(PLACE, {"limit_price": Decimal("180.55")}, "12345678"), signer, None)
        price = gateway.arrivals[0].params["limit_price"]
        assert (Decimal, Decimal("180.55")) == (type(price), price)

    async def test_a_parameter_without_a_form_in_json_is_rejected_and_nothing_is_sent(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        for value in (object(), float("nan"), Decimal("Infinity")):
            with pytest.raises(Rejected):
                await client.call(GatewayRequest(PLACE, {"limit_price": value}, "12345678"), signer, None)
        assert [] == gateway.arrivals

    async def test_concurrent_calls_share_no_token_and_no_developer(
        self, client: TigerClient, gateway: GatewayScript, credentials: Credentials
    ) -> None:
        tokens = [a_token(number) for number in range(20)]
        others = [Credentials(Secret(f"2015{number:04}"), credentials.private_key) for number in range(20)]
        signers = [client.signer(held, gateway.endpoint) for held in others]
        async with trio.open_nursery() as nursery:
            for number in range(20):
                request = GatewayRequest(QUOTE, {"number": number})
                nursery.start_soon(client.call, request, signers[number], tokens[number])
        sent = {(f"2015{number:04}", number, tokens[number].value.reveal()) for number in range(20)}
        assert sent == {(one.tiger_id, one.params["number"], one.token) for one in gateway.arrivals}

    async def test_a_call_without_a_token_borrows_none(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await client.call(GatewayRequest(QUOTE, {}), signer, a_token())
        await client.call(GatewayRequest(QUOTE, {}), signer, None)
        assert [a_token().value.reveal(), None] == [arrival.token for arrival in gateway.arrivals]

    # -- what is answered --------------------------------------------------------------------------------------

    async def test_an_answer_gives_its_data(self, client: TigerClient, gateway: GatewayScript, signer: Signer) -> None:
        gateway.then(Answer({"items": [{"symbol": "AAPL", "name": "苹果"}]}))
        data = await client.call(GatewayRequest(READ, {}, "12345678"), signer, None)
        assert {"items": [{"symbol": "AAPL", "name": "苹果"}]} == data

    async def test_an_answer_of_null_is_none(self, client: TigerClient, gateway: GatewayScript, signer: Signer) -> None:
        gateway.then(Answer(None))
        assert await client.call(GatewayRequest(READ, {}, "12345678"), signer, None) is None

    async def test_data_that_is_json_text_is_decoded(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(Answer(json.dumps({"id": 7})))
        assert {"id": 7} == await client.call(GatewayRequest(PLACE, {}, "12345678"), signer, None)

    async def test_money_is_decimal_and_long_ids_stay_whole(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(Answer({"id": 40132638459956225, "price": 180.55}))
        data = await client.call(GatewayRequest(PLACE, {}, "12345678"), signer, None)
        assert (40132638459956225, Decimal("180.55"), Decimal) == (data["id"], data["price"], type(data["price"]))

    async def test_a_nested_code_is_an_error(self, client: TigerClient, gateway: GatewayScript, signer: Signer) -> None:
        for operation in (PLACE, MODIFY, CANCEL, ORDER_NO):
            gateway.then(Answer({"code": "1200", "message": "bad_request:no"}))
            with pytest.raises(Rejected) as caught:
                await client.call(GatewayRequest(operation, {}, "12345678"), signer, None)
            assert caught.value.code == 1200

    async def test_a_nested_code_of_zero_is_an_answer(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(Answer({"code": "0", "id": 7}))
        assert 7 == (await client.call(GatewayRequest(PLACE, {}, "12345678"), signer, None))["id"]

    # -- cancellation ------------------------------------------------------------------------------------------

    async def test_a_cancelled_call_ends_promptly(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        begun = trio.current_time()
        await _cancelled(client, gateway, signer)
        assert trio.current_time() - begun < 0.7

    async def test_a_cancelled_call_sends_nothing_more(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await _cancelled(client, gateway, signer)
        await client.call(GatewayRequest(QUOTE, {}), signer, None)
        assert [PLACE.method, QUOTE.method] == [arrival.method for arrival in gateway.arrivals]

    # -- tokens ------------------------------------------------------------------------------------------------

    async def test_refresh_gives_the_new_token_and_its_end(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        text = token_text(BORN, timedelta(days=15), tail=b"a newer token..!")
        gateway.then(Answer({"tigerId": 20150001, "license": "TBHK", "token": text}))
        token = await client.refresh(signer, a_token())
        assert (text, BORN, BORN + timedelta(days=15)) == (token.value.reveal(), token.issued_at, token.expires_at)

    async def test_refresh_shows_the_old_token_and_is_sent_once(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(Answer({"token": token_text(BORN)}))
        await client.refresh(signer, a_token(3))
        [arrival] = gateway.arrivals
        assert ("user_token_refresh", a_token(3).value.reveal()) == (arrival.method, arrival.token)

    async def test_refresh_of_a_refused_token_is_unauthorized(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        refused = "user token error(user token expired invalid)"
        for answer in (Answer(code=2400, message=refused), Answer(status=401, code=2400, message=refused)):
            gateway.then(answer)
            with pytest.raises(Unauthorized):
                await client.refresh(signer, a_token())

    async def test_refresh_that_a_failing_server_answers_is_unknown(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        for status, code in ((500, 1), (502, 2400), (200, 1), (200, 2)):
            gateway.then(Answer(status=status, code=code, message="server error(failed to store the user token)"))
            with pytest.raises(OutcomeUnknown):
                await client.refresh(signer, a_token())

    async def test_refresh_whose_reply_holds_no_token_is_unknown(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        replies = (Answer(), Answer({}), Answer([]), Answer({"token": None}), Answer({"token": "not a token"}))
        for reply in replies:
            gateway.then(reply)
            with pytest.raises(OutcomeUnknown):
                await client.refresh(signer, a_token())

    async def test_a_probe_that_is_answered_is_true(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(Answer({"items": []}))
        assert await client.probe(signer, a_token()) is True

    async def test_a_probe_with_a_refused_key_or_token_is_false(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(
            Answer(code=2400, message="user token error(user token invalid)"),
            Answer(code=1000, message="common param error(failed to verify signature, please make sure you use ...)"),
        )
        assert [False, False] == [await client.probe(signer, a_token()) for _ in range(2)]

    async def test_a_probe_that_meets_another_error_raises_it(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(Answer(code=5, message="rate limit error", status=429))
        with pytest.raises(RateLimited):
            await client.probe(signer, a_token())

    # -- keys and secrets --------------------------------------------------------------------------------------

    async def test_validate_takes_a_good_key(self, client: TigerClient, credentials: Credentials) -> None:
        client.validate(credentials, Endpoint(Environment.PRODUCTION))

    async def test_validate_refuses_a_bad_key_without_showing_it(self, client: TigerClient) -> None:
        with _refusal_that_hides(_NO_KEY):
            client.validate(Credentials(Secret("20150001"), Secret(_NO_KEY)), Endpoint(Environment.PRODUCTION))

    async def test_signer_refuses_a_bad_key_without_showing_it(self, client: TigerClient) -> None:
        with _refusal_that_hides(_NO_KEY):
            client.signer(Credentials(Secret("20150001"), Secret(_NO_KEY)), Endpoint(Environment.PRODUCTION))

    async def test_validate_refuses_an_endpoint_that_could_steal_requests(
        self, client: TigerClient, credentials: Credentials
    ) -> None:
        for environment in Environment:
            for url in ("http://gateway.example.com/gateway", "https://user:word@openapi.tigerfintech.com/gateway"):
                with pytest.raises(ValueError):  # noqa: PT011  (each driver words it in its own way)
                    client.validate(credentials, Endpoint(environment, server_url=url))

    async def test_a_signature_is_base64(self, signer: Signer) -> None:
        assert len(base64.b64decode(signer.sign(b"content"), validate=True)) >= 16

    async def test_a_signer_shows_nothing(self, signer: Signer, credentials: Credentials) -> None:
        shown = f"{signer} {signer!r}"
        assert [] == [secret for secret in _texts(credentials) if secret in shown]

    async def test_an_error_shows_no_secret(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer, credentials: Credentials
    ) -> None:
        token = a_token()
        secrets = [*_texts(credentials), token.value.reveal()]
        for secret in secrets:
            gateway.then(Answer(code=1200, message=f"bad_request:this is yours: {secret}"))
            with pytest.raises(ClientError) as caught:
                await client.call(GatewayRequest(PLACE, {}, "12345678"), signer, token)
            shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
            assert [] == [text for text in secrets if text in shown]

    async def test_an_error_is_one_short_printable_line(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(Answer(code=1200, message="no\r\n\x00\x1b[31m\u202e" + " and no" * 1000))
        with pytest.raises(Rejected) as caught:
            await client.call(GatewayRequest(PLACE, {}, "12345678"), signer, None)
        assert (True, True) == (str(caught.value).isprintable(), len(str(caught.value)) <= 500)


async def _cancelled(client: TigerClient, gateway: GatewayScript, signer: Signer) -> None:
    gateway.then(Fault.HANG)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, GatewayRequest(PLACE, {}, "12345678", timeout=1), signer, None)
        await gateway.arrived(1)
        nursery.cancel_scope.cancel()


@contextmanager
def _refusal_that_hides(secret: str) -> Iterator[None]:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (each driver words it in its own way)
        yield
    assert secret not in "".join(traceback.format_exception(caught.value))


def _texts(credentials: Credentials) -> list[str]:
    """Return the secrets as text; of a key in PEM, the lines that tell something."""
    held: list[Any] = [credentials.tiger_id, credentials.secret_key]
    key = [line for line in credentials.private_key.reveal().splitlines() if len(line) >= 32 and "-" * 5 not in line]
    return [secret.reveal() for secret in held if secret] + key
