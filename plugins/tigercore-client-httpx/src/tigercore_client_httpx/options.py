"""What can be set of the driver."""

from __future__ import annotations

from typing import final

import attrs
from attrs.validators import ge, gt, matches_re

from tigercore_client_httpx.signing import load_public_key

__all__ = ["HttpxOptions"]


def _is_public_key(options: HttpxOptions, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None:
        load_public_key(value)


@final
@attrs.frozen
class HttpxOptions:
    """The table `[client.options]` of the settings.

    `timeout` is in seconds and covers a whole call. `max_connections` is for reads, and once more for all else.
    `user_agent` is printable ASCII. `gateway_public_key`, in base64 or PEM, makes the client check the replies'
    signatures (protocol 2.4): an answer that is not signed, or not by that key, is an unknown outcome.
    `allowed_hosts` adds hosts to the broker's own, as `host` or `host:port`: they are trusted with keys and tokens.
    `oauth2_issuer` is whom people consent to.
    """

    timeout: float = attrs.field(default=15.0, validator=gt(0))
    max_connections: int = attrs.field(default=32, validator=ge(1))
    user_agent: str = attrs.field(default="tigercore", validator=matches_re(r"[!-~]+( [!-~]+)*"))
    gateway_public_key: str | None = attrs.field(default=None, validator=_is_public_key)
    allowed_hosts: tuple[str, ...] = ()
    oauth2_issuer: str = "https://openapi-oauth2.tigerfintech.com"
