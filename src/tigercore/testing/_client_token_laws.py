"""The laws of the client port on TBHK tokens and probes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tigercore.errors import OutcomeUnknown, RateLimited, Unauthorized
from tigercore.ports import Signer, TigerClient
from tigercore.testing._client_suite import BORN, ClientSuite, a_token
from tigercore.testing._gateway import Answer, GatewayScript, token_text

_LATER = BORN + timedelta(hours=1)


class ClientTokenLaws(ClientSuite):
    """A refresh is sent once and gives a newer token or an error; a probe says what the gateway says."""

    async def test_refresh_gives_the_new_token_and_its_end(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        text = token_text(_LATER, timedelta(days=15), tail=b"a newer token..!")
        gateway.then(Answer({"tigerId": 20150001, "license": "TBHK", "token": text}))
        token = await client.refresh(signer, a_token())
        assert (text, _LATER, _LATER + timedelta(days=15)) == (token.value.reveal(), token.issued_at, token.expires_at)

    async def test_refresh_shows_the_old_token_and_is_sent_once(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        gateway.then(Answer({"token": token_text(_LATER)}))
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

    async def test_refresh_whose_reply_holds_the_same_token_or_an_older_one_is_unknown(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer
    ) -> None:
        for text in (a_token().value.reveal(), token_text(BORN - timedelta(seconds=1))):
            gateway.then(Answer({"token": text}))
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
