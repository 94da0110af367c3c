"""The denials of the OAuth 2.0 issuer: the error code of the RFCs, a sentence, and the HTTP status."""


class Denial(Exception):
    """Say why the issuer did not do what was asked."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error, description)
        self.error = error
        self.description = description
        self.status = status


def malformed(description: str) -> Denial:
    """Deny a request that is not as the RFCs want it."""
    return Denial("invalid_request", description)


def stale(description: str) -> Denial:
    """Deny a code or a token that is unknown, expired, used up or another client's."""
    return Denial("invalid_grant", description)
