"""The laws of the client port. A driver's tests give it a gateway; `open_socket_gateway` is one on a real socket."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
import trio

from tigercore.errors import Rejected
from tigercore.model import Credentials, Secret
from tigercore.ports import GatewayRequest, Signer, TigerClient
from tigercore.testing._client_grant_laws import ClientGrantLaws
from tigercore.testing._client_secret_laws import ClientSecretLaws
from tigercore.testing._client_skew_laws import ClientSkewLaws
from tigercore.testing._client_suite import BORN as BORN
from tigercore.testing._client_suite import CANCEL, MODIFY, ORDER_NO, PLACE, QUOTE, READ
from tigercore.testing._client_suite import a_token as a_token
from tigercore.testing._client_token_laws import ClientTokenLaws
from tigercore.testing._client_verdicts import ClientVerdicts
from tigercore.testing._gateway import Answer as Answer
from tigercore.testing._gateway import Arrival as Arrival
from tigercore.testing._gateway import Denial as Denial
from tigercore.testing._gateway import Fault as Fault
from tigercore.testing._gateway import GatewayScript as GatewayScript
from tigercore.testing._gateway import Move as Move
from tigercore.testing._gateway import Raw as Raw
from tigercore.testing._gateway import token_text as token_text
from tigercore.testing._socket_gateway import SocketGateway as SocketGateway
from tigercore.testing._socket_gateway import open_socket_gateway as open_socket_gateway


class TigerClientContract(ClientVerdicts, ClientTokenLaws, ClientGrantLaws, ClientSkewLaws, ClientSecretLaws):
    """What every `TigerClient` keeps. Override the fixtures `client`, `gateway` and `credentials`.

    `credentials` hold a secret_key, and a private key that `validate` takes. The
    `gateway` has an issuer of grants, who can be reached.
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


async def _cancelled(client: TigerClient, gateway: GatewayScript, signer: Signer) -> None:
    gateway.then(Fault.HANG)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.call, GatewayRequest(PLACE, {}, "12345678", timeout=1), signer, None)
        await gateway.arrived(1)
        nursery.cancel_scope.cancel()
