"""Evidence to verdict (reliability 4.2, protocol 3.5): which error a reply is, for the kind of call that it answers."""

from __future__ import annotations

from typing import final

import attrs

from tigercore.errors import ClientError, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tigercore.model import Operation, OperationClass

__all__ = ["Evidence", "classify"]

# Only these codes say for certain that nothing was carried out.
_REFUSALS = frozenset({4, 1000, 1010, 1100, 1200, 1300, 4000})
_LIMITS = ("rate limit error", "too_many_requests", "requestrateexceedlimit")
_TOKEN_CODE, _TOKEN_WORDS = 2400, "user token"  # the code is "crypto quote error" too, so the text decides
_TRANSIENT = "internal_error"  # the vendor's Java SDK sends again when it reads this


@final
@attrs.frozen(repr=False)
class Evidence:
    """What a reply that is no answer says. `message` is raw; `shown` may stand in an error; `rest` is in seconds.

    `is_signed` says how the request showed who asks: by a signature, or by the access token of a grant.
    """

    status: int
    code: int | None
    message: str
    shown: str
    rest: float
    is_signed: bool = True


def classify(operation: Operation, evidence: Evidence) -> ClientError:
    """Return the error that this evidence is, by the first line that fits.

    ==============================================  ===================  =====================
    evidence                                        a read, a refresh    a write
    ==============================================  ===================  =====================
    HTTP 429, code 5, a refusal that says "limit"   `RateLimited`        `RateLimited`
    HTTP 401, or 200 with 2400 and "user token"     `Unauthorized`       `OutcomeUnknown`
    HTTP 200 with 4, 1000, 1010, 1100-1300, 4000    `Rejected`           `Rejected`
    HTTP 403 with a code, to the bearer of a grant  `Rejected`           `Rejected`
    anything else                                   `OutcomeUnknown`     `OutcomeUnknown`
    ==============================================  ===================  =====================

    A 401 does not establish whether a write was carried out: the vendor says so. An error of the second line, a write's
    too, has the code 2400, or 401 where the gateway gave no 2400: so the token can be distrusted.
    """
    text, method, shown, code = evidence.message.lower(), operation.method, evidence.shown, evidence.code
    refused = code in _REFUSALS and _TRANSIENT not in text
    if evidence.status == 429 or (evidence.status == 200 and (code == 5 or (refused and _speaks_of_limits(text)))):
        return RateLimited(method, shown, retry_after=evidence.rest, code=code)
    if evidence.status == 401 or (evidence.status == 200 and code == _TOKEN_CODE and _TOKEN_WORDS in text):
        kind = Unauthorized if _may_repeat(operation) else OutcomeUnknown
        return kind(method, shown, code=code if code == _TOKEN_CODE else 401)
    beyond = evidence.status == 403 and not evidence.is_signed and bool(code)  # a scope or account (protocol 3.7)
    if beyond or (evidence.status == 200 and refused):
        return Rejected(method, shown, code=code)
    return OutcomeUnknown(method, shown, code=code)


def _speaks_of_limits(text: str) -> bool:
    return any(words in text for words in _LIMITS)


def _may_repeat(operation: Operation) -> bool:
    return operation.safety.read_only or operation.safety is OperationClass.TOKEN
