"""Clients that make something else of a reply. Each breaks the laws that it names, and keeps all others."""

from typing import Any

from tests.laws._client_base import Client, Suite
from tigercore.errors import ClientError, OutcomeUnknown, Rejected, Unauthorized
from tigercore.model import Token
from tigercore.ports import GatewayRequest, Signer
from tigercore.testing.client import a_token

# -- what is answered --------------------------------------------------------------------------------------


class WholeEnvelope(Client):
    def answered(self, data: Any) -> Any:
        return {"code": 0, "data": data}


class TestWholeEnvelope(Suite):
    driver = WholeEnvelope
    breaks = frozenset(
        {
            "test_an_answer_gives_its_data",
            "test_an_answer_of_null_is_none",
            "test_data_that_is_json_text_is_decoded",
            "test_money_is_decimal_and_long_ids_stay_whole",
            "test_a_nested_code_of_zero_is_an_answer",
            "test_a_surplus_reply_never_answers_the_next_call",
        }
    )


class FloatMoney(Client):
    def answered(self, data: Any) -> Any:
        return {name: float(held) for name, held in data.items()} if data and "price" in data else data


class TestFloatMoney(Suite):
    driver, breaks = FloatMoney, frozenset({"test_money_is_decimal_and_long_ids_stay_whole"})


class NestedCodesPass(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        try:
            return await self.inner.call(request, signer, token)
        except Rejected as error:
            if error.detail == "bad_request:no":
                return {}
            raise


class TestNestedCodesPass(Suite):
    driver, breaks = NestedCodesPass, frozenset({"test_a_nested_code_is_an_error"})


# -- refresh and probe -------------------------------------------------------------------------------------


class TokenWithoutEnd(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        return Token((await self.inner.refresh(signer, token)).value)


class TestTokenWithoutEnd(Suite):
    driver = TokenWithoutEnd
    breaks = frozenset(
        {
            "test_refresh_gives_the_new_token_and_its_end",
            "test_a_refreshed_grant_was_issued_later_whatever_the_clocks_say",
        }
    )


class RefreshOfAnother(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        return await self.inner.refresh(signer, a_token(99) if token == a_token(3) else token)


class TestRefreshOfAnother(Suite):
    driver, breaks = RefreshOfAnother, frozenset({"test_refresh_shows_the_old_token_and_is_sent_once"})


class RefusedRefresh(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        try:
            return await self.inner.refresh(signer, token)
        except Unauthorized as error:
            raise Rejected(error.method, error.detail) from None


class TestRefusedRefresh(Suite):
    driver = RefusedRefresh
    breaks = frozenset(
        {
            "test_refresh_of_a_refused_token_is_unauthorized",
            "test_refresh_of_a_grant_that_has_ended_is_unauthorized",
        }
    )


class RefusedByItsWords(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        try:
            return await self.inner.refresh(signer, token)
        except OutcomeUnknown as error:
            kind = Unauthorized if "user token" in error.detail else OutcomeUnknown
            raise kind(error.method, error.detail) from None


class TestRefusedByItsWords(Suite):
    driver, breaks = RefusedByItsWords, frozenset({"test_refresh_that_a_failing_server_answers_is_unknown"})


class HopefulRefresh(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        try:
            return await self.inner.refresh(signer, token)
        except OutcomeUnknown:
            return token


class TestHopefulRefresh(Suite):
    driver = HopefulRefresh
    breaks = frozenset(
        {
            "test_refresh_whose_reply_holds_no_token_is_unknown",
            "test_refresh_whose_reply_holds_the_same_token_or_an_older_one_is_unknown",
            "test_refresh_whose_reply_is_lost_is_unknown_and_not_sent_again",
            "test_refresh_that_a_failing_server_answers_is_unknown",
        }
    )


class InvertedProbe(Client):
    async def probe(self, signer: Signer, token: Token | None) -> bool:
        return not await self.inner.probe(signer, token)


class TestInvertedProbe(Suite):
    driver = InvertedProbe
    breaks = frozenset({"test_a_probe_that_is_answered_is_true", "test_a_probe_with_a_refused_key_or_token_is_false"})


class ProbeThatSwallows(Client):
    async def probe(self, signer: Signer, token: Token | None) -> bool:
        try:
            return await self.inner.probe(signer, token)
        except ClientError:
            return False


class TestProbeThatSwallows(Suite):
    driver, breaks = ProbeThatSwallows, frozenset({"test_a_probe_that_meets_another_error_raises_it"})
