"""Which key is the root, and how AWS KMS is reached."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import final
from urllib.parse import urlsplit

import attrs

from tigercore.errors import SettingsError

_KEY_ID = re.compile(r"[A-Za-z0-9:/_-]{1,2048}")
_URL = re.compile(r"[!-~]{1,512}")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_BAD_KEY_ID = "`key_id` is no name of a KMS key: give its ARN, its id or alias/<name>"
_BAD_URL = "`endpoint_url` cannot be called: write https://host, without a user, a query or a fragment"
_PLAIN = "`endpoint_url` is not https, and keys pass over it: http is for this machine alone"
_BAD_TIMEOUT = "`timeout` is no time to wait: give seconds, more than 0"


@final
@attrs.frozen(kw_only=True)
class AwsKmsOptions:
    """The key's ARN, id or alias. What is None comes from where boto3 looks; so do credentials, always.

    `timeout` is in seconds, once for the connection and once for the answer: a request has twice as long in all.

    :raises SettingsError: a key cannot have this name, or KMS cannot be called like this.
    """

    key_id: str
    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    timeout: float = 5.0

    def __attrs_post_init__(self) -> None:
        faults = [fault for fault in self._faults() if fault is not None]
        if faults:
            raise SettingsError(faults)

    def _faults(self) -> Iterator[str | None]:
        yield None if _KEY_ID.fullmatch(self.key_id) else _BAD_KEY_ID
        yield None if self.endpoint_url is None else endpoint_fault(self.endpoint_url)
        yield None if math.isfinite(self.timeout) and self.timeout > 0 else _BAD_TIMEOUT


def endpoint_fault(url: str) -> str | None:
    """Return why keys may not be sent to a URL, or None."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return _BAD_URL
    if not _URL.fullmatch(url) or not host or set("@?#\\") & set(url) or parts.scheme not in ("http", "https"):
        return _BAD_URL
    return None if parts.scheme == "https" or host in _LOOPBACK else _PLAIN
