"""The refusals of the gateway: a code, a sentence, and the HTTP status they travel with."""


class Refusal(Exception):
    """Say why the gateway did not do what was asked."""

    def __init__(self, code: int, message: str, status: int = 200) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status


def common(detail: str) -> Refusal:
    """Refuse an envelope the gateway cannot accept."""
    return Refusal(1000, f"common param error({detail})")


def business(detail: str) -> Refusal:
    """Refuse parameters the method cannot work with."""
    return Refusal(1010, f"biz param error({detail})")


def standard(detail: str) -> Refusal:
    """Refuse an operation of an account."""
    return Refusal(1200, f"standard account response error({detail})")


def token(detail: str) -> Refusal:
    """Refuse the token of a developer whose licence needs one."""
    return Refusal(2400, f"user token error({detail})")


def throttled() -> Refusal:
    """Refuse an order because its account sends too many of them."""
    return standard("too_many_requests:error.requestRateExceedLimit")


def limited(method: str, limit: int, *, code: int = 5, status: int = 429) -> Refusal:
    """Refuse a request over the limit of its method."""
    detail = f"current limiting interface:{method}, up to {limit} times per minute"
    return Refusal(code, f"rate limit error({detail})", status)


def not_seated() -> Refusal:
    """Refuse quotes to a device that does not hold the permission."""
    return Refusal(4, "4000:permission denied(current device does not have permission)")


def unauthorized() -> Refusal:
    """Refuse an access token that is not good."""
    return Refusal(1000, "common param error(access token invalid or expired)", 401)


def forbidden(detail: str) -> Refusal:
    """Refuse what an OAuth 2.0 client was not granted."""
    return Refusal(4000, f"permission denied({detail})", 403)
