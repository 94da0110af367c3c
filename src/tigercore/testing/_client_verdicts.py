"""The laws of the client port that turn evidence into a verdict (reliability 4.2)."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from tigercore.errors import ClientError, NotProcessed, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tigercore.model import Credentials
from tigercore.ports import Signer, TigerClient
from tigercore.testing._client_suite import PLACE, READ, READS, WRITES, ClientSuite, every, request
from tigercore.testing._gateway import Answer, Fault, GatewayScript, Move, Raw

_REFUSED_TOKEN = "user token error(user token expired invalid)"  # noqa: S105  (the gateway's words)
_NOT_ENVELOPES = (
    b"",
    b"<html>bad gateway</html>",
    b'"text"',
    b"[]",
    b"{}",
    b'{"code":"0","data":1}',
    b'{"code":true,"data":1}',
    b'{"code":0,"message":"success","data":{"id":1}',
    b"\xff\xfe{}",
)
_HOSTILE = (
    b'{"code":1200,"code":0,"data":1}',
    b'{"code":0,"data":{"price":NaN}}',
    b'{"code":0,"data":{"price":-Infinity}}',
    b'{"code":0,"data":' + b"[" * 100 + b"]" * 100 + b"}",
    b'{"code":0,"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"code":0,"data":"{\\"id\\":1,\\"id\\":2}"}',
)


class ClientVerdicts(ClientSuite):
    """The laws on faults: which error each gives, and that nothing is ever sent twice."""

    # -- provably not carried out ------------------------------------------------------------------------------

    async def test_a_refused_connection_is_not_processed(
        self, client: TigerClient, gateway: GatewayScript, credentials: Credentials
    ) -> None:
        signer = client.signer(credentials, gateway.dead_endpoint)
        for operation in (*READS, *WRITES):
            with pytest.raises(NotProcessed):
                await client.call(request(operation), signer, None)

    async def test_http_429_is_rate_limited(self, client: TigerClient, gateway: GatewayScript, signer: Signer) -> None:
        answer = Answer(status=429, code=5, message="rate limit error(current limiting interface:orders)")
        await every(client, gateway, signer, answer, RateLimited)

    async def test_code_5_is_rate_limited(self, client: TigerClient, gateway: GatewayScript, signer: Signer) -> None:
        await every(client, gateway, signer, Answer(code=5, message="up to 120 times per minute"), RateLimited)

    async def test_code_4_that_speaks_of_a_rate_limit_is_rate_limited(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        answer = Answer(code=4, message="rate limit error(current limiting interface:kline, up to 60 times per minute)")
        await every(client, gateway, signer, answer, RateLimited)

    async def test_the_order_throttle_is_rate_limited(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        for detail in ("too_many_requests:slow down", "error.requestRateExceedLimit"):
            answer = Answer(code=1200, message=f"standard account response error({detail})")
            await every(client, gateway, signer, answer, RateLimited)

    async def test_a_rate_limit_says_how_long_to_rest(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(Answer(status=429, code=5, message="rate limit error"))
        with pytest.raises(RateLimited) as caught:
            await client.call(request(READ), signer, None)
        assert 0 < caught.value.retry_after <= 3600

    async def test_a_refused_token_is_unauthorized_for_a_read(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        answer = Answer(code=2400, message=_REFUSED_TOKEN)
        await every(client, gateway, signer, answer, Unauthorized, READS)

    async def test_http_401_is_unauthorized_for_a_read(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await every(client, gateway, signer, Answer(status=401, code=2400), Unauthorized, READS)

    # -- refused -----------------------------------------------------------------------------------------------

    async def test_a_definite_refusal_is_rejected_with_its_code(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        for code in (4, 1000, 1010, 1100, 1200, 1300, 4000):
            answer = Answer(code=code, message="refused(bad_request:Orders cannot be placed at this moment)")
            for error in await every(client, gateway, signer, answer, Rejected):
                assert (code, True) == (error.code, "Orders cannot be placed" in str(error))

    # -- unknown -----------------------------------------------------------------------------------------------

    async def test_a_refused_token_leaves_a_write_unknown(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await every(client, gateway, signer, Answer(code=2400, message=_REFUSED_TOKEN), OutcomeUnknown, WRITES)

    async def test_http_401_leaves_a_write_unknown(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await every(client, gateway, signer, Answer(status=401, code=2400), OutcomeUnknown, WRITES)

    async def test_a_server_error_code_is_unknown(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        for code in (1, 2):
            await every(client, gateway, signer, Answer(code=code, message="server error"), OutcomeUnknown)

    async def test_a_code_that_nobody_has_listed_is_unknown(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        for code in (-1, 3, 2100, 2400, 999_999):
            await every(client, gateway, signer, Answer(code=code, message="something new"), OutcomeUnknown)

    async def test_http_5xx_is_unknown(self, client: TigerClient, gateway: GatewayScript, signer: Signer) -> None:
        for status in (500, 502, 503, 504):
            await every(client, gateway, signer, Answer(status=status, code=1000), OutcomeUnknown)

    async def test_a_redirect_is_unknown_and_not_followed(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        for status in (301, 302, 303, 307, 308):
            answer = Answer(status=status, headers=(("Location", "/gateway"),))
            await every(client, gateway, signer, answer, OutcomeUnknown)
        assert 5 * len((*READS, *WRITES)) == len(gateway.arrivals)

    async def test_a_connection_closed_before_reading_is_no_answer(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(Fault.CLOSE_BEFORE_READING)
        with pytest.raises((NotProcessed, OutcomeUnknown)):
            await client.call(request(PLACE), signer, None)
        assert [] == gateway.arrivals

    async def test_a_connection_closed_after_reading_is_unknown(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await every(client, gateway, signer, Fault.CLOSE_AFTER_READING, OutcomeUnknown)

    async def test_a_cut_reply_is_unknown(self, client: TigerClient, gateway: GatewayScript, signer: Signer) -> None:
        await every(client, gateway, signer, Fault.CUT, OutcomeUnknown)

    async def test_an_oversized_reply_is_unknown(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        await every(client, gateway, signer, Fault.HUGE, OutcomeUnknown, (READ, PLACE))

    async def test_a_reply_that_is_no_envelope_is_unknown(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        for body in _NOT_ENVELOPES:
            await every(client, gateway, signer, Raw(body), OutcomeUnknown, (READ, PLACE))

    async def test_a_reply_that_no_json_parser_should_take_is_unknown(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        for body in _HOSTILE:
            await every(client, gateway, signer, Raw(body), OutcomeUnknown, (READ, PLACE))

    async def test_a_gateway_that_hangs_is_unknown_when_the_timeout_is_over(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(Fault.HANG)
        with trio.move_on_after(5), pytest.raises(OutcomeUnknown):
            await client.call(request(PLACE, timeout=0.3), signer, None)
        assert 1 == len(gateway.arrivals)

    async def test_a_write_that_met_a_refused_token_says_so_by_its_code(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        for answer in (Answer(code=2400, message=_REFUSED_TOKEN), Answer(status=401, code=2400), Answer(status=401)):
            for error in await every(client, gateway, signer, answer, OutcomeUnknown, WRITES):
                assert error.code in (401, 2400)

    # -- once --------------------------------------------------------------------------------------------------

    async def test_a_call_arrives_at_most_once_whatever_happens(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        answers = [Answer(status=status) for status in (307, 401, 408, 429, 500, 502, 503)]
        codes = [Answer(code=code, message="rate limit error") for code in (1, 2, 4, 5, 1200, 2400)]
        moves: list[Move] = [*answers, *codes, Fault.CLOSE_AFTER_READING, Fault.CUT, Raw(b"")]
        for number, move in enumerate(moves, 1):
            gateway.then(move)
            with pytest.raises(ClientError):
                await client.call(request(READ), signer, None)
            assert (number, move) == (len(gateway.arrivals), move)

    async def test_a_surplus_reply_never_answers_the_next_call(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        for operation in (*READS, *WRITES):
            gateway.then(Fault.TWICE, Answer({"id": 7}))
            with suppress(OutcomeUnknown):
                assert {"id": 1} == await client.call(request(operation), signer, None)
            assert {"id": 7} == await client.call(request(operation), signer, None)
