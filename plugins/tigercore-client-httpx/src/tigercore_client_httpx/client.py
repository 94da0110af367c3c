"""The driver: seal, send once, read strictly, classify."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ssl import TLSVersion
from typing import Any, ClassVar, final

import attrs
from attrs.validators import ge, gt, matches_re

from tigercore.errors import OutcomeUnknown, Rejected, Unauthorized
from tigercore.model import Credentials, Operation, Token
from tigercore.operations import operation
from tigercore.ports import DriverContext, Endpoint, GatewayRequest, Signer, TigerClient
from tigercore_client_httpx._httpx import httpx, quieten
from tigercore_client_httpx.classify import Evidence, classify
from tigercore_client_httpx.envelope import Envelope, seal
from tigercore_client_httpx.hosts import gateway_url
from tigercore_client_httpx.lane import HttpReply, HttpRequest, Lane
from tigercore_client_httpx.replies import Reply, decode, parse, printable
from tigercore_client_httpx.signing import RsaSigner, load_private_key, load_public_key, prove, verifies

__all__ = ["HttpxClient", "HttpxOptions"]

_IDLE = 30.0
_WINDOW = 60.0  # budgets are counted over a rolling minute, and no Retry-After is documented (protocol 8.1, 8.4)
_NESTED = frozenset({"place_order", "modify_order", "cancel_order", "order_no"})
_REFUSED_KEY = ("signature", "sign check", "developer information", "public key")
_REFRESH, _PROBE = operation("user_token_refresh"), operation("accounts")


def _is_public_key(options: HttpxOptions, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None:
        load_public_key(value)


@final
@attrs.frozen
class HttpxOptions:
    """The table `[client.options]` of the settings.

    `timeout` is in seconds and covers a whole call. `max_connections` is for reads, and once more for all else.
    `user_agent` is printable ASCII. `gateway_public_key`, in base64 or PEM, makes the client check the replies'
    signatures (protocol 2.4): an answer that is not signed, or not by that key, is an unknown outcome.
    `allowed_hosts` adds hosts to the broker's own, as `host` or `host:port`: they are trusted with keys and tokens.
    """

    timeout: float = attrs.field(default=15.0, validator=gt(0))
    max_connections: int = attrs.field(default=32, validator=ge(1))
    user_agent: str = attrs.field(default="tigercore", validator=matches_re(r"[!-~]+( [!-~]+)*"))
    gateway_public_key: str | None = attrs.field(default=None, validator=_is_public_key)
    allowed_hosts: tuple[str, ...] = ()


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
        key = options.gateway_public_key
        self._gateway_key = load_public_key(key) if key else None

    @classmethod
    @asynccontextmanager
    async def open(cls, options: HttpxOptions, context: DriverContext) -> AsyncIterator[HttpxClient]:
        """Open the connections' pools for the time of an `async with`."""
        client = cls(options, context)
        async with client._reads, client._writes:
            yield client

    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        """Check the key in full, let it sign once, and check the endpoint."""
        gateway_url(endpoint, self.options.allowed_hosts)
        prove(load_private_key(credentials.private_key.reveal(), checked=True))

    def signer(self, credentials: Credentials, endpoint: Endpoint) -> Signer:
        """Parse a key that `validate` has passed, in some ten microseconds."""
        key = load_private_key(credentials.private_key.reveal(), checked=False)
        url = gateway_url(endpoint, self.options.allowed_hosts)
        return RsaSigner(key, credentials.tiger_id, credentials.secret_key, url)

    async def call(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        """Send one request at most once and return the reply's `data`."""
        if not isinstance(signer, RsaSigner):
            raise TypeError("the signer is another client's: make it with this client's signer()")
        asked = request.operation
        envelope = self._seal(request, signer, token)
        lane = self._reads if asked.safety.read_only else self._writes
        timeout = self.options.timeout if request.timeout is None else request.timeout
        outgoing = HttpRequest(signer.url, self._headers(asked, token), envelope.body)
        reply = await lane.post(asked.method, outgoing, timeout)
        return self._answer(asked, envelope, reply)

    async def refresh(self, signer: Signer, token: Token) -> Token:
        """Ask once for a new token; its end is read from the token itself (protocol 4A.2)."""
        data = await self.call(GatewayRequest(_REFRESH, {}), signer, token)
        with suppress(TypeError, KeyError, ValueError):
            return Token.parse(data["token"])
        raise OutcomeUnknown(_REFRESH.method, "the reply holds no token, yet the old one may be dead")

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

    # Errors of the libraries hold what they failed at, a body or a request: ours are raised after, not while, they are
    # handled, or `__context__` would carry those along.

    def _seal(self, request: GatewayRequest, signer: RsaSigner, token: Token | None) -> Envelope:
        try:
            return seal(request, signer, token, self.context.clock.now(), self._device)
        except (ValueError, TypeError, RecursionError) as error:
            fault = f"a parameter cannot be written: {error}"
        raise Rejected(request.operation.method, fault)

    def _headers(self, operation: Operation, token: Token | None) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json;charset=UTF-8",
            "Accept-Encoding": "identity",
            "User-Agent": self.options.user_agent,
        }
        if token is not None:
            if not _is_header_text(token.value.reveal()):
                raise Unauthorized(operation.method, "the token is no text for a header: make a new one in the portal")
            headers["Authorization"] = token.value.reveal()  # raw, without a scheme (protocol 4A.1)
        return headers

    def _answer(self, operation: Operation, envelope: Envelope, reply: HttpReply) -> Any:
        read = _reading(reply)
        if isinstance(read, str):
            raise OutcomeUnknown(operation.method, f"the reply cannot be used: {read}")
        self._check_signature(operation, envelope, read)
        code, message = _verdict(operation, read)
        if reply.status == 200 and code == 0:
            return read.data
        shown = printable(message, envelope.secrets) or f"HTTP {reply.status}"
        raise classify(operation, Evidence(reply.status, code, message, shown, _rest(reply)))

    def _check_signature(self, operation: Operation, envelope: Envelope, reply: Reply) -> None:
        if self._gateway_key is None or (reply.sign is None and reply.code != 0):  # refusals may come unsigned
            return
        if reply.sign is None or not verifies(self._gateway_key, envelope.timestamp.encode(), reply.sign):
            raise OutcomeUnknown(operation.method, "the reply is not signed by the gateway: check gateway_public_key")


def _reading(reply: HttpReply) -> Reply | str:
    """Return what was read, or what is wrong with it; under another status than 200 anything may be read."""
    try:
        read = parse(reply.body)
        return attrs.evolve(read, data=decode(read.data)) if reply.status == 200 and read.code == 0 else read
    except ValueError as error:
        return str(error) if reply.status == 200 else Reply(None, "", None, None)


def _verdict(operation: Operation, reply: Reply) -> tuple[int | None, str]:
    """Return the code and message that count: those inside `data`, where four methods hide theirs (protocol 3.2)."""
    data = reply.data
    if reply.code != 0 or operation.method not in _NESTED or not isinstance(data, dict):
        return reply.code, reply.message
    code, message = data.get("code"), data.get("message")
    if code is None or str(code) == "0":
        return 0, reply.message
    return _integer(str(code)), message if isinstance(message, str) else "an error inside data"


def _integer(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _rest(reply: HttpReply) -> float:
    seconds = _integer(reply.headers.get("retry-after", ""))
    return float(min(seconds, 3600)) if seconds else _WINDOW


def _is_header_text(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _device_id() -> str:
    text = f"{uuid.getnode():012x}"  # the MAC address, on which the broker seats quote permissions (protocol 1.8)
    return ":".join(text[at : at + 2] for at in range(0, 12, 2))
