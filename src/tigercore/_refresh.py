"""The rules of a token's life, pure: when it is due, and what its row becomes after each event."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import attrs

from tigercore.model import Token, TokenState
from tigercore.ports import TokenRow

_BACK_OFF, _BACK_OFF_MOST = timedelta(seconds=30), timedelta(hours=1)


def is_due(row: TokenRow, at: datetime) -> bool:
    """Say whether a token should be refreshed at this moment."""
    return row.state is TokenState.VALID and row.next_at is not None and row.next_at <= at


def has_expired(row: TokenRow, at: datetime) -> bool:
    """Say whether the gateway takes the token no more; it cannot be refreshed then (protocol 4A.3)."""
    return row.expires_at is not None and row.expires_at <= at


def newest(rows: Iterable[TokenRow]) -> TokenRow | None:
    """Return the row whose token was issued last: that is the one that lives, if any does."""
    return max((row for row in rows if row.sealed is not None), key=_issued, default=None)


def _issued(row: TokenRow) -> float:
    return row.issued_at.timestamp() if row.issued_at else 0.0


def due_at(account_id: UUID, token: Token, now: datetime, share: float) -> datetime | None:
    """Return when this share of the token's life is over, a little earlier or later by account; None: it has no end."""
    if token.expires_at is None:
        return None
    born = token.issued_at or now
    spread = (zlib.crc32(account_id.bytes) / 0xFFFFFFFF - 0.5) * 0.2
    return born + (token.expires_at - born) * (share * (1 + spread))


def leased(row: TokenRow, owner: str, until: datetime) -> TokenRow:
    """Return the row while `owner` refreshes its token."""
    return attrs.evolve(row, state=TokenState.REFRESHING, owner=owner, lease_until=until)


def renewed(row: TokenRow, token: Token, sealed: bytes, now: datetime, share: float) -> TokenRow:
    """Return the row with a new token in it, sealed once more than before."""
    return attrs.evolve(
        row,
        state=TokenState.VALID,
        sealed=sealed,
        sealing=row.sealing + 1,
        issued_at=token.issued_at or now,
        expires_at=token.expires_at,
        next_at=due_at(row.id, token, now, share),
        owner=None,
        lease_until=None,
        failures=0,
    )


def put_off(row: TokenRow, state: TokenState, now: datetime, at_least: float = 0.0) -> TokenRow:
    """Return the row after a refresh that brought no token; the next try waits twice as long as the last did.

    `at_least` is in seconds.
    """
    wait = max(min(_BACK_OFF * 2 ** min(row.failures, 10), _BACK_OFF_MOST), timedelta(seconds=at_least))
    return attrs.evolve(row, state=state, next_at=now + wait, owner=None, lease_until=None, failures=row.failures + 1)


def settled(row: TokenRow, state: TokenState) -> TokenRow:
    """Return the row after it became known where its token stands."""
    return attrs.evolve(row, state=state, owner=None, lease_until=None)
