"""The faults that can be switched on, as values, and the book that says which request meets which."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from random import Random
from typing import Any

from attrs import asdict, evolve, field, fields, frozen
from attrs.validators import ge, instance_of, le, optional

_words = optional(instance_of(str))


def _is_after(fault: Any, _field: object, value: object) -> None:
    if not isinstance(value, bool):
        raise ValueError("'after' is true or false")
    if value and fault.kind not in REFUSING:
        raise ValueError(f"'after' does not go with {fault.kind}: it is for {', '.join(sorted(REFUSING))}")


def _is_count(_fault: object, _field: object, value: object) -> None:
    if value is not None and (not isinstance(value, int) or value < 1):
        raise ValueError("'count' is a whole number from 1 on, or null")


class Kind(StrEnum):
    """Name what goes wrong.

    The first group answers in place of the gateway, and executes nothing unless told to do so first. Of the second,
    which is the network's, the names in the third group leave the request executed.
    """

    HTTP_429 = "http_429"
    CODE_5 = "code_5"
    CODE_4 = "code_4"
    CODE_1 = "code_1"
    CODE_2 = "code_2"
    HTTP_401 = "http_401"
    HTTP_5XX = "http_5xx"
    NOT_JSON = "not_json"
    NESTED_CODE = "nested_code"

    HANG = "hang"
    RESET_BEFORE = "reset_before"
    ROTATE_TOKEN = "rotate_token"  # noqa: S105

    DELAY = "delay"
    DELAY_BEFORE = "delay_before"
    HANG_AFTER = "hang_after"
    RESET_AFTER = "reset_after"
    CUT = "cut"
    STRING_DATA = "string_data"
    DOUBLE_REPLY = "double_reply"


REFUSING = frozenset(
    {
        *(Kind.HTTP_429, Kind.CODE_5, Kind.CODE_4, Kind.CODE_1, Kind.CODE_2),
        *(Kind.HTTP_401, Kind.HTTP_5XX, Kind.NOT_JSON, Kind.NESTED_CODE),
    }
)
"""The kinds that answer in place of the gateway; a request that is not admitted hears of that, and meets none."""


@frozen
class Fault:
    """Say what goes wrong, for which requests, and how many times.

    A selector that is ``None`` matches every request; a count that is ``None`` lasts for ever. With ``after`` a request
    is executed first, and then answered as if it had not been.
    """

    kind: Kind = field(converter=Kind)
    tiger_id: str | None = field(default=None, validator=_words)
    account: str | None = field(default=None, validator=_words)
    method: str | None = field(default=None, validator=_words)
    count: int | None = field(default=1, validator=_is_count)
    after: bool = field(default=False, validator=_is_after)
    probability: float = field(default=1.0, converter=float, validator=[ge(0), le(1)])
    status: int = field(default=503, validator=[instance_of(int), ge(500), le(599)])
    delay_ms: int = field(default=0, validator=[instance_of(int), ge(0)])
    keep_bytes: int = field(default=0, validator=[instance_of(int), ge(0)])
    code: int = field(default=1200, validator=instance_of(int))

    def selects(self, tiger_id: str, account: str | None, method: str) -> bool:
        """Tell whether a request is one of those the fault is for."""
        pairs = ((self.tiger_id, tiger_id), (self.account, account), (self.method, method))
        return all(want is None or want == have for want, have in pairs)


class Faults:
    """Keep the faults that are switched on, in the order they were added; the first that matches is met."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._faults: list[Fault] = []
        self._waiting: list[Callable[[], None]] = []

    @property
    def active(self) -> tuple[Fault, ...]:
        """Return the faults still to be met, with the counts that are left."""
        return tuple(self._faults)

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Switch all faults off, and let the requests that hang go on."""
        self._faults.clear()
        self.release()

    def release(self) -> None:
        """Let the requests that hang go on."""
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()

    def hold(self, wake: Callable[[], None]) -> None:
        """Call back when the requests that hang may go on."""
        self._waiting.append(wake)

    def take(self, tiger_id: str, account: str | None, method: str) -> Fault | None:
        """Return the fault a request meets, and spend one of its count."""
        for index, fault in enumerate(self._faults):
            if fault.selects(tiger_id, account, method) and self._happens(fault):
                self._spend(index, fault)
                return fault
        return None

    def _happens(self, fault: Fault) -> bool:
        return fault.probability >= 1 or self._random.random() < fault.probability

    def _spend(self, index: int, fault: Fault) -> None:
        if fault.count is None:
            return
        if fault.count == 1:
            del self._faults[index]
        else:
            self._faults[index] = evolve(fault, count=fault.count - 1)


def fault_from_json(value: object) -> Fault:
    """Read a fault from a JSON object, or raise ValueError with a sentence that says what is wrong."""
    if not isinstance(value, Mapping):
        raise ValueError("a fault is a JSON object with a 'kind'")
    unknown = set(value) - {each.name for each in fields(Fault)}
    if unknown:
        raise ValueError(f"a fault has no field {', '.join(sorted(map(str, unknown)))}")
    return _build(dict(value))


def fault_to_json(fault: Fault) -> dict[str, Any]:
    """Return a fault as a JSON object."""
    return asdict(fault)


def _build(value: dict[str, Any]) -> Fault:
    try:
        return Fault(**value)
    except (TypeError, ValueError) as wrong:
        raise ValueError(str(wrong.args[0]) if wrong.args else "not a fault") from wrong
