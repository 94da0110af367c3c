"""Clients that misjudge what became of a call. Each breaks the laws that it names, and keeps all others."""

from tests.laws._client_base import UNKNOWN, Client, Suite
from tigercore.errors import ClientError, NotProcessed, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tigercore.model import Token
from tigercore.ports import GatewayRequest


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
