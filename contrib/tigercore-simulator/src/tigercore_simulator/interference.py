"""What becomes of a request that meets a fault."""

import json
from collections.abc import Callable, Mapping
from enum import Enum, auto

from attrs import evolve, field, frozen

from tigercore_simulator.envelope import Reply, error, success
from tigercore_simulator.faults import REFUSING, Fault, Kind
from tigercore_simulator.limits import DOCUMENTED
from tigercore_simulator.refreshes import Refreshes
from tigercore_simulator.refusals import Refusal, limited

Execute = Callable[[], Reply]
Clock = Callable[[], float]
_NOT_JSON = b"<html><body>Bad Gateway</body></html>"


class Ending(Enum):
    """Name how an exchange ends."""

    SEND = auto()
    CUT = auto()
    RESET = auto()
    HANG = auto()
    LATE = auto()


@frozen
class Outcome:
    """Say what the server is to do: after how long, what to send, and how to end.

    A hanging exchange goes on with ``resume`` once it is released, and a late one after its delay, with or without its
    client. ``finish`` is called when the exchange is over, before the last of it is sent.
    """

    reply: Reply | None
    ending: Ending = Ending.SEND
    delay: float = 0.0
    keep: int = 0
    text: bytes | None = None
    copies: int = 1
    resume: Execute | None = None
    headers: Mapping[str, str] = field(factory=dict)
    finish: Callable[[], None] = lambda: None

    def body(self) -> bytes:
        """Return the bytes to send."""
        if self.text is not None:
            return self.text
        return self.reply.encode() if self.reply else b""

    @property
    def status(self) -> int:
        """Return the HTTP status to send."""
        return self.reply.status if self.reply else 200


def interfere(fault: Fault, method: str, execute: Execute, clock: Clock) -> Outcome:
    """Say what becomes of a request that meets a fault."""
    if fault.kind in REFUSING and fault.after:
        execute()
    outcome = _RULES[fault.kind](_Scene(fault, method, execute, clock))
    return evolve(outcome, delay=fault.delay_ms / 1000)


def counted(outcome: Outcome, refreshes: Refreshes) -> Outcome:
    """Count a refresh as under way until its exchange is over."""
    refreshes.arrive()
    return evolve(outcome, finish=refreshes.leave)


@frozen
class _Scene:
    fault: Fault
    method: str
    execute: Execute
    clock: Clock

    def refused(self, refusal: Refusal) -> Outcome:
        return Outcome(error(refusal, self.clock()))

    def limited(self, code: int, status: int) -> Outcome:
        return self.refused(limited(self.method, DOCUMENTED.of(self.method), code=code, status=status))


def _http_5xx(scene: _Scene) -> Outcome:
    return scene.refused(Refusal(1, "server error", scene.fault.status))


def _code_2(scene: _Scene) -> Outcome:
    return scene.refused(Refusal(2, "network error(the interface could not be reached)"))


def _http_401(scene: _Scene) -> Outcome:
    return scene.refused(Refusal(1000, "common param error(unauthorized)", 401))


def _nested_code(scene: _Scene) -> Outcome:
    code, message = str(scene.fault.code), "bad_request:Orders cannot be placed at this moment"
    return Outcome(success({"code": code, "message": message}, scene.clock()))


def _string_data(scene: _Scene) -> Outcome:
    reply = scene.execute()
    if "data" not in reply.content:
        return Outcome(reply)
    text = json.dumps(reply.content["data"], default=float)
    return Outcome(evolve(reply, content={**reply.content, "data": text}))


def _hang(scene: _Scene) -> Outcome:
    return Outcome(None, Ending.HANG, resume=scene.execute)


def _delay_before(scene: _Scene) -> Outcome:
    return Outcome(None, Ending.LATE, resume=scene.execute)


def _hang_after(scene: _Scene) -> Outcome:
    reply = scene.execute()
    return Outcome(None, Ending.HANG, resume=lambda: reply)


def _reset_after(scene: _Scene) -> Outcome:
    return Outcome(scene.execute(), Ending.RESET)


def _cut(scene: _Scene) -> Outcome:
    return Outcome(scene.execute(), Ending.CUT, keep=scene.fault.keep_bytes)


def _double_reply(scene: _Scene) -> Outcome:
    return Outcome(scene.execute(), copies=2)


def _as_usual(scene: _Scene) -> Outcome:
    return Outcome(scene.execute())


_RULES: dict[Kind, Callable[[_Scene], Outcome]] = {
    Kind.HTTP_429: lambda scene: scene.limited(5, 429),
    Kind.CODE_5: lambda scene: scene.limited(5, 200),
    Kind.CODE_4: lambda scene: scene.limited(4, 200),
    Kind.CODE_1: lambda scene: scene.refused(Refusal(1, "server error")),
    Kind.CODE_2: _code_2,
    Kind.HTTP_401: _http_401,
    Kind.HTTP_5XX: _http_5xx,
    Kind.HANG: _hang,
    Kind.HANG_AFTER: _hang_after,
    Kind.DELAY: _as_usual,
    Kind.DELAY_BEFORE: _delay_before,
    Kind.RESET_BEFORE: lambda scene: Outcome(None, Ending.RESET),
    Kind.RESET_AFTER: _reset_after,
    Kind.CUT: _cut,
    Kind.NOT_JSON: lambda scene: Outcome(None, text=_NOT_JSON),
    Kind.STRING_DATA: _string_data,
    Kind.DOUBLE_REPLY: _double_reply,
    Kind.NESTED_CODE: _nested_code,
    Kind.ROTATE_TOKEN: _as_usual,
}
