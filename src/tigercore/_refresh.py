"""The rules of a token's life, pure: what is to be done about a developer's token, and what its rows become then.

`VALID -> REFRESHING (lease) -> VALID | UNCERTAIN -> (settle, probe) -> VALID | REFRESHING (once) | NEEDS_REAUTH`

An expired lease is permission to investigate, not to refresh; the token that was issued last wins (decision 13). Times
named `at` are the store's; `issued_at` and `expires_at` of tokens are the gateway's. A family is the rows of one
developer's accounts: they are written together, and one of them, the leader, carries when something is to be done.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import Enum, auto
from uuid import UUID

import attrs

from tigercore.model import Token, TokenState
from tigercore.ports import TokenRow

_BACK_OFF, _BACK_OFF_MOST = timedelta(seconds=30), timedelta(hours=1)
AHEAD = timedelta(seconds=300)  # before its end a short-lived token is refreshed at the latest (protocol 4B.7)
_LAST_PART, _LAST_HOURS = 0.1, timedelta(hours=6)


class Step(Enum):
    """What is to be done about a token.

    WAIT: others refresh it, or a request may still be carried out. DOUBT: a lease is over, and nobody knows what became
    of its request. PROBE: ask the gateway whether the token lives.
    """

    REFRESH = auto()
    WAIT = auto()
    DOUBT = auto()
    PROBE = auto()


def next_step(family: Iterable[TokenRow], at: datetime, claimed_by: str | None = None) -> Step:
    """Return what a process may do that wants a new token; rows `claimed_by` it are its own to refresh."""
    rows = [row for row in in_use(family) if not (claimed_by is not None and row.owner == claimed_by)]
    if any(is_leased(row, at) for row in rows):
        return Step.WAIT
    if any(row.state is TokenState.REFRESHING for row in rows):
        return Step.DOUBT
    if any(row.state is TokenState.UNCERTAIN for row in rows):
        return Step.WAIT if is_settling(rows, at) else Step.PROBE
    if any(row.state is TokenState.NEEDS_REAUTH for row in rows):
        return Step.PROBE
    return Step.REFRESH


def is_leased(row: TokenRow, at: datetime) -> bool:
    """Say whether a refresh may be under way."""
    return row.state is TokenState.REFRESHING and row.lease_until is not None and row.lease_until > at


def is_settling(family: Iterable[TokenRow], at: datetime) -> bool:
    """Say whether a lost request may still be carried out: until that is over, asking would prove nothing."""
    look = next_at(row for row in family if row.state is TokenState.UNCERTAIN)
    return look is not None and look > at


def is_in_doubt(row: TokenRow, at: datetime) -> bool:
    """Say whether somebody should ask the gateway whether this token lives."""
    return row.state is TokenState.UNCERTAIN or (row.state is TokenState.REFRESHING and not is_leased(row, at))


def is_due(row: TokenRow, at: datetime) -> bool:
    """Say whether a token should be refreshed at this moment."""
    return row.state is TokenState.VALID and row.next_at is not None and row.next_at <= at


def next_at(family: Iterable[TokenRow]) -> datetime | None:
    """Return when the developer's token is to be refreshed, or looked into."""
    return max((row.next_at for row in family if row.next_at is not None), default=None)


def look_at(row: TokenRow) -> datetime | None:
    """Return when something is to be done about a row, None if only a person can do it, or another row leads."""
    match row.state:
        case TokenState.REFRESHING:
            return row.lease_until
        case TokenState.VALID | TokenState.UNCERTAIN:
            return row.next_at
        case _:
            return None


def leader(family: Iterable[TokenRow]) -> UUID | None:
    """Return the one account of a developer whose row falls due: so no two processes can claim siblings."""
    return min((row.id for row in in_use(family)), default=None)


def in_use(family: Iterable[TokenRow]) -> list[TokenRow]:
    """Return the rows that nobody has disabled: a token of the others is neither sent nor refreshed."""
    return [row for row in family if row.state is not TokenState.DISABLED]


def has_failed(family: Iterable[TokenRow]) -> bool:
    """Say whether the last try to refresh a developer's token got none."""
    return any(row.failures for row in family)


# -- a token's age -------------------------------------------------------------------------------------------------


def has_expired(row: TokenRow, gateway: datetime) -> bool:
    """Say whether the gateway takes the token no more; a TBHK token cannot be refreshed then (protocol 4A.3)."""
    return row.expires_at is not None and row.expires_at <= gateway


def is_last_call(row: TokenRow, gateway: datetime) -> bool:
    """Say whether the last part of a token's life has begun, in which nothing that can wait may delay its refresh."""
    if row.expires_at is None:
        return False
    return row.expires_at - gateway <= last_part(row)


def last_part(row: TokenRow) -> timedelta:
    """Return how long before its end nothing may delay the refresh of a token."""
    life = row.expires_at - (row.issued_at or row.expires_at) if row.expires_at else timedelta(0)
    return min(life * _LAST_PART, _LAST_HOURS)


def newest(rows: Iterable[TokenRow]) -> TokenRow | None:
    """Return the row whose token was issued last: that is the one that lives, if any does."""
    return max((row for row in in_use(rows) if row.sealed is not None), key=_issued, default=None)


def is_newer(token: Token | None, row: TokenRow) -> bool:
    """Say whether a token was issued after the one in a row."""
    issued = token and token.issued_at
    return issued is not None and (row.issued_at is None or issued > row.issued_at)


def buried(family: Sequence[TokenRow]) -> list[TokenRow]:
    """Return the rows of a consent that a person has taken back: what a refresh still brings is not for them."""
    return [attrs.evolve(row, sealed=None) for row in dead(family)]


def is_buried(row: TokenRow) -> bool:
    """Say whether a row has held a token, and was emptied."""
    return row.sealed is None and row.issued_at is not None


def takes(row: TokenRow, token: Token) -> bool:
    """Say whether a row that holds another token is to hold this one, just received: it is in use, and not ahead."""
    if is_buried(row):
        return False
    ahead = row.issued_at is not None and token.issued_at is not None and row.issued_at > token.issued_at
    return row.state is not TokenState.DISABLED and not ahead


def due_at(account_id: UUID, token: Token, now: datetime, share: float) -> datetime | None:
    """Return when to refresh, by the gateway's clock: after this share of the token's life, spread by account.

    At the latest that is 300 s before its end, if it lives so long; None: it has no end.
    """
    if token.expires_at is None:
        return None
    born = token.issued_at or now
    spread = (zlib.crc32(account_id.bytes) / 0xFFFFFFFF - 0.5) * 0.2
    due = born + (token.expires_at - born) * (share * (1 + spread))
    latest = token.expires_at - AHEAD
    return min(due, latest) if latest > born else due


def back_off(failures: int, jitter: float, at_least: float = 0.0) -> timedelta:
    """Return how long to wait after so many failures in a row; `jitter` is 0 to 1 of the most, `at_least` in seconds.

    The most is 30 s, twice as long after each failure, up to an hour.
    """
    most = min(_BACK_OFF * float(2 ** min(failures, 10)), _BACK_OFF_MOST)
    return max(most * jitter, timedelta(seconds=max(at_least, 1.0)))


# -- what rows become ----------------------------------------------------------------------------------------------


def leased(family: Sequence[TokenRow], owner: str, until: datetime) -> list[TokenRow]:
    """Return the rows while `owner` refreshes their token."""
    return [attrs.evolve(row, state=TokenState.REFRESHING, owner=owner, lease_until=until) for row in in_use(family)]


def released(family: Sequence[TokenRow], state: TokenState, look: datetime | None) -> list[TokenRow]:
    """Return the rows of a token that nobody refreshes now; `look` is when something is to be done about it."""
    lead = leader(family)
    return [
        attrs.evolve(
            row,
            state=row.state if state is TokenState.VALID and row.state is TokenState.NEEDS_REAUTH else state,
            next_at=look if row.id == lead else None,
            owner=None,
            lease_until=None,
        )
        for row in in_use(family)
    ]


def failed(family: Sequence[TokenRow], state: TokenState, look: datetime | None) -> list[TokenRow]:
    """Return the rows after a try that brought no token."""
    return [attrs.evolve(row, failures=row.failures + 1) for row in released(family, state, look)]


def in_doubt(family: Sequence[TokenRow], at: datetime, settle: timedelta) -> list[TokenRow]:
    """Return the rows of a token whose refresh may have been carried out, or may yet be until `settle` is over."""
    return released(family, TokenState.UNCERTAIN, at + settle)


def dead(family: Sequence[TokenRow]) -> list[TokenRow]:
    """Return the rows of a token that the gateway takes no more; only a person can bring another."""
    return released(family, TokenState.NEEDS_REAUTH, None)


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


def _issued(row: TokenRow) -> float:
    return row.issued_at.timestamp() if row.issued_at else 0.0
