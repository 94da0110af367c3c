"""The consent of a person: who they are, and what they answer a client that asks."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from attrs import field, fields, frozen
from attrs.validators import instance_of

from tigercore_simulator.scopes import ALL


def _are_scopes(_consent: object, _field: object, value: Any) -> None:
    if value is not None and not (isinstance(value, Collection) and ALL.issuperset(value)):
        raise ValueError(f"'scopes' are some of {', '.join(sorted(ALL))}, or null")


class Answer(StrEnum):
    """Name what a person answers; ``ASK`` shows a page with buttons."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"


@frozen
class Consent:
    """Say who sits at the browser and what they answer.

    Without a ``tiger_id`` it is the first developer. ``scopes`` are the most that is allowed; ``None`` is all that
    is asked for.
    """

    tiger_id: str = field(default="", validator=instance_of(str))
    answer: Answer = field(default=Answer.ALLOW, converter=Answer)
    scopes: Collection[str] | None = field(default=None, validator=_are_scopes)

    def narrow(self, scopes: frozenset[str]) -> frozenset[str]:
        """Return what is allowed of what is asked for."""
        return scopes if self.scopes is None else scopes & frozenset(self.scopes)


def consent_from_json(value: object) -> Consent:
    """Read a consent from a JSON object, or raise ValueError with a sentence that says what is wrong."""
    if not isinstance(value, Mapping):
        raise ValueError("a consent is a JSON object")
    unknown = set(value) - {each.name for each in fields(Consent)}
    if unknown:
        raise ValueError(f"a consent has no field {', '.join(sorted(map(str, unknown)))}")
    try:
        return Consent(**value)
    except (TypeError, ValueError) as wrong:
        raise ValueError(str(wrong.args[0]) if wrong.args else "not a consent") from wrong
