"""The other side of the wire, as a law sees it: what the gateway does next, and what reached it."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, TypeAlias, final

import attrs
import trio

from tigercore.ports import Endpoint, Prompt

__all__ = ["Answer", "Arrival", "Denial", "Fault", "GatewayScript", "Move", "Raw", "token_text"]


@final
@attrs.frozen
class Answer:
    """Reply with an envelope: `{"code", "message", "data"}` and perhaps `sign`, under an HTTP status (protocol 3.1).

    `stamp` is the reply's time in ms, or what is to stand there instead; None is the gateway's own time.
    An issuer replies with `data` alone; if that is None, with a grant.
    """

    data: Any = None
    code: int = 0
    message: str = "success"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    sign: str | None = None
    stamp: Any = None


@final
@attrs.frozen
class Denial:
    """Deny a form, as an issuer does: HTTP 400 with this error (protocol 4B.6). A person who denies brings it too."""

    error: str
    description: str = ""


@final
@attrs.frozen
class Raw:
    """Reply with HTTP 200 and these bytes, which are not an envelope."""

    body: bytes


@final
class Fault(Enum):
    """Fail as the network does. All but the first leave the request read, and perhaps carried out.

    TWICE sends the answer `{"id": 1}` two times in one segment, and goes on with the connection.
    """

    CLOSE_BEFORE_READING = auto()
    CLOSE_AFTER_READING = auto()
    HANG = auto()
    CUT = auto()
    HUGE = auto()
    TWICE = auto()


Move: TypeAlias = Answer | Raw | Denial | Fault
_NULL = Answer()


@final
@attrs.frozen
class Arrival:
    """A request that the gateway has read whole. `params` is what `biz_content` held, with floats as `Decimal`.

    A form that an issuer has read is one too: `token` is then the one that the form is about.
    """

    method: str
    params: Mapping[str, Any]
    tiger_id: str
    token: str | None


class GatewayScript(ABC):
    """A gateway that does what it was told, in order, and answers null when it was told nothing.

    Its issuer makes the same moves with the forms that ask for a grant or end one, and with the person at the browser.
    """

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self._moves: deque[Move] = deque()
        self._arrived = trio.Event()

    @property
    @abstractmethod
    def endpoint(self) -> Endpoint:
        """Return where this gateway listens."""

    @property
    @abstractmethod
    def dead_endpoint(self) -> Endpoint:
        """Return where connections are refused."""

    @property
    @abstractmethod
    def issuer(self) -> str:
        """Return the URL of the issuer of grants."""

    @abstractmethod
    async def consent(self, prompt: Prompt) -> None:
        """Do what the person does who is shown this: consent, unless the next move is another; HANG is to leave."""

    def then(self, *moves: Move) -> None:
        """Do this with the next requests, one move each."""
        self._moves.extend(moves)

    def upcoming(self) -> Move:
        """Return the next move without making it."""
        return self._moves[0] if self._moves else _NULL

    def take(self, otherwise: Move = _NULL) -> Move:
        """Return the next move and count it as made; `otherwise` if nothing is left of the script."""
        return self._moves.popleft() if self._moves else otherwise

    def record(self, arrival: Arrival) -> None:
        """Note a request that was read whole."""
        self.arrivals.append(arrival)
        self._arrived.set()
        self._arrived = trio.Event()

    async def arrived(self, count: int) -> None:
        """Wait until this many requests have arrived."""
        while len(self.arrivals) < count:
            await self._arrived.wait()


def token_text(born: datetime, life: timedelta = timedelta(days=30), *, tail: bytes = bytes(16)) -> str:
    """Return a TBHK token of this birth and life; `tail` is its 16 opaque bytes (protocol 4A.2)."""
    stamps = ",".join(str(round(moment.astimezone(UTC).timestamp() * 1000)) for moment in (born, born + life))
    return base64.b64encode(stamps.encode() + tail).decode()
