"""What goes out: one signed JSON object, with the parameters as JSON text inside it (protocol 1.3, 1.5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, final

import attrs

from tigercore.model import Grant, Token
from tigercore.operations import account_key
from tigercore.ports import GatewayRequest
from tigercore_client_httpx.bearer import BearerSigner
from tigercore_client_httpx.signing import RsaSigner

__all__ = ["Envelope", "seal"]

_SHANGHAI = timezone(timedelta(hours=8))  # the only zone that a vendor's SDK names (protocol 1.7)
_DEFAULT_VERSION = "2.0"
_BARE = frozenset(
    {"user_license", "user_token_refresh", "grab_quote_permission", "get_quote_permission", "addon_entitlements"}
)


@final
@attrs.frozen(repr=False)
class Envelope:
    """A request ready to be sent. `timestamp` is what the gateway signs in return; `secrets` must never be shown.

    What `is_signed` shows who asks by its signature, everything else by the access token of a grant.
    """

    body: bytes
    timestamp: str
    secrets: tuple[str, ...]
    is_signed: bool = True


def seal(
    request: GatewayRequest, signer: RsaSigner | BearerSigner, token: Token | None, now: datetime, device_id: str
) -> Envelope:
    """Build the body of a request, and sign it if there is a key: without `sign` it is the bearer's (protocol 4B.1).

    :raises ValueError: a number among the parameters is not finite, or has more digits than JSON numbers keep.
    :raises TypeError: a parameter has no form in JSON.
    """
    operation = request.operation
    fields = {"method": operation.method, "version": operation.version}
    if operation.method not in _BARE or request.params:
        fields["biz_content"] = _biz_content(request, signer)
    fields["timestamp"] = now.astimezone(_SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(signer, BearerSigner):
        fields |= {"charset": "UTF-8", "device_id": device_id}
        return Envelope(json.dumps(fields).encode(), fields["timestamp"], _borne(signer, token), is_signed=False)
    fields |= {"tiger_id": signer.tiger_id.reveal(), "charset": "UTF-8", "sign_type": "RSA", "device_id": device_id}
    fields["sign"] = signer.sign(sign_content(fields))
    held = (signer.tiger_id, signer.secret_key, token.value if token else None)
    secrets = (fields["sign"], *(secret.reveal() for secret in held if secret))
    return Envelope(json.dumps(fields).encode(), fields["timestamp"], secrets)


def _borne(signer: BearerSigner, token: Token | None) -> tuple[str, ...]:
    grant = Grant.of(token) if token else None
    tokens = (grant.access_token, grant.refresh_token) if grant else ()
    return tuple(secret.reveal() for secret in (signer.client_id, *tokens))


def sign_content(fields: Mapping[str, str]) -> bytes:
    """Return what is signed: `k=v` of all fields, sorted by name, joined by `&` (protocol 2.1)."""
    return "&".join(f"{name}={fields[name]}" for name in sorted(fields)).encode()


def _biz_content(request: GatewayRequest, signer: RsaSigner | BearerSigner) -> str:
    operation = request.operation
    params = {"lang": "en_US", **request.params}
    if operation.version != _DEFAULT_VERSION:
        params["version"] = operation.version
    if operation.binds_account:
        if request.account is not None:
            params[account_key(operation)] = request.account
        held = signer.secret_key if isinstance(signer, RsaSigner) else None
        params["secret_key"] = held.reveal() if held else None
    return json.dumps(_wire(params), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _wire(value: Any) -> Any:
    """Return the value with None left out of every mapping and with `Decimal` as the number it is."""
    if isinstance(value, Mapping):
        return {name: _wire(held) for name, held in value.items() if held is not None}
    if isinstance(value, (list, tuple)):
        return [_wire(held) for held in value]
    return _number(value) if isinstance(value, Decimal) else value


def _number(value: Decimal) -> int | float:
    if value.is_finite():
        number = int(value) if value == value.to_integral_value() and value.adjusted() < 20 else float(value)
        if Decimal(repr(number)) == value:  # repr is what JSON will hold
            return number
    raise ValueError("a Decimal among the parameters is not finite, or has more than 17 digits: round it first")
