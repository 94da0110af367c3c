"""What a reply says: its data, or the evidence of which error it is."""

from __future__ import annotations

import attrs

from tigercore.model import Operation
from tigercore_client_httpx.classify import Evidence
from tigercore_client_httpx.envelope import Envelope
from tigercore_client_httpx.lane import HttpReply
from tigercore_client_httpx.replies import Reply, decode, parse, printable

__all__ = ["evidence", "reading"]

_WINDOW = 60.0  # budgets are counted over a rolling minute, and no Retry-After is documented (protocol 8.1, 8.4)
_NESTED = frozenset({"place_order", "modify_order", "cancel_order", "order_no"})


def reading(reply: HttpReply) -> Reply | str:
    """Return what was read, or what is wrong with it; under another status than 200 anything may be read."""
    try:
        read = parse(reply.body)
        return attrs.evolve(read, data=decode(read.data)) if reply.status == 200 and read.code == 0 else read
    except ValueError as error:
        return str(error) if reply.status == 200 else Reply(None, "", None, None)


def evidence(operation: Operation, envelope: Envelope, reply: HttpReply, read: Reply) -> Evidence | None:
    """Return what the reply to this envelope says against it, None if it is an answer."""
    code, message = _verdict(operation, read)
    if reply.status == 200 and code == 0:
        return None
    shown = printable(message, envelope.secrets) or f"HTTP {reply.status}"
    return Evidence(reply.status, code, message, shown, _rest(reply), envelope.is_signed)


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
