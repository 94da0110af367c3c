"""The driver: seal, send once, read strictly, classify."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ssl import TLSVersion
from typing import Any, ClassVar, final

from tigercore.errors import OutcomeUnknown, Rejected, Unauthorized
from tigercore.model import Credentials, Grant, Operation, Secret, Token
from tigercore.operations import operation
from tigercore.ports import Authorization, DriverContext, Endpoint, GatewayRequest, Prompt, Signer, TigerClient
from tigercore_client_httpx._httpx import httpx, quieten
from tigercore_client_httpx.bearer import BearerSigner
from tigercore_client_httpx.classify import classify
from tigercore_client_httpx.envelope import Envelope, seal
from tigercore_client_httpx.grants import Grants
from tigercore_client_httpx.hosts import gateway_url
from tigercore_client_httpx.lane import HttpReply, HttpRequest, Lane, Unshown
from tigercore_client_httpx.options import HttpxOptions
from tigercore_client_httpx.replies import Reply
from tigercore_client_httpx.signing import RsaSigner, load_private_key, load_public_key, prove, verifies
from tigercore_client_httpx.skew import Skew
from tigercore_client_httpx.verdict import evidence, reading

__all__ = ["HttpxClient"]

_IDLE = 30.0
_LAST_YEAR = 9000  # after it, no later moment could be written
_NO_GRANT = "the token is no OAuth2 grant: log in again"
_REFUSED_KEY = ("signature", "sign check", "developer information", "public key")
_REFRESH, _PROBE = operation("user_token_refresh"), operation("accounts")


@final
class HttpxClient(TigerClient):
    """Speak to the gateway over HTTP/1.1. What is no read has a connection of its own, for one request only."""

    Options: ClassVar[type] = HttpxOptions

    def __init__(self, options: HttpxOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        quieten()
        tls = httpx.create_ssl_context(trust_env=False)
        tls.minimum_version = TLSVersion.TLSv1_2
        self._reads = Lane(tls, options.max_connections, idle=_IDLE)
        self._writes = Lane(tls, options.max_connections, idle=0)
        self._device = _device_id()
        self._skew = Skew(context.clock)
        self._grants = Grants(options, self._writes, context.clock)
        key = options.gateway_public_key
        self._gateway_key = load_public_key(key) if key else None

    @classmethod
    @asynccontextmanager
    async def open(cls, options: HttpxOptions, context: DriverContext) -> AsyncIterator[HttpxClient]:
        """Open the connections' pools for the time of an `async with`."""
        client = cls(options, context)
        async with client._reads, client._writes:
            yield client

    @property
    def skew(self) -> float | None:
        """Return by how many seconds the gateway's clock is ahead, by the median of its last five stamps."""
        return self._skew.seconds

    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        """Check the key in full, if there is one, let it sign once, and check the endpoint."""
        gateway_url(endpoint, self.options.allowed_hosts)
        if credentials.private_key is not None:
            prove(load_private_key(credentials.private_key.reveal(), checked=True))

    def signer(self, credentials: Credentials, endpoint: Endpoint) -> Signer:
        """Parse a key that `validate` has passed, in some ten microseconds."""
        url = gateway_url(endpoint, self.options.allowed_hosts)
        if credentials.private_key is None:
            return BearerSigner(credentials.tiger_id, endpoint, url)
        key = load_private_key(credentials.private_key.reveal(), checked=False)
        return RsaSigner(key, credentials.tiger_id, credentials.secret_key, url)

    async def call(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        """Send one request at most once and return the reply's `data`."""
        if not isinstance(signer, RsaSigner | BearerSigner):
            raise TypeError("the signer is another client's: make it with this client's signer()")
        asked = request.operation
        headers = self._headers(asked, signer, token)
        envelope = self._seal(request, signer, token)
        lane = self._reads if asked.safety.read_only else self._writes
        timeout = self.options.timeout if request.timeout is None else request.timeout
        reply = await lane.post(asked.method, HttpRequest(signer.url, headers, envelope.body), timeout)
        return self._answer(asked, envelope, reply)

    async def refresh(self, signer: Signer, token: Token) -> Token:
        """Ask once for a new token; its end is read from itself (protocol 4A.2), or from the issuer's reply."""
        if isinstance(signer, BearerSigner):
            held = _grant(token)
            if held is None:
                raise Unauthorized("oauth2_refresh", _NO_GRANT)
            return (await self._grants.renew(held, signer.endpoint)).token()
        fresh = _token(await self.call(GatewayRequest(_REFRESH, {}), signer, token))
        if fresh is None or not _is_later(fresh, token):
            raise OutcomeUnknown(_REFRESH.method, "the reply holds no newer token, yet the old one may be dead")
        return fresh

    async def probe(self, signer: Signer, token: Token | None) -> bool:
        """List the accounts, a read of the medium group, and say whether key and token were taken."""
        try:
            await self.call(GatewayRequest(_PROBE, {}), signer, token)
        except Unauthorized:
            return False
        except Rejected as error:
            if error.code == 1000 and any(words in error.detail for words in _REFUSED_KEY):
                return False
            raise
        return True

    async def authorize(self, wanted: Authorization, show: Callable[[Prompt], None]) -> Token:
        """Let a person consent, in a browser of this machine or with a code, and return the grant as a token."""
        return (await self._grants.authorize(wanted, show)).token()

    async def revoke(self, signer: Signer, token: Token) -> None:
        """Ask the issuer once to end a grant (protocol 4B.8)."""
        held = _grant(token) if isinstance(signer, BearerSigner) else None
        if not isinstance(signer, BearerSigner) or held is None:
            raise Rejected("oauth2_revoke", "only OAuth2 grants can be revoked")
        await self._grants.revoke(held, signer.endpoint)

    # Errors of the libraries hold what they failed at, a body or a request: ours are raised after, not while, they are
    # handled, or `__context__` would carry those along.

    def _seal(self, request: GatewayRequest, signer: RsaSigner | BearerSigner, token: Token | None) -> Envelope:
        try:
            return seal(request, signer, token, self.context.clock.now(), self._device)
        except (ValueError, TypeError, RecursionError) as error:
            fault = f"a parameter cannot be written: {error}"
        raise Rejected(request.operation.method, fault)

    def _headers(self, operation: Operation, signer: Signer, token: Token | None) -> Unshown:
        headers = Unshown(
            {
                "Content-Type": "application/json;charset=UTF-8",
                "Accept-Encoding": "identity",
                "User-Agent": self.options.user_agent,
            }
        )
        if token is not None:
            headers["Authorization"] = _authorization(operation.method, signer, token)
        return headers

    def _answer(self, operation: Operation, envelope: Envelope, reply: HttpReply) -> Any:
        read = reading(reply)
        if isinstance(read, str):
            raise OutcomeUnknown(operation.method, f"the reply cannot be used: {read}")
        self._skew.learn(read.stamp)
        self._check_signature(operation, envelope, read)
        fault = evidence(operation, envelope, reply, read)
        if fault is None:
            return read.data
        raise classify(operation, fault)

    def _check_signature(self, operation: Operation, envelope: Envelope, reply: Reply) -> None:
        if self._gateway_key is None or (reply.sign is None and reply.code != 0):  # refusals may come unsigned
            return
        if reply.sign is None or not verifies(self._gateway_key, envelope.timestamp.encode(), reply.sign):
            raise OutcomeUnknown(operation.method, "the reply is not signed by the gateway: check gateway_public_key")


def _grant(token: Token) -> Grant | None:
    try:
        held = Grant.of(token)
    except ValueError:
        return None
    return held if held.issued_at.year < _LAST_YEAR else None


def _authorization(method: str, signer: Signer, token: Token) -> str:
    """Return the header: the token as it is, without a scheme, or the bearer's access token (protocol 4A.1, 4B.1)."""
    if not isinstance(signer, BearerSigner):
        return _header_text(method, token.value)
    held = _grant(token)
    if held is None:
        raise Unauthorized(method, _NO_GRANT)
    return f"Bearer {_header_text(method, held.access_token)}"


def _header_text(method: str, secret: Secret) -> str:
    if not _is_header_text(secret.reveal()):
        raise Unauthorized(method, "the token is no text for a header: make a new one")
    return secret.reveal()


def _is_header_text(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _token(data: Any) -> Token | None:
    try:
        return Token.parse(data["token"])
    except (TypeError, KeyError, ValueError):
        return None


def _is_later(fresh: Token, old: Token) -> bool:
    return fresh.issued_at is not None and (old.issued_at is None or fresh.issued_at > old.issued_at)


def _device_id() -> str:
    text = f"{uuid.getnode():012x}"  # the MAC address, on which the broker seats quote permissions (protocol 1.8)
    return ":".join(text[at : at + 2] for at in range(0, 12, 2))
