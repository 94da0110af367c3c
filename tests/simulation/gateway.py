"""A strict gateway in memory that fails at random, and remembers what it has done."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, final

import trio

from tigercore.errors import ClientError, NotProcessed, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tigercore.model import Credentials, Token
from tigercore.ports import Authorization, DriverContext, GatewayRequest, NoOptions, Prompt, Signer, TigerClient
from tigercore.testing._gateway import token_text

LIFE = timedelta(days=30)
_METHOD = "user_token_refresh"
_FAULTY = 0.06  # of the requests go wrong
_SLOWEST = 40.0  # seconds; the core waits 15 for a reply, and 60 before it asks what became of the request


@final
class DeveloperSigner(Signer):
    """Say who signs."""

    def __init__(self, developer: str) -> None:
        self.developer = developer

    def sign(self, content: bytes) -> str:
        return ""


@final
class YearlyClient(TigerClient):
    """Exchange tokens, of which each developer has one that lives. `skew` is right at every moment."""

    def __init__(self, context: DriverContext, rng: random.Random, tell: Callable[..., None]) -> None:
        super().__init__(NoOptions(), context)
        self.is_down = False
        self.is_faulty = True
        self.living: dict[str, str] = {}
        self.accepted: Counter[str] = Counter()
        self.meetings = 0  # of two requests of one developer
        self._under_way: Counter[str] = Counter()
        self._rng = rng
        self._tell = tell
        self._minted = 0
        self._nursery: trio.Nursery | None = None

    @property
    def skew(self) -> float | None:
        return (self.right_time() - self.context.clock.now()).total_seconds()

    def issue(self, developer: str) -> str:
        """Give a developer a new token; the one of before is dead."""
        self._minted += 1
        text = token_text(self.right_time(), LIFE, tail=self._minted.to_bytes(16, "big"))
        self.living[developer] = Token.parse(text).value.reveal()
        return text

    def serve(self, nursery: trio.Nursery) -> None:
        """Carry out in this nursery what nobody waits for any more."""
        self._nursery = nursery

    def validate(self, credentials: Credentials, endpoint: Any) -> None:
        """Take any."""

    def signer(self, credentials: Credentials, endpoint: Any) -> Signer:
        return DeveloperSigner(credentials.tiger_id.reveal())

    async def call(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        raise NotImplementedError

    async def refresh(self, signer: Signer, token: Token) -> Token:
        assert isinstance(signer, DeveloperSigner)
        assert self._nursery is not None
        developer = signer.developer
        self._tell("refresh", developer)
        self._require_up()
        fault = self._rng.random() / _FAULTY if self.is_faulty else 1.0
        if fault < 0.2:
            raise NotProcessed(_METHOD, "the connection is refused")
        if fault < 0.3:
            raise RateLimited(_METHOD, "rate limit error", retry_after=self._rng.uniform(10, 600), code=4)
        if fault < 0.5:
            raise OutcomeUnknown(_METHOD, "the request is lost")
        send, receive = trio.open_memory_channel[Token | ClientError](1)
        late = self._rng.uniform(0, _SLOWEST) if fault < 0.8 else 0.0
        self._nursery.start_soon(self._carry_out, developer, token, late, send)
        if 0.8 <= fault < 1:
            raise OutcomeUnknown(_METHOD, "the reply is lost")
        reply = await receive.receive()
        if isinstance(reply, ClientError):
            raise reply
        return reply

    async def _carry_out(
        self, developer: str, token: Token, late: float, reply: trio.MemorySendChannel[Token | ClientError]
    ) -> None:
        self._under_way[developer] += 1
        self.meetings += self._under_way[developer] > 1
        await trio.sleep(late)
        self._under_way[developer] -= 1
        if token.value.reveal() != self.living[developer]:
            reply.send_nowait(Unauthorized(_METHOD, "user token invalid", code=2400))
            return
        self.accepted[developer] += 1
        reply.send_nowait(Token.parse(self.issue(developer)))

    async def probe(self, signer: Signer, token: Token | None) -> bool:
        assert isinstance(signer, DeveloperSigner)
        await trio.lowlevel.checkpoint()
        self._tell("probe", signer.developer)
        self._require_up()
        return token is not None and token.value.reveal() == self.living[signer.developer]

    async def authorize(self, wanted: Authorization, show: Callable[[Prompt], None]) -> Token:
        raise Rejected("authorize", "nobody is there")

    async def revoke(self, signer: Signer, token: Token) -> None:
        raise Rejected("revoke", "nothing to revoke")

    def _require_up(self) -> None:
        if self.is_down:
            raise NotProcessed(_METHOD, "the gateway is down")

    def right_time(self) -> Any:
        """Return the gateway's time."""
        return self.context.clock.right  # type: ignore[attr-defined]
