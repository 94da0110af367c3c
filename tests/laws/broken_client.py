"""Clients that break the laws of their port, each as named in `breaks`, and no other law."""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, ClassVar

import attrs
import pytest
import trio

from tigercore.errors import ClientError, NotProcessed, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tigercore.model import Credentials, Secret, Token
from tigercore.ports import Endpoint, GatewayRequest, NoOptions, Signer, TigerClient
from tigercore.testing._scripted_client import ScriptedGateway, ScriptedTigerClient
from tigercore.testing.client import Fault, TigerClientContract, a_token
from tigercore.testing.clock import driver_context


class Client(TigerClient):
    """Keep every law; the broken ones below override what they break."""

    def __init__(self) -> None:
        super().__init__(NoOptions(), driver_context())
        self.inner = ScriptedTigerClient()

    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        self.inner.validate(credentials, endpoint)

    def signer(self, credentials: Credentials, endpoint: Endpoint) -> Signer:
        return self.inner.signer(credentials, endpoint)

    async def call(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        try:
            return self.answered(await self.send(request, signer, token))
        except ClientError as error:
            raise self.judged(error, request, token) from None

    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        return await self.inner.call(request, signer, token)

    async def refresh(self, signer: Signer, token: Token) -> Token:
        return await self.inner.refresh(signer, token)

    async def probe(self, signer: Signer, token: Token | None) -> bool:
        return await self.inner.probe(signer, token)

    def answered(self, data: Any) -> Any:
        return data

    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        return error


class Suite(TigerClientContract):
    driver: ClassVar[type[Client]]
    breaks: ClassVar[frozenset[str]]

    @pytest.fixture
    def client(self) -> Client:
        return self.driver()

    @pytest.fixture
    def gateway(self, client: Client) -> ScriptedGateway:
        return client.inner.gateway

    @pytest.fixture
    def credentials(self) -> Credentials:
        return Credentials(Secret("20150001"), Secret("KEY" + "-and-more" * 8), Secret("institution-secret"))


KNOWN = (str, int, float, Decimal, list, tuple, dict, type(None))
UNKNOWN = frozenset(
    {
        "test_a_refused_token_leaves_a_write_unknown",
        "test_http_401_leaves_a_write_unknown",
        "test_a_server_error_code_is_unknown",
        "test_a_code_that_nobody_has_listed_is_unknown",
        "test_http_5xx_is_unknown",
        "test_a_redirect_is_unknown_and_not_followed",
        "test_a_connection_closed_after_reading_is_unknown",
        "test_a_cut_reply_is_unknown",
        "test_an_oversized_reply_is_unknown",
        "test_a_reply_that_is_no_envelope_is_unknown",
        "test_a_reply_that_no_json_parser_should_take_is_unknown",
        "test_a_gateway_that_hangs_is_unknown_when_the_timeout_is_over",
        "test_a_write_that_met_a_refused_token_says_so_by_its_code",
        "test_a_surplus_reply_never_answers_the_next_call",
    }
)


# -- verdicts ----------------------------------------------------------------------------------------------


class UnknownIsSafe(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        return NotProcessed(error.method, error.detail) if isinstance(error, OutcomeUnknown) else error


class TestUnknownIsSafe(Suite):
    driver, breaks = UnknownIsSafe, UNKNOWN


class NothingIsProvable(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        return OutcomeUnknown(error.method, error.detail) if type(error) is NotProcessed else error


class TestNothingIsProvable(Suite):
    driver, breaks = NothingIsProvable, frozenset({"test_a_refused_connection_is_not_processed"})


class WritesWhatItCannot(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        params = {name: value if isinstance(value, KNOWN) else str(value) for name, value in request.params.items()}
        numbers = {name: 0 for name, value in params.items() if value != value or str(value) == "Infinity"}
        return await self.inner.call(attrs.evolve(request, params={**params, **numbers}), signer, token)


class TestWritesWhatItCannot(Suite):
    driver = WritesWhatItCannot
    breaks = frozenset({"test_a_parameter_without_a_form_in_json_is_rejected_and_nothing_is_sent"})


class LimitsAreRefusals(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        return Rejected(error.method, error.detail, code=error.code) if isinstance(error, RateLimited) else error


class TestLimitsAreRefusals(Suite):
    driver = LimitsAreRefusals
    breaks = frozenset(
        {
            "test_http_429_is_rate_limited",
            "test_code_5_is_rate_limited",
            "test_code_4_that_speaks_of_a_rate_limit_is_rate_limited",
            "test_the_order_throttle_is_rate_limited",
            "test_a_rate_limit_says_how_long_to_rest",
        }
    )


class LimitsWithoutRest(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        return RateLimited(error.method, error.detail, retry_after=0) if isinstance(error, RateLimited) else error


class TestLimitsWithoutRest(Suite):
    driver, breaks = LimitsWithoutRest, frozenset({"test_a_rate_limit_says_how_long_to_rest"})


class TokensAreRefusals(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        return Rejected(error.method, error.detail, code=error.code) if isinstance(error, Unauthorized) else error


class TestTokensAreRefusals(Suite):
    driver = TokensAreRefusals
    breaks = frozenset({"test_a_refused_token_is_unauthorized_for_a_read", "test_http_401_is_unauthorized_for_a_read"})


class WritesAreUnauthorized(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        refused = error.code in (401, 2400) and error.detail != "something new"
        return Unauthorized(error.method, error.detail, code=error.code) if refused else error


class TestWritesAreUnauthorized(Suite):
    driver = WritesAreUnauthorized
    breaks = frozenset(
        {
            "test_a_refused_token_leaves_a_write_unknown",
            "test_http_401_leaves_a_write_unknown",
            "test_a_write_that_met_a_refused_token_says_so_by_its_code",
        }
    )


class UnknownWithoutCode(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        return OutcomeUnknown(error.method, error.detail) if isinstance(error, OutcomeUnknown) else error


class TestUnknownWithoutCode(Suite):
    driver, breaks = UnknownWithoutCode, frozenset({"test_a_write_that_met_a_refused_token_says_so_by_its_code"})


class RefusalsAreUnknown(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        return OutcomeUnknown(error.method, error.detail, code=error.code) if isinstance(error, Rejected) else error


class TestRefusalsAreUnknown(Suite):
    driver = RefusalsAreUnknown
    breaks = frozenset(
        {
            "test_a_definite_refusal_is_rejected_with_its_code",
            "test_a_nested_code_is_an_error",
            "test_an_error_is_one_short_printable_line",
            "test_a_parameter_without_a_form_in_json_is_rejected_and_nothing_is_sent",
        }
    )


class RefusalsWithoutCode(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        return Rejected(error.method, error.detail) if isinstance(error, Rejected) else error


class TestRefusalsWithoutCode(Suite):
    driver = RefusalsWithoutCode
    breaks = frozenset({"test_a_definite_refusal_is_rejected_with_its_code", "test_a_nested_code_is_an_error"})


# -- once --------------------------------------------------------------------------------------------------


class Retrier(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        try:
            return await self.inner.call(request, signer, token)
        except OutcomeUnknown:
            return await self.inner.call(request, signer, token)


class TestRetrier(Suite):
    driver = Retrier
    breaks = UNKNOWN | {
        "test_a_call_arrives_at_most_once_whatever_happens",
        "test_a_connection_closed_before_reading_is_no_answer",
    }


class QuietRetrier(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        try:
            return await self.inner.call(request, signer, token)
        except OutcomeUnknown:
            await self.inner.call(request, signer, token)
            raise


class TestQuietRetrier(Suite):
    driver = QuietRetrier
    breaks = frozenset(
        {
            "test_a_call_arrives_at_most_once_whatever_happens",
            "test_a_connection_closed_before_reading_is_no_answer",
            "test_a_redirect_is_unknown_and_not_followed",
            "test_a_gateway_that_hangs_is_unknown_when_the_timeout_is_over",
            "test_a_surplus_reply_never_answers_the_next_call",
        }
    )


class Desynchronised(Client):
    """As a pool does that keeps a connection on which more than one reply came."""

    surplus: Any = None

    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        twice, before = self.inner.gateway.upcoming() is Fault.TWICE, self.surplus
        self.surplus = {"id": 1} if twice else None
        if twice:
            with suppress(OutcomeUnknown):
                await self.inner.call(request, signer, token)
            return before or {"id": 1}
        data = await self.inner.call(request, signer, token)
        return before or data


class TestDesynchronised(Suite):
    driver, breaks = Desynchronised, frozenset({"test_a_surplus_reply_never_answers_the_next_call"})


class Shielded(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        with trio.CancelScope(shield=True):
            return await self.inner.call(request, signer, token)


class TestShielded(Suite):
    driver = Shielded
    breaks = frozenset({"test_a_cancelled_call_ends_promptly", "test_a_cancelled_call_sends_nothing_more"})


class LastWord(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        try:
            return await self.inner.call(request, signer, token)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await self.inner.call(request, signer, token)
            raise


class TestLastWord(Suite):
    driver, breaks = LastWord, frozenset({"test_a_cancelled_call_sends_nothing_more"})


# -- what is sent ------------------------------------------------------------------------------------------


class OtherRequest(Client):
    def changed(self, request: GatewayRequest) -> GatewayRequest:
        return request

    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        return await self.inner.call(self.changed(request), signer, token)


class WrongAccount(OtherRequest):
    def changed(self, request: GatewayRequest) -> GatewayRequest:
        return attrs.evolve(request, account="99999999")


class TestWrongAccount(Suite):
    driver, breaks = WrongAccount, frozenset({"test_a_request_carries_method_account_and_parameters"})


class AccountEverywhere(OtherRequest):
    def changed(self, request: GatewayRequest) -> GatewayRequest:
        return attrs.evolve(request, operation=attrs.evolve(request.operation, binds_account=True))


class TestAccountEverywhere(Suite):
    driver, breaks = AccountEverywhere, frozenset({"test_an_operation_that_binds_no_account_names_none"})


class OtherParameters(OtherRequest):
    def change(self, value: Any) -> Any:
        return value

    def changed(self, request: GatewayRequest) -> GatewayRequest:
        params: Mapping[str, Any] = {name: self.change(value) for name, value in request.params.items()}
        return attrs.evolve(request, params=params)


class NullsAreSent(OtherParameters):
    def change(self, value: Any) -> Any:
        return "null" if value is None else value


class TestNullsAreSent(Suite):
    driver, breaks = NullsAreSent, frozenset({"test_parameters_that_are_none_are_left_out"})


class DecimalsAsText(OtherParameters):
    def change(self, value: Any) -> Any:
        return str(value) if isinstance(value, Decimal) else value


class TestDecimalsAsText(Suite):
    driver = DecimalsAsText
    breaks = frozenset(
        {
            "test_a_decimal_travels_as_the_same_number",
            "test_a_parameter_without_a_form_in_json_is_rejected_and_nothing_is_sent",
        }
    )


class SharedToken(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        self.token = token
        await trio.lowlevel.checkpoint()
        return await self.inner.call(request, signer, self.token)


class TestSharedToken(Suite):
    driver, breaks = SharedToken, frozenset({"test_concurrent_calls_share_no_token_and_no_developer"})


class StickyToken(Client):
    """As the vendor's SDK does: the header stays in a shared dictionary (protocol 4A.1)."""

    token: Token | None = None

    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        self.token = token or self.token
        return await self.inner.call(request, signer, self.token)


class TestStickyToken(Suite):
    driver, breaks = StickyToken, frozenset({"test_a_call_without_a_token_borrows_none"})


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


# -- tokens ------------------------------------------------------------------------------------------------


class TokenWithoutEnd(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        return Token((await self.inner.refresh(signer, token)).value)


class TestTokenWithoutEnd(Suite):
    driver, breaks = TokenWithoutEnd, frozenset({"test_refresh_gives_the_new_token_and_its_end"})


class RefreshOfAnother(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        return await self.inner.refresh(signer, a_token(99))


class TestRefreshOfAnother(Suite):
    driver, breaks = RefreshOfAnother, frozenset({"test_refresh_shows_the_old_token_and_is_sent_once"})


class RefusedRefresh(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        try:
            return await self.inner.refresh(signer, token)
        except Unauthorized as error:
            raise Rejected(error.method, error.detail) from None


class TestRefusedRefresh(Suite):
    driver, breaks = RefusedRefresh, frozenset({"test_refresh_of_a_refused_token_is_unauthorized"})


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


# -- keys and secrets --------------------------------------------------------------------------------------


class RefusesEveryKey(Client):
    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        raise ValueError("no key is good enough")


class TestRefusesEveryKey(Suite):
    driver, breaks = RefusesEveryKey, frozenset({"test_validate_takes_a_good_key"})


class TakesEveryKey(Client):
    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        return

    def signer(self, credentials: Credentials, endpoint: Endpoint) -> Signer:
        return self.inner.signer(attrs.evolve(credentials, private_key=Secret("KEY")), endpoint)


class TestTakesEveryKey(Suite):
    driver = TakesEveryKey
    breaks = frozenset(
        {
            "test_validate_refuses_a_bad_key_without_showing_it",
            "test_signer_refuses_a_bad_key_without_showing_it",
            "test_validate_refuses_an_endpoint_that_could_steal_requests",
        }
    )


class KeyInTheError(Client):
    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        self.signer(credentials, endpoint)
        self.inner.validate(credentials, endpoint)

    def signer(self, credentials: Credentials, endpoint: Endpoint) -> Signer:
        try:
            return self.inner.signer(credentials, endpoint)
        except ValueError as error:
            raise ValueError(f"{credentials.private_key.reveal()}: {error}") from None


class TestKeyInTheError(Suite):
    driver = KeyInTheError
    breaks = frozenset(
        {
            "test_validate_refuses_a_bad_key_without_showing_it",
            "test_signer_refuses_a_bad_key_without_showing_it",
        }
    )


class Talkative(Signer):
    def __init__(self, inner: Signer, credentials: Credentials) -> None:
        self.inner = inner
        self.credentials = credentials

    def __repr__(self) -> str:
        return f"<Talkative {self.credentials.tiger_id.reveal()}>"

    def sign(self, content: bytes) -> str:
        return f"signature of {content!r}"


class TalkativeSigner(Client):
    def signer(self, credentials: Credentials, endpoint: Endpoint) -> Signer:
        return Talkative(self.inner.signer(credentials, endpoint), credentials)

    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        assert isinstance(signer, Talkative)
        return await self.inner.call(request, signer.inner, token)

    async def refresh(self, signer: Signer, token: Token) -> Token:
        assert isinstance(signer, Talkative)
        return await self.inner.refresh(signer.inner, token)

    async def probe(self, signer: Signer, token: Token | None) -> bool:
        assert isinstance(signer, Talkative)
        return await self.inner.probe(signer.inner, token)


class TestTalkativeSigner(Suite):
    driver, breaks = TalkativeSigner, frozenset({"test_a_signature_is_base64", "test_a_signer_shows_nothing"})


class TokenInTheError(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        shown = f"{error.detail} with the token {token.value.reveal()}" if token else error.detail
        return Rejected(error.method, shown, code=error.code) if token else error


class TestTokenInTheError(Suite):
    driver, breaks = TokenInTheError, frozenset({"test_an_error_shows_no_secret"})


class ErrorOfTwoLines(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        return Rejected(error.method, f"{error.detail}\n", code=error.code) if isinstance(error, Rejected) else error


class TestErrorOfTwoLines(Suite):
    driver, breaks = ErrorOfTwoLines, frozenset({"test_an_error_is_one_short_printable_line"})
