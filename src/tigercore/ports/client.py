"""The port to the broker's gateway."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, final

import attrs

from tigercore.model import Credentials, Environment, License, Operation, Token
from tigercore.ports._driver import Driver


@final
@attrs.frozen
class Endpoint:
    """Which gateway an account is served by: a `server_url` of its own, or the one of its licence."""

    environment: Environment
    license: License | None = None
    server_url: str | None = None


@final
@attrs.frozen
class GatewayRequest:
    """One call. `account` goes into the parameters where the operation binds one. `timeout` is in seconds."""

    operation: Operation
    params: Mapping[str, Any]
    account: str | None = None
    timeout: float | None = None


@final
@attrs.frozen
class Authorization:
    """What a person is asked to consent to. `issuer` None is the broker's own; without a `client_id` one is registered.

    With `device` the person may be at another machine and types a code; else a browser on this one comes back here.
    """

    endpoint: Endpoint
    issuer: str | None = None
    client_id: str | None = None
    device: bool = False


@final
@attrs.frozen
class Prompt:
    """What the person is shown: a page to open, the code to type there if there is one, and how long both are good."""

    url: str
    user_code: str | None
    expires_in: float


class Signer(ABC):
    """A developer's key, parsed, with the endpoint it speaks to. It shows neither the key nor the developer."""

    @abstractmethod
    def sign(self, content: bytes) -> str:
        """Return the signature of the content in base64."""


class TigerClient(Driver):
    """Speak to the gateway. There is no retry, no failover and no token cache in here.

    Replies are hostile input: they are bounded, parsed strictly and classified into `ClientError`.
    """

    @property
    @abstractmethod
    def skew(self) -> float | None:
        """By how many seconds the gateway's clock is ahead of this process's, None until it has answered.

        It is the median of what its last five replies that bear a stamp say; a step of this process's clock shows at
        once.
        """

    @abstractmethod
    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        """Check that the key is whole and signs, and that the endpoint may be called; no I/O. Takes tens of ms.

        :raises ValueError: it does not; the message says what to do and shows no secret.
        """

    @abstractmethod
    def signer(self, credentials: Credentials, endpoint: Endpoint) -> Signer:
        """Parse a key that `validate` has passed; the caller keeps the result. Without a key, calls bear a grant.

        :raises ValueError: the key cannot be parsed.
        """

    @abstractmethod
    async def call(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        """Send one request at most once and return the reply's `data`; money is `Decimal`.

        :raises NotProcessed: it was provably not carried out (`RateLimited`, `Unauthorized` are kinds of it).
        :raises Rejected: the gateway refused it, or a parameter has no form in JSON.
        :raises OutcomeUnknown: it may have been carried out.
        """

    @abstractmethod
    async def refresh(self, signer: Signer, token: Token) -> Token:
        """Ask once for a new token in place of this one. Errors as `call`; a refused token is `Unauthorized`.

        The new one was issued later than this one.
        """

    @abstractmethod
    async def probe(self, signer: Signer, token: Token | None) -> bool:
        """Say whether the gateway takes this key and token now, by a cheap read. Other errors as `call`."""

    @abstractmethod
    async def authorize(self, wanted: Authorization, show: Callable[[Prompt], None]) -> Token:
        """Let a person consent under OAuth2, and return the grant as a token. Errors as `call`.

        :raises Rejected: the person refused, or took too long.
        """

    @abstractmethod
    async def revoke(self, signer: Signer, token: Token) -> None:
        """Ask the issuer once to end a grant. Errors as `call`.

        :raises Rejected: the token is no grant.
        """
