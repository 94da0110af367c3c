"""Hypothesis strategies for whatever may be in a store. There are few ids and versions, so that changes meet."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import hypothesis.strategies as st

from tigercore.model import (
    AccountStatus,
    AccountType,
    AuditEntry,
    AuditResult,
    AuditSeverity,
    Authentication,
    Environment,
    KeyRing,
    KeySlot,
    KeyState,
    License,
    MarketPermission,
    RefreshTrigger,
    TigerAccount,
    TokenRefreshStatus,
    TokenState,
    WrappedKey,
)
from tigercore.ports import AccountRow, Change, Put, Record, Remove, TokenAttempt, TokenRow

_IDS = [UUID(int=number) for number in range(1, 6)]
_PAST, _FUTURE = datetime(2001, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)

ids = st.sampled_from(_IDS)
some_ids = st.none() | st.lists(ids, max_size=3)
_versions = st.sampled_from([0, 0, 1, 1, 2, 3])
_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
# 280 years: the seconds between two of them are exact as a float
_any_moments = st.datetimes(timezones=st.just(UTC), min_value=datetime(1900, 1, 1), max_value=datetime(2180, 1, 1))
moments = _any_moments | st.sampled_from([_PAST, _FUTURE])
_small = st.integers(0, 2**31)
_keks = st.integers(0, 3)

_accounts = st.builds(
    TigerAccount,
    id=ids,
    account_name=_text,
    account_number=st.sampled_from(["1", "2", "3", "4", "5", "6", "7"]),
    account_type=st.sampled_from(AccountType),
    environment=st.sampled_from(Environment),
    created_at=moments,
    updated_at=moments,
    license=st.none() | st.sampled_from(License),
    status=st.sampled_from(AccountStatus),
    market_permissions=st.frozensets(st.sampled_from(MarketPermission)),
    tags=st.frozensets(_text, max_size=3),
    description=_text,
    server_url=st.none() | _text,
    weight=st.floats(0, 1e9),
    is_default_trading=st.booleans(),
    is_default_data=st.booleans(),
    error_count=_small,
    developer=_text,
    authentication=st.sampled_from(Authentication),
    version=_versions,
)
_tokens = st.builds(
    TokenRow,
    id=ids,
    state=st.sampled_from(TokenState),
    sealed=st.none() | st.binary(max_size=40),
    sealing=_small,
    issued_at=st.none() | moments,
    expires_at=st.none() | moments,
    next_at=st.sampled_from([None, _PAST, _FUTURE]),
    owner=st.none() | _text,
    lease_until=st.none() | moments,
    failures=_small,
    kek=_keks,
    version=_versions,
)
_slots = st.lists(
    st.builds(KeySlot, provider=_text, blob=st.binary(max_size=40)), unique_by=lambda slot: slot.provider, max_size=3
).map(tuple)
_keys = st.lists(
    st.builds(
        WrappedKey,
        version=st.integers(1, 9),
        state=st.sampled_from(KeyState),
        check=st.binary(max_size=9),
        slots=_slots,
        created_at=st.none() | moments,
    ),
    unique_by=lambda key: key.version,
    max_size=3,
).map(lambda keys: tuple(sorted(keys, key=lambda key: key.version)))
_rings = st.builds(
    KeyRing,
    id=st.sampled_from(_IDS[:2]),
    active=_small,
    keys=_keys,
    min_decrypt=st.sampled_from([0, 0, 1, 2, 3]),
    frozen=st.booleans(),
    epoch=_small,
    recovery=st.lists(_text, max_size=3).map(tuple),
    hash_key=st.binary(max_size=9),
    mac=st.binary(max_size=9),
    version=_versions,
)
_attempts = st.builds(
    TokenAttempt,
    id=ids,
    account_id=ids,
    trigger=st.sampled_from(RefreshTrigger),
    status=st.sampled_from(TokenRefreshStatus),
    started_at=moments,
    ended_at=st.none() | moments,
    detail=_text,
)
_entries = st.builds(
    AuditEntry,
    at=moments,
    initiator=_text,
    action=_text,
    target=_text,
    result=st.sampled_from(AuditResult),
    severity=st.sampled_from(AuditSeverity),
    details=st.dictionaries(_text, _text, max_size=3),
)
_rows = st.builds(AccountRow, account=_accounts, sealed=st.binary(max_size=40), sealing=_small, kek=_keks)
changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(Put, row=_rows),
    st.builds(Put, row=_tokens),
    st.builds(Put, row=_rings),
    st.builds(Remove, id=ids, version=_versions),
    st.builds(Record, entry=_attempts | _entries),
)

batches = st.lists(changes, max_size=6)
asked_of_attempts = st.fixed_dictionaries(
    {
        "since": st.none() | moments,
        "status": st.none() | st.sampled_from(TokenRefreshStatus),
        "limit": st.integers(1, 3),
    }
)
