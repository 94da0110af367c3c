from typing import TypeAlias

import pytest

from tigercore.errors import ClientError, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tigercore.model import Operation, OperationClass, OperationType
from tigercore_client_httpx.classify import Evidence, classify

Kind: TypeAlias = type[ClientError]

# (HTTP status, code, text) and the error of a read and of a write: protocol 3.5, 3.7, 3.8, 9.4.
TABLE: list[tuple[int, int | None, str, Kind, Kind]] = [
    (200, 1, "server error", OutcomeUnknown, OutcomeUnknown),
    (200, 1, "server error(rate limit error)", OutcomeUnknown, OutcomeUnknown),
    (200, 2, "network read time out", OutcomeUnknown, OutcomeUnknown),
    (200, 4, "access forbidden(ip is not in the whitelist)", Rejected, Rejected),
    (200, 4, "4000:permission denied(current device does not have permission)", Rejected, Rejected),
    (200, 4, "rate limit error(current limiting interface:kline, up to 60 ...)", RateLimited, RateLimited),
    (200, 5, "rate limit error", RateLimited, RateLimited),
    (200, 5, "", RateLimited, RateLimited),
    (429, 5, "rate limit error", RateLimited, RateLimited),
    (429, None, "", RateLimited, RateLimited),
    (200, 1000, "common param error(failed to verify signature, ...)", Rejected, Rejected),
    (200, 1000, "common param error(public key error)", Rejected, Rejected),
    (200, 1010, "biz param error(field 'account' cannot be empty)", Rejected, Rejected),
    (200, 1100, "global account response error(TRADE DUPLICATE ORDER ID)", Rejected, Rejected),
    (200, 1200, "standard account response error(bad_request:no)", Rejected, Rejected),
    (200, 1200, "standard account response error(unauthorized:Please login in)", Rejected, Rejected),
    (200, 1200, "standard account response error(too_many_requests)", RateLimited, RateLimited),
    (200, 1200, "standard account response error(error.requestRateExceedLimit)", RateLimited, RateLimited),
    (200, 1200, "internal_error:A system error occurred, please try again later", OutcomeUnknown, OutcomeUnknown),
    (200, 1300, "paper account response error(not_found:Order does not exist)", Rejected, Rejected),
    (200, 2000, "financial quote error", OutcomeUnknown, OutcomeUnknown),
    (200, 2100, "stock quote error", OutcomeUnknown, OutcomeUnknown),
    (200, 2400, "user token error(user token expired invalid)", Unauthorized, OutcomeUnknown),
    (200, 2400, "user token can not be empty", Unauthorized, OutcomeUnknown),
    (200, 2400, "crypto quote error", OutcomeUnknown, OutcomeUnknown),
    (200, 4000, "permission denied", Rejected, Rejected),
    (200, 77, "something new", OutcomeUnknown, OutcomeUnknown),
    (200, None, "", OutcomeUnknown, OutcomeUnknown),
    (200, 1010, "biz param error(symbol 'user token' unknown)", Rejected, Rejected),
    (200, 1, "server error(user token service timeout)", OutcomeUnknown, OutcomeUnknown),
    (200, 2, "network read time out: user token", OutcomeUnknown, OutcomeUnknown),
    (200, 1200, "bad_request:exceeds the financing rate limit", Rejected, Rejected),
    (401, 2400, "user token error(user token invalid)", Unauthorized, OutcomeUnknown),
    (500, 1, "server error(failed to store the user token)", OutcomeUnknown, OutcomeUnknown),
    (500, 2400, "user token error(user token invalid)", OutcomeUnknown, OutcomeUnknown),
    (502, None, "user token", OutcomeUnknown, OutcomeUnknown),
    (403, 4000, "permission denied", OutcomeUnknown, OutcomeUnknown),
    (404, None, "", OutcomeUnknown, OutcomeUnknown),
    (307, None, "", OutcomeUnknown, OutcomeUnknown),
    (500, 1000, "common param error", OutcomeUnknown, OutcomeUnknown),
    (503, 5, "rate limit error", OutcomeUnknown, OutcomeUnknown),
]
READ_LIKE = (OperationClass.MARKET_DATA, OperationClass.ACCOUNT_READ, OperationClass.DRY_RUN, OperationClass.TOKEN)
WRITE_LIKE = (OperationClass.CANCEL, OperationClass.MODIFY, OperationClass.CREATE, OperationClass.MONEY)


def _verdict(safety: OperationClass, status: int, code: int | None, text: str) -> ClientError:
    operation = Operation("some_method", "2.0", OperationType.ORDERS, safety, "any", 60, "any", True)
    return classify(operation, Evidence(status, code, text, "shown", 60.0))


@pytest.mark.parametrize(("status", "code", "text", "of_read", "of_write"), TABLE)
def test_evidence_gives_its_verdict(status: int, code: int | None, text: str, of_read: Kind, of_write: Kind) -> None:
    assert [of_read] * 4 == [type(_verdict(safety, status, code, text)) for safety in READ_LIKE]
    assert [of_write] * 4 == [type(_verdict(safety, status, code, text)) for safety in WRITE_LIKE]


@pytest.mark.parametrize("row", TABLE)
def test_an_error_keeps_the_code_and_shows_only_what_may_be_shown(row: tuple[int, int | None, str, Kind, Kind]) -> None:
    error = _verdict(OperationClass.ACCOUNT_READ, *row[:3])
    assert (row[1], "shown", "some_method") == (error.code, error.detail, error.method)


@pytest.mark.parametrize(("code", "carried"), [(None, 401), (0, 401), (1000, 401), (2400, 2400)])
def test_http_401_says_by_its_code_that_the_token_was_refused(code: int | None, carried: int) -> None:
    errors = [_verdict(safety, 401, code, "common param error") for safety in OperationClass]
    assert {carried} == {error.code for error in errors}
    assert {Unauthorized, OutcomeUnknown} == {type(error) for error in errors}


def test_every_class_of_operation_is_judged() -> None:
    assert set(OperationClass) == {*READ_LIKE, *WRITE_LIKE}
