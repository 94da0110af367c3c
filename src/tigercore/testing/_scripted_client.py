"""A client whose gateway is a script in memory, for tests of the core."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, final

import attrs
import trio

from tigercore.clock import SystemClock
from tigercore.errors import ClientError, NotProcessed, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tigercore.model import (
    Credentials,
    Environment,
    License,
    Operation,
    OperationClass,
    Secret,
    Token,
)
from tigercore.operations import account_key, operation
from tigercore.ports import DriverContext, Endpoint, GatewayRequest, NoOptions, Signer, TigerClient
from tigercore.testing._gateway import Answer, Arrival, Fault, GatewayScript, Move, token_text
from tigercore.testing.clock import driver_context

__all__ = ["ScriptedGateway", "ScriptedTigerClient"]

_TIMEOUT = 15.0
# These facts of the protocol stand in the drivers too, on purpose: what a fake shared with them, none would prove.
_REFUSALS = frozenset({4, 1000, 1010, 1100, 1200, 1300, 4000})
_THROTTLES = ("rate limit error", "too_many_requests", "requestrateexceedlimit")
_WITH_NESTED_CODE = frozenset({"place_order", "modify_order", "cancel_order", "order_no"})
_REFRESH, _PROBE = operation("user_token_refresh"), operation("accounts")


@final
class ScriptedGateway(GatewayScript):
    """A gateway without a network."""

    @property
    def endpoint(self) -> Endpoint:
        """Return an endpoint that this gateway answers, as it does every one but the dead one."""
        return Endpoint(Environment.SANDBOX, License.TBHK, "http://127.0.0.1:1/gateway")

    @property
    def dead_endpoint(self) -> Endpoint:
        """Return the one endpoint that refuses connections."""
        return Endpoint(Environment.SANDBOX, License.TBHK, "http://127.0.0.1:2/gateway")


@final
class ScriptedTigerClient(TigerClient):
    """Keep every law of the port in memory. A private key is any text that starts with KEY.

    A call meets, in this order: a failure of `fail`, a move of `gateway.then`, the data of `answer`, null.
    `calls` lists (account, method, params) as sent; `gateway.arrivals` adds the developer and the token.
    `latency`, in seconds, is spent in each call before it is answered.
    """

    def __init__(self, options: NoOptions | None = None, context: DriverContext | None = None) -> None:
        super().__init__(options or NoOptions(), context or driver_context(SystemClock()))
        self.gateway = ScriptedGateway()
        self.calls: list[tuple[str | None, str, dict[str, Any]]] = []
        self.latency = 0.0
        self._answers: dict[str, Any] = {}
        self._failures: list[_Failure] = []
        self._minted = 0

    def answer(self, method: str, data: Any) -> None:
        """Answer this method with this data from now on."""
        self._answers[method] = data

    def fail(self, account: str | None, method: str | None, error: ClientError | Move, times: int = 1) -> None:
        """Fail the next calls of this account and method (None: of any) with an error, or as a move of the gateway."""
        self._failures.append(_Failure(account, method, error, times))

    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        """Take a key that starts with KEY, for an https endpoint or the loopback of a sandbox."""
        self.signer(credentials, endpoint)
        url = endpoint.server_url or "https://openapi.tigerfintech.com/gateway"
        sandbox = endpoint.environment is Environment.SANDBOX and url.startswith("http://127.0.0.1:")
        if "@" in url or not (url.startswith("https://") or sandbox):
            raise ValueError("this gateway may not be called: use https, or 127.0.0.1 in the sandbox environment")

    def signer(self, credentials: Credentials, endpoint: Endpoint) -> Signer:
        """Make a signer that signs with a hash."""
        if not credentials.private_key.reveal().startswith("KEY"):
            raise ValueError("the private key cannot be parsed: in this fake it starts with KEY")
        return _ScriptedSigner(credentials, endpoint)

    async def call(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        """Let the request meet what was scripted for it."""
        if not isinstance(signer, _ScriptedSigner):
            raise TypeError("the signer is another client's: make it with this client's signer()")
        params = _params(request)
        self.calls.append((request.account, request.operation.method, params))
        await trio.sleep(self.latency)
        if signer.endpoint == self.gateway.dead_endpoint:
            raise NotProcessed(request.operation.method, "the gateway refused the connection")
        move = self._meet(request)
        if isinstance(move, ClientError):
            raise move
        if move is not Fault.CLOSE_BEFORE_READING:
            self.gateway.record(signer.arrival(request.operation.method, params, token))
        return await _outcome(request, move, signer.secrets(token))

    async def refresh(self, signer: Signer, token: Token) -> Token:
        """Ask the gateway for a token; unless it is scripted, that is a new one of thirty days."""
        data = await self.call(GatewayRequest(_REFRESH, {}), signer, token)
        try:
            return Token.parse(data["token"])
        except (TypeError, KeyError, ValueError):
            raise OutcomeUnknown(_REFRESH.method, "the reply holds no token") from None

    async def probe(self, signer: Signer, token: Token | None) -> bool:
        """List the accounts, and see whether the key or the token is refused."""
        try:
            await self.call(GatewayRequest(_PROBE, {}), signer, token)
        except (Unauthorized, Rejected) as error:
            if isinstance(error, Unauthorized) or error.code == 1000:
                return False
            raise
        return True

    def _meet(self, request: GatewayRequest) -> ClientError | Move:
        for failure in self._failures:
            if failure.selects(request):
                failure.times -= 1
                return failure.error
        return self.gateway.take(Answer(self._data(request.operation.method)))

    def _data(self, method: str) -> Any:
        if method == _REFRESH.method and method not in self._answers:
            self._minted += 1
            return {"token": token_text(self.context.clock.now(), tail=self._minted.to_bytes(16, "big"))}
        return self._answers.get(method)


@final
@attrs.define
class _Failure:
    account: str | None
    method: str | None
    error: ClientError | Move
    times: int

    def selects(self, request: GatewayRequest) -> bool:
        return (
            self.times > 0
            and self.account in (None, request.account)
            and self.method in (None, request.operation.method)
        )


@final
class _ScriptedSigner(Signer):
    def __init__(self, credentials: Credentials, endpoint: Endpoint) -> None:
        self._credentials = credentials
        self.endpoint = endpoint

    def __repr__(self) -> str:
        return "<_ScriptedSigner>"

    def sign(self, content: bytes) -> str:
        return base64.b64encode(hashlib.sha256(content).digest()).decode()

    def arrival(self, method: str, params: Mapping[str, Any], token: Token | None) -> Arrival:
        return Arrival(method, params, self._credentials.tiger_id.reveal(), token.value.reveal() if token else None)

    def secrets(self, token: Token | None) -> list[Secret]:
        held = self._credentials
        return [s for s in (held.private_key, held.tiger_id, held.secret_key, token and token.value) if s]


def _number(value: Any) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _params(request: GatewayRequest) -> dict[str, Any]:
    params = {name: value for name, value in request.params.items() if value is not None}
    try:
        json.dumps(params, allow_nan=False, default=_number)
    except (ValueError, TypeError) as error:
        raise Rejected(request.operation.method, f"a parameter cannot be written: {error}") from None
    if request.operation.binds_account and request.account is not None:
        params[account_key(request.operation)] = request.account
    return params


async def _outcome(request: GatewayRequest, move: Move, secrets: list[Secret]) -> Any:
    method = request.operation.method
    if move is Fault.HANG:
        with trio.move_on_after(_TIMEOUT if request.timeout is None else request.timeout):
            await trio.sleep_forever()
    if not isinstance(move, Answer):
        raise OutcomeUnknown(method, "the gateway sent no whole reply in time")
    data = json.loads(json.dumps(move.data, default=float), parse_float=Decimal)
    if isinstance(data, str) and move.code == 0:
        data = json.loads(data, parse_float=Decimal)
    code, message = move.code, move.message
    if code == 0 and method in _WITH_NESTED_CODE and isinstance(data, dict):
        code, message = int(data.get("code") or 0), str(data.get("message", ""))
    if move.status != 200 or code != 0:
        raise _verdict(request.operation, move.status, code, _clean(message, secrets))
    return data


def _verdict(operation: Operation, status: int, code: int, message: str) -> ClientError:
    method, text = operation.method, message.lower()
    if status == 429 or code == 5 or (code in _REFUSALS and any(words in text for words in _THROTTLES)):
        return RateLimited(method, message, retry_after=60.0, code=code)
    if status == 401 or (status == 200 and code == 2400 and "user token" in text):
        code = code if code == 2400 else 401
        if operation.safety.read_only or operation.safety is OperationClass.TOKEN:
            return Unauthorized(method, message, code=code)
    elif status == 200 and code in _REFUSALS:
        return Rejected(method, message, code=code)
    return OutcomeUnknown(method, message, code=code)


def _clean(message: str, secrets: list[Secret]) -> str:
    text = "".join(letter for letter in message if letter.isprintable())
    for secret in secrets:
        text = text.replace(secret.reveal(), "***")
    return text[:200]
