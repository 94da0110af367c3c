"""Rows for the laws of the store: each call makes another one, and names what matters to the law."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import attrs

from tigercore.model import (
    AccountStatus,
    AccountType,
    AuditEntry,
    AuditResult,
    AuditSeverity,
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
from tigercore.ports import AccountRow, TokenAttempt, TokenRow

NOON = datetime(2026, 1, 5, 12, 0, 0, 123456, tzinfo=UTC)
LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
FAR_AWAY = datetime(2101, 2, 3, 4, 5, 6, 7, tzinfo=UTC)

_numbers = itertools.count(10_000_000)


def account_row(sealed: bytes = b"\x00sealed\xff", sealing: int = 1, kek: int = 1, **fields: Any) -> AccountRow:
    """Return a new account with a number of its own and nothing optional."""
    given = {"id": uuid4(), "account_name": "one", "account_number": str(next(_numbers)), **fields}
    given.setdefault("account_type", AccountType.STANDARD)
    given.setdefault("environment", Environment.PRODUCTION)
    account = TigerAccount(created_at=NOON, updated_at=NOON, **given)
    return AccountRow(account, sealed, sealing, kek)


def full_account_row() -> AccountRow:
    """Return a new account whose every field differs from its default."""
    return account_row(
        sealed=bytes(range(256)) * 8,
        sealing=7,
        kek=2**40,
        account_name="交易 🐯 'one'; --",
        account_type=AccountType.PRIME,
        environment=Environment.SANDBOX,
        license=License.TBHK,
        status=AccountStatus.SUSPENDED,
        market_permissions=frozenset(MarketPermission),
        tags=frozenset({"é", "", 'a "b", c', "\\"}),
        description="line one\nline two\t%s :id ?",
        server_url="https://localhost:1/x?y=ü",
        weight=0.1 + 0.2,
        is_default_trading=True,
        is_default_data=True,
        error_count=3,
        developer="f" * 32,
    )


def token_row(account: AccountRow, **fields: Any) -> TokenRow:
    """Return a new token of the account: valid, and not due before long."""
    given = {"state": TokenState.VALID, "next_at": FAR_AWAY, **fields}
    return TokenRow(account.id, **given)


def full_token_row(account: AccountRow) -> TokenRow:
    """Return a new token whose every field differs from its default."""
    return TokenRow(
        id=account.id,
        state=TokenState.UNCERTAIN,
        sealed=bytes(range(255, -1, -1)),
        sealing=9,
        issued_at=LONG_AGO,
        expires_at=FAR_AWAY,
        next_at=NOON,
        owner="host-1 ü:42",
        lease_until=NOON + timedelta(microseconds=1),
        failures=4,
        kek=3,
    )


def attempt(account_id: UUID, started_at: datetime = NOON, **fields: Any) -> TokenAttempt:
    """Return an attempt that has begun."""
    given = {"id": uuid4(), "trigger": RefreshTrigger.SCHEDULED, "status": TokenRefreshStatus.STARTED, **fields}
    return TokenAttempt(account_id=account_id, started_at=started_at, **given)


def audit_entry(action: str = "account.create", **fields: Any) -> AuditEntry:
    """Return an audit entry."""
    given = {"target": "account", **fields}
    return AuditEntry(at=NOON, initiator="test", action=action, **given)


def full_audit_entry() -> AuditEntry:
    """Return an audit entry whose every field differs from its default."""
    return AuditEntry(
        at=LONG_AGO,
        initiator="ü",
        action="token.refresh",
        target=str(uuid4()),
        result=AuditResult.ERROR,
        severity=AuditSeverity.CRITICAL,
        details={"code": "2400", "ключ": "значение \U0001f42f"},
    )


def key(version: int, state: KeyState = KeyState.ACTIVE, **fields: Any) -> WrappedKey:
    """Return a wrapped key with one slot; its bytes are no key."""
    given = {"check": b"\x00check\xff", "slots": (KeySlot("local", bytes([version]) * 60),), **fields}
    return WrappedKey(version, state, **given)


def key_ring(**fields: Any) -> KeyRing:
    """Return a new ring of two keys and nothing optional."""
    given = {"id": uuid4(), "active": 2, "keys": (key(1, KeyState.DECRYPT), key(2)), **fields}
    return KeyRing(**given)


def full_key_ring() -> KeyRing:
    """Return a new ring whose every field differs from its default, with keys of every kind."""
    slots = (KeySlot("passphrase", b"\x00p\xff"), KeySlot("ü: kms 'a'", b""), KeySlot("age1…", bytes(range(256))))
    return key_ring(
        active=3,
        keys=(
            key(1, KeyState.DESTROYED, slots=()),
            key(2, KeyState.DECRYPT, created_at=LONG_AGO),
            key(3, slots=slots, created_at=FAR_AWAY),
        ),
        min_decrypt=2,
        frozen=True,
        epoch=2**40,
        recovery=("z's", 'age1 "ü", x', "a"),
        hash_key=b"\x00hash\xff",
        mac=bytes(range(255, -1, -1)),
    )


def thousands_of_ids(*last: UUID) -> list[UUID]:
    """Return ids of accounts that nobody knows, and these behind them."""
    return [*(uuid4() for _ in range(2000)), *last]


def at_version(row: AccountRow, version: int, **fields: Any) -> AccountRow:
    """Return the account as it was read at this version, with these fields changed."""
    return attrs.evolve(row, account=attrs.evolve(row.account, version=version, **fields))
