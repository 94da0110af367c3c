"""The rules of a token's life, pure: when it is due, and what its row becomes after each event."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import attrs

from tigercore.model import Token, TokenState
from tigercore.ports import TokenRow

_SKEW = timedelta(seconds=60)  # by which clocks may differ before it is an operator's affair (reliability 3.3)
_BACK_OFF, _BACK_OFF_MOST = timedelta(seconds=30), timedelta(hours=1)


def is_due(row: TokenRow, at: datetime) -> bool:
    """Say whether a token should be refreshed at this moment."""
    return row.state is TokenState.VALID and row.next_at is not None and row.next_at <= at


def has_expired(row: TokenRow, at: datetime) -> bool:
    """Say whether the gateway takes the token no more; it cannot be refreshed then (protocol 4A.3)."""
    return row.expires_at is not None and row.expires_at <= at


def is_leased(row: TokenRow, at: datetime) -> bool:
    """Say whether a refresh may be under way; the store's clock wrote the end of the lease, so ours gets some slack."""
    if row.state is not TokenState.REFRESHING or row.lease_until is None:
        return False
    return row.lease_until + _SKEW > at


def is_in_doubt(row: TokenRow, at: datetime) -> bool:
    """Say whether somebody should ask the gateway whether this token lives."""
    return row.state is TokenState.UNCERTAIN or (row.state is TokenState.REFRESHING and not is_leased(row, at))


def next_at(family: Iterable[TokenRow]) -> datetime | None:
    """Return when the developer's token is to be refreshed, or looked into."""
    return max((row.next_at for row in family if row.next_at is not None), default=None)


def is_too_early(family: Iterable[TokenRow], at: datetime) -> bool:
    """Say whether a lost refresh may still be carried out: until that is over, asking would prove nothing."""
    look_at = next_at(row for row in family if row.state is TokenState.UNCERTAIN)
    return look_at is not None and look_at > at


def look_at(row: TokenRow) -> datetime | None:
    """Return when something is to be done about a row, None if only a person can do it."""
    match row.state:
        case TokenState.REFRESHING:
            return row.lease_until and row.lease_until + _SKEW
        case TokenState.VALID | TokenState.UNCERTAIN:
            return row.next_at
        case _:
            return None


def newest(rows: Iterable[TokenRow]) -> TokenRow | None:
    """Return the row whose token was issued last: that is the one that lives, if any does."""
    return max((row for row in rows if row.sealed is not None), key=_issued, default=None)


def is_newer(token: Token | None, row: TokenRow) -> bool:
    """Say whether a token was issued after the one in a row."""
    issued = token and token.issued_at
    return issued is not None and (row.issued_at is None or issued > row.issued_at)


def leader(family: Iterable[TokenRow]) -> UUID | None:
    """Return the one account of a developer whose row falls due: so no two processes can claim siblings."""
    return min((row.id for row in family), default=None)


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


def renewed(row: TokenRow, token: Token, due: datetime | None, now: datetime) -> TokenRow:
    """Return the row, into which a new token was sealed, as a living one."""
    return attrs.evolve(
        row,
        state=TokenState.VALID,
        issued_at=token.issued_at or now,
        expires_at=token.expires_at,
        next_at=due,
        owner=None,
        lease_until=None,
        failures=0,
    )


def put_off(row: TokenRow, state: TokenState, until: datetime | None) -> TokenRow:
    """Return the row after a try that brought no token; `until` is when to look again, None for who does not lead."""
    return attrs.evolve(row, state=state, next_at=until, owner=None, lease_until=None, failures=row.failures + 1)


def back_off(row: TokenRow, now: datetime, at_least: float = 0.0) -> datetime:
    """Return when to try again: after each failure in a row twice as long; `at_least` is in seconds."""
    wait = min(_BACK_OFF * float(2 ** min(row.failures, 10)), _BACK_OFF_MOST)
    return now + max(wait, timedelta(seconds=at_least))


def settled(row: TokenRow, state: TokenState, look_at: datetime | None) -> TokenRow:
    """Return the row after it became known where its token stands."""
    return attrs.evolve(row, state=state, next_at=look_at, owner=None, lease_until=None)


def _issued(row: TokenRow) -> float:
    return row.issued_at.timestamp() if row.issued_at else 0.0
