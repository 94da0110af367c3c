"""The envelope of a request as it came, and of a reply as it goes out."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from attrs import field, frozen

from tigercore_simulator.refusals import Refusal, business, common

_LONGEST = {"tiger_id": 10, "method": 128, "timestamp": 19, "version": 3}
_FIELDS = ("method", "timestamp", "charset", "version")
_OF_A_SIGNATURE = ("tiger_id", "sign_type")
_FORMAT = "%Y-%m-%d %H:%M:%S"


@frozen
class Envelope:
    """Hold one request: the signed fields and the parameters inside them."""

    fields: Mapping[str, Any] = field(repr=False)
    params: Mapping[str, Any] | None

    def text(self, name: str) -> str:
        """Return a field of the envelope as text, empty when it is missing."""
        value = self.fields.get(name)
        return "" if value is None else str(value)

    @property
    def method(self) -> str:
        """Name the method the request asks for."""
        return self.text("method")

    @property
    def tiger_id(self) -> str:
        """Name the developer the request says it comes from."""
        return self.text("tiger_id")

    @property
    def account(self) -> str | None:
        """Name the account the request works on, if it names one."""
        value = (self.params or {}).get("account")
        return None if value is None else str(value)

    @property
    def signature(self) -> bytes:
        """Return the signature in bytes, empty when it is not base64."""
        try:
            return base64.b64decode(self.text("sign"), validate=True)
        except (binascii.Error, ValueError):
            return b""

    def sign_content(self) -> bytes:
        """Rebuild the text the sender has signed."""
        pairs = (f"{name}={_plain(self.fields[name])}" for name in sorted(self.fields) if name != "sign")
        return "&".join(pairs).encode()


@frozen
class Reply:
    """Hold one answer: an HTTP status and the JSON object that goes with it."""

    content: Mapping[str, Any]
    status: int = 200

    def encode(self) -> bytes:
        """Return the bytes of the answer."""
        return json.dumps(self.content, default=float, separators=(",", ":")).encode()


def read(body: bytes) -> Envelope:
    """Read a request from the bytes of its body."""
    fields = _object(body)
    if not fields:
        raise common("request parameters cannot be empty")
    return Envelope(fields, _params(fields.get("biz_content")))


def check(envelope: Envelope, *, signed: bool = True) -> None:
    """Refuse an envelope whose fields are missing or malformed; one of OAuth 2.0 bears no signature."""
    for name in (*_FIELDS, *(_OF_A_SIGNATURE if signed else ())):
        _check_field(name, envelope.text(name))
    _check_timestamp(envelope.text("timestamp"))
    if not envelope.text("device_id"):
        raise common("get device information error")


def parameters(envelope: Envelope) -> Mapping[str, Any]:
    """Return the parameters of the method."""
    if envelope.params is None:
        raise business("failed to parse parameters in 'biz_content'")
    return envelope.params


def success(data: object, now: float) -> Reply:
    """Answer with the data of a method."""
    return Reply({"code": 0, "message": "success", "timestamp": int(now * 1000), "data": data})


def error(refusal: Refusal, now: float) -> Reply:
    """Answer with a refusal."""
    content = {"code": refusal.code, "message": refusal.message, "timestamp": int(now * 1000)}
    return Reply(content, refusal.status)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise common("request parameters are not a JSON object")
    return value


def _params(content: object) -> Mapping[str, Any] | None:
    if content is None or content == "":
        return {}
    try:
        value = json.loads(str(content), parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _check_field(name: str, text: str) -> None:
    if name == "tiger_id" and not text:
        raise common("tigerId null is illegal")
    if not text:
        raise common(f"field '{name}' cannot be empty")
    if len(text) > _LONGEST.get(name, len(text)):
        raise common(f"field '{name}' is too long")
    if {"charset": "UTF-8", "sign_type": "RSA"}.get(name, text) != text:
        raise common(f"field '{name}' is not supported")


def _check_timestamp(text: str) -> None:
    try:
        # strptime alone takes one-digit months, which the gateway does not.
        well_formed = datetime.strptime(text, _FORMAT).strftime(_FORMAT) == text
    except ValueError:
        well_formed = False
    if not well_formed:
        raise common("time parse error, support time format is 'yyyy-MM-dd HH:mm:ss'")
