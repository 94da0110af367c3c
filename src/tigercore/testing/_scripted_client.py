"""A client whose gateway is a script in memory, for tests of the core."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any, final

import attrs
import trio

from tigercore.clock import SystemClock
from tigercore.errors import ClientError, NotProcessed, OutcomeUnknown, Rejected, Unauthorized
from tigercore.model import Credentials, Environment, Grant, Secret, Token
from tigercore.operations import account_key, operation
from tigercore.ports import (
    Authorization,
    DriverContext,
    Endpoint,
    GatewayRequest,
    NoOptions,
    Prompt,
    Signer,
    TigerClient,
)
from tigercore.testing._gateway import Answer, Denial, Fault, Move, token_text
from tigercore.testing._scripted_gateway import ScriptedGateway as ScriptedGateway
from tigercore.testing._scripted_outcome import outcome
from tigercore.testing._scripted_signer import ScriptedSigner
from tigercore.testing.clock import driver_context

__all__ = ["ScriptedGateway", "ScriptedTigerClient"]

_REFRESH, _PROBE = operation("user_token_refresh"), operation("accounts")
_REVOKE = attrs.evolve(_REFRESH, method="oauth2_revoke")
_NOT_YET = frozenset({"authorization_pending", "slow_down"})


@final
class ScriptedTigerClient(TigerClient):
    """Keep every law of the port in memory. A private key is any text that starts with KEY.

    A call meets, in this order: a failure of `fail`, a move of `gateway.then`, the data of `answer`, null.
    `calls` lists (account, method, params) as sent; `gateway.arrivals` adds the developer and the token.
    `latency`, in seconds, is spent in each call before it is answered. `ahead` is by how many seconds the gateway's
    clock is ahead.
    """

    def __init__(self, options: NoOptions | None = None, context: DriverContext | None = None) -> None:
        super().__init__(options or NoOptions(), context or driver_context(SystemClock()))
        self.gateway = ScriptedGateway()
        self.calls: list[tuple[str | None, str, dict[str, Any]]] = []
        self.latency = 0.0
        self.ahead = 0.0
        self.revoked: list[str] = []
        self._zeros: deque[float] = deque(maxlen=5)  # the gateway's time at the zero of `monotonic`, by its stamps
        self._answers: dict[str, Any] = {}
        self._failures: list[_Failure] = []
        self._minted = 0

    @property
    def skew(self) -> float | None:
        """Return `ahead`, once the gateway has answered anything, and by how much this clock was set back since."""
        if not self._zeros:
            return None
        zero = median(self._zeros)
        return round(zero + self.context.clock.monotonic() - self.context.clock.now().timestamp(), 3)

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
        if credentials.private_key is not None and not credentials.private_key.reveal().startswith("KEY"):
            raise ValueError("the private key cannot be parsed: in this fake it starts with KEY")
        return ScriptedSigner(credentials, endpoint)

    async def call(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        """Let the request meet what was scripted for it."""
        if not isinstance(signer, ScriptedSigner):
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
        if isinstance(move, Answer):
            self._learn(move.stamp)
        return await outcome(request, move, signer.secrets(token))

    async def refresh(self, signer: Signer, token: Token) -> Token:
        """Ask for a token; unless it is scripted, that is a new one of thirty days, or a grant of an hour."""
        if isinstance(signer, ScriptedSigner) and signer.is_bearer:
            await self.call(GatewayRequest(_REFRESH, {}), signer, _shown(token))
            return self._granted(Grant.of(token).client_id, token.issued_at)
        return _later(await self.call(GatewayRequest(_REFRESH, {}), signer, token), token)

    async def probe(self, signer: Signer, token: Token | None) -> bool:
        """List the accounts, and see whether the key or the token is refused."""
        try:
            await self.call(GatewayRequest(_PROBE, {}), signer, token)
        except (Unauthorized, Rejected) as error:
            if isinstance(error, Unauthorized) or error.code == 1000:
                return False
            raise
        return True

    async def authorize(self, wanted: Authorization, show: Callable[[Prompt], None]) -> Token:
        """Show a page, and let the person consent at once, unless `fail` says otherwise of the method `authorize`."""
        prompt = Prompt(f"{self.gateway.issuer}/device", "WDJB-MJHT" if wanted.device else None, 600.0)
        show(prompt)
        await trio.sleep(self.latency)
        for failure in self._failures:
            if failure.method == "authorize" and failure.times and isinstance(failure.error, ClientError):
                failure.times -= 1
                raise failure.error
        await self._decided(prompt)
        return self._granted(wanted.client_id or "client-1", None)

    async def revoke(self, signer: Signer, token: Token) -> None:
        """Take note that a grant was ended."""
        if not isinstance(signer, ScriptedSigner) or not signer.is_bearer:
            raise Rejected("revoke", "only OAuth2 grants can be revoked")
        await self.call(GatewayRequest(_REVOKE, {}), signer, _shown(token))
        self.revoked.append(Grant.of(token).client_id)

    async def _decided(self, prompt: Prompt) -> None:
        """Let the person decide: the next moves are theirs."""
        with trio.move_on_after(prompt.expires_in):
            move = self.gateway.take()
            while isinstance(move, Denial) and move.error in _NOT_YET:
                move = self.gateway.take()
            if isinstance(move, Denial):
                raise Rejected("authorize", "the consent was refused")
            if move is not Fault.HANG:
                return
            await trio.sleep_forever()
        raise Rejected("authorize", "nobody consented in time")

    def _granted(self, client_id: str, before: datetime | None) -> Token:
        self._minted += 1
        now = self.context.clock.now()
        born = now if before is None else max(now, before + timedelta(milliseconds=1))
        access, again = (Secret(f"{kind}-{client_id}-{self._minted}") for kind in ("access", "refresh"))
        ends = born + timedelta(hours=1)
        return Grant(self.gateway.issuer, client_id, access, again, "api.account:read", born, ends).token()

    def _learn(self, stamp: Any) -> None:
        clock = self.context.clock
        told = round((clock.now().timestamp() + self.ahead) * 1000) if stamp is None else stamp
        if type(told) is int and 10**12 <= told < 10**13:
            self._zeros.append(told / 1000 - clock.monotonic())

    def _meet(self, request: GatewayRequest) -> ClientError | Move:
        for failure in self._failures:
            if failure.selects(request):
                failure.times -= 1
                return failure.error
        return self.gateway.take(Answer(self._data(request.operation.method)))

    def _data(self, method: str) -> Any:
        if method == _REFRESH.method and method not in self._answers:
            self._minted += 1
            born = self.context.clock.now() + timedelta(seconds=self.ahead)
            return {"token": token_text(born, tail=self._minted.to_bytes(16, "big"))}
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


def _shown(token: Token) -> Token:
    """Return a grant whose refresh token is what the other side sees."""
    try:
        held = Grant.of(token)
    except ValueError as error:
        fault = str(error)
    else:
        return attrs.evolve(held, access_token=held.refresh_token).token()
    raise Rejected("oauth2", fault)


def _later(data: Any, token: Token) -> Token:
    """Return the token of a reply; one of the same moment passes, because the clocks of tests stand still."""
    with suppress(TypeError, KeyError, ValueError):
        fresh = Token.parse(data["token"])
        older = fresh.issued_at and token.issued_at and fresh.issued_at < token.issued_at
        if not older and fresh.value != token.value:
            return fresh
    raise OutcomeUnknown(_REFRESH.method, "the reply holds no newer token")


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
