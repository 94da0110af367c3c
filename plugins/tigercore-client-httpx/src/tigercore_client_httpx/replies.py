"""What comes back, read as hostile input: bounded, strict, and nothing but a `Reply` or a `ValueError` (threat 14)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn, final

import attrs

__all__ = ["LIMIT", "Reply", "decode", "load", "parse", "printable"]

LIMIT = 8 * 1024 * 1024
_DEPTH = 64
_CONTAINERS, _COMMAS = 200_000, 1_000_000  # at most, 0.3 s of CPython 3.11 and 65 MiB
_LONGEST_READ, _LONGEST_SHOWN = 4096, 200
_BLOB = re.compile(r"[A-Za-z0-9+/=]{32,}")


@final
@attrs.frozen(repr=False)
class Reply:
    """An envelope whose `data` is not looked into yet (protocol 3.1). It never shows what it holds."""

    code: int | None
    message: str
    data: Any
    sign: str | None
    stamp: Any = None


def parse(body: bytes | bytearray) -> Reply:
    """Read an envelope. Floats become `Decimal`.

    :raises ValueError: the body is no envelope, or no JSON that should be taken.
    """
    fields = load(body.decode())
    if not isinstance(fields, dict):
        raise ValueError("the reply is not a JSON object")
    code, message, sign = fields.get("code"), fields.get("message"), fields.get("sign")
    if type(code) is not int:
        raise ValueError("the reply has no code")
    return Reply(
        code,
        message if isinstance(message, str) else "",
        fields.get("data"),
        sign if isinstance(sign, str) else None,
        fields.get("timestamp"),
    )


def decode(data: Any) -> Any:
    """Return an answer's data; text is JSON once more (protocol 3.1).

    :raises ValueError: it is text that is not.
    """
    return load(data) if isinstance(data, str) else data


def printable(message: str, secrets: Iterable[str]) -> str:
    """Return the gateway's words as one short line, with secrets and all that looks like a key or a token masked."""
    if len(message) > _LONGEST_READ:
        return f"a message of {len(message)} characters, which is not shown"
    text = "".join(letter for letter in " ".join(message.split()) if letter.isprintable())
    for secret in secrets:
        text = text.replace(secret, "***")
    text = _BLOB.sub("***", text)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def load(text: str) -> Any:
    """Return the JSON value of a text, within bounds.

    :raises ValueError: it is none that should be taken.
    """
    containers = text.count("[") + text.count("{")
    if containers > _CONTAINERS or text.count(",") > _COMMAS:
        raise ValueError("the reply holds too many values")
    try:
        value = json.loads(text, parse_float=_number, parse_constant=_refuse, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("the reply is nested too deep") from None
    if containers > _DEPTH and isinstance(value, (dict, list)):
        _measure(value)
    return value


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("the reply holds a number that cannot be read") from None
    if not -400 < number.adjusted() < 400:
        raise ValueError("the reply holds a number out of every range")
    return number


def _refuse(constant: str) -> NoReturn:
    raise ValueError("the reply holds NaN or an infinity")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("the reply names a key twice")
    return fields


def _measure(value: dict[str, Any] | list[Any]) -> None:
    layer: list[Any] = [value]
    for _ in range(_DEPTH):
        held = [inner for outer in layer for inner in (outer.values() if isinstance(outer, dict) else outer)]
        layer = [inner for inner in held if isinstance(inner, (dict, list))]
        if not layer:
            return
    raise ValueError("the reply is nested too deep")
