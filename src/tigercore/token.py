"""Tokens as values, and what may be told of them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple, Self, final
from uuid import UUID

import attrs

from tigercore.secret import Secret
from tigercore.vocabulary import RefreshTrigger, TokenRefreshStatus, TokenState

_STAMPS = re.compile(rb"(\d{13}),(\d{13})")


@final
@attrs.frozen
class Token:
    """A token and what is known of its life."""

    value: Secret
    issued_at: datetime | None = None
    expires_at: datetime | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a TBHK token, whose first 27 bytes name its birth and its end in ms (protocol 4A.2).

        :raises ValueError: the text is not such a token.
        """
        try:
            stamps = _STAMPS.match(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            stamps = None
        if stamps is None:
            raise ValueError("not a TBHK token: base64 of '<born ms>,<ends ms>' and 16 bytes is expected")
        born, ends = (datetime.fromtimestamp(int(ms) / 1000, UTC) for ms in stamps.groups())
        return cls(Secret(text), born, ends)


@final
@attrs.frozen
class TokenStatus:
    """What may be known of an account's token without seeing it."""

    account_id: UUID
    state: TokenState
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    next_refresh_at: datetime | None = None
    failures: int = 0


@final
class RefreshResult(NamedTuple):
    """The requirement's pair: whether the token is good now, and if not, why."""

    success: bool
    error: str | None = None


@final
class TokenValidation(NamedTuple):
    """Whether the gateway takes the token now, and if not, why."""

    valid: bool
    error: str | None = None


@final
@attrs.frozen
class RefreshStatistics:
    """How refreshes went in a span of time. `success_rate` is 0 to 1, None if none has ended.

    `p50` and `p99` are the seconds that refreshes which succeeded took; `causes` counts the most frequent failures.
    """

    attempts: int
    by_status: Mapping[TokenRefreshStatus, int]
    by_trigger: Mapping[RefreshTrigger, int]
    success_rate: float | None
    p50: float | None = None
    p99: float | None = None
    causes: Mapping[str, int] = attrs.field(factory=dict)


@final
@attrs.frozen
class SchedulerStatus:
    """How the refresh scheduler does: `overdue` is by how many seconds its first work is late.

    `waiting` counts tokens that will fall due, `restarts` how often it was stuck; in an `outage` one refresh after the
    other is tried, since the gateway answers nothing.
    """

    running: bool
    overdue: float = 0.0
    waiting: int = 0
    restarts: int = 0
    outage: bool = False
