"""A client of OAuth2: it signs nothing, and each call bears the access token of a grant (protocol 4B.1)."""

from __future__ import annotations

from typing import final

from tigercore.model import Secret
from tigercore.ports import Endpoint, Signer

__all__ = ["BearerSigner"]


@final
class BearerSigner(Signer):
    """The client's id with the URL it speaks to."""

    __slots__ = ("client_id", "endpoint", "url")

    def __init__(self, client_id: Secret, endpoint: Endpoint, url: str) -> None:
        self.client_id = client_id
        self.endpoint = endpoint
        self.url = url

    def __repr__(self) -> str:
        return "<BearerSigner>"

    def sign(self, content: bytes) -> str:
        """Refuse: there is no key.

        :raises TypeError: always.
        """
        raise TypeError("an OAuth2 client has no key to sign with")
