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

from tigercore.ports import Endpoint

__all__ = ["Answer", "Arrival", "Fault", "GatewayScript", "Move", "Raw", "token_text"]


@final
@attrs.frozen
class Answer:
    """Reply with an envelope: `{"code", "message", "data"}` and perhaps `sign`, under an HTTP status (protocol 3.1)."""

    data: Any = None
    code: int = 0
    message: str = "success"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    sign: str | None = None


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


Move: TypeAlias = Answer | Raw | Fault
_NULL = Answer()


@final
@attrs.frozen
class Arrival:
    """A request that the gateway has read whole. `params` is what `biz_content` held, with floats as `Decimal`."""

    method: str
    params: Mapping[str, Any]
    tiger_id: str
    token: str | None


class GatewayScript(ABC):
    """A gateway that does what it was told, in order, and answers null when it was told nothing."""

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
