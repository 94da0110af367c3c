"""What becomes of a call in the scripted client: data, or the error that a move is."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import trio

from tigercore.errors import ClientError, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from tigercore.model import Operation, OperationClass, Secret
from tigercore.ports import GatewayRequest
from tigercore.testing._gateway import Answer, Denial, Fault, Move

__all__ = ["outcome"]

_TIMEOUT = 15.0
# These facts of the protocol stand in the drivers too, on purpose: what a fake shared with them, none would prove.
_REFUSALS = frozenset({4, 1000, 1010, 1100, 1200, 1300, 4000})
_THROTTLES = ("rate limit error", "too_many_requests", "requestrateexceedlimit")
_WITH_NESTED_CODE = frozenset({"place_order", "modify_order", "cancel_order", "order_no"})
_REFUSED = frozenset({"invalid_grant", "invalid_client", "unauthorized_client"})


async def outcome(request: GatewayRequest, move: Move, secrets: list[Secret]) -> Any:
    """Return the data of a move, or raise the error that it is. Errors as `TigerClient.call`."""
    method = request.operation.method
    if isinstance(move, Denial):
        kind = Unauthorized if move.error in _REFUSED else Rejected
        raise kind(method, _clean(f"{move.error}: {move.description}", secrets))
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
