"""Between the frozen values of the port and the columns of a table, both ways. There is no ORM."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from tigercore.model import (
    AccountStatus,
    AccountType,
    AuditEntry,
    AuditResult,
    AuditSeverity,
    Authentication,
    Environment,
    License,
    MarketPermission,
    RefreshTrigger,
    TigerAccount,
    TokenRefreshStatus,
    TokenState,
)
from tigercore.ports import AccountRow, AuditLine, TokenAttempt, TokenRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Values = dict[str, Any]


def microseconds(moment: datetime | None) -> int | None:
    """Return an aware moment as UTC microseconds since 1970.

    :raises TypeError: the moment is naive, and could mean any time.
    """
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def moment(count: int | None) -> datetime | None:
    """Return the moment of these microseconds since 1970, aware, in UTC."""
    return None if count is None else known_moment(count)


def known_moment(count: int) -> datetime:
    """Return the moment of these microseconds since 1970, where there must be one."""
    return _EPOCH + timedelta(microseconds=count)


def _listed(words: Iterable[str]) -> str:
    return json.dumps(sorted(str(word) for word in words))


def words(listed: str) -> list[str]:
    """Return the words of a list in JSON.

    :raises ValueError: it is no JSON.
    :raises TypeError: it is something else than a list of words.
    """
    found = json.loads(listed)
    if not (isinstance(found, list) and all(isinstance(word, str) for word in found)):
        raise TypeError("a list of words is expected")
    return found


def _details(text: str) -> dict[str, str]:
    found = json.loads(text)
    if not (isinstance(found, dict) and all(isinstance(word, str) for word in found.values())):
        raise TypeError("an object of words is expected")
    return found


def account_values(row: AccountRow) -> Values:
    """Return the columns of an account, one version further."""
    account = row.account
    return {
        "id": account.id,
        "account_name": account.account_name,
        "account_number": account.account_number,
        "account_type": account.account_type.value,
        "environment": account.environment.value,
        "created_at": microseconds(account.created_at),
        "updated_at": microseconds(account.updated_at),
        "license": account.license and account.license.value,
        "status": account.status.value,
        "market_permissions": _listed(account.market_permissions),
        "tags": _listed(account.tags),
        "description": account.description,
        "server_url": account.server_url,
        "weight": account.weight,
        "is_default_trading": account.is_default_trading,
        "is_default_data": account.is_default_data,
        "error_count": account.error_count,
        "developer": account.developer,
        "authentication": account.authentication.value,
        "version": account.version + 1,
        "sealed": row.sealed,
        "sealing": row.sealing,
        "kek": row.kek,
    }


def account_row(found: Row[Any]) -> AccountRow:
    """Return the account of a row of `tc_account`."""
    account = TigerAccount(
        id=found.id,
        account_name=found.account_name,
        account_number=found.account_number,
        account_type=AccountType(found.account_type),
        environment=Environment(found.environment),
        created_at=known_moment(found.created_at),
        updated_at=known_moment(found.updated_at),
        license=None if found.license is None else License(found.license),
        status=AccountStatus(found.status),
        market_permissions=frozenset(map(MarketPermission, words(found.market_permissions))),
        tags=frozenset(words(found.tags)),
        description=found.description,
        server_url=found.server_url,
        weight=found.weight,
        is_default_trading=found.is_default_trading,
        is_default_data=found.is_default_data,
        error_count=found.error_count,
        developer=found.developer,
        authentication=Authentication(found.authentication),
        version=found.version,
    )
    return AccountRow(account, found.sealed, found.sealing, found.kek)


def token_values(row: TokenRow) -> Values:
    """Return the columns of a token, one version further."""
    return {
        "id": row.id,
        "state": row.state.value,
        "sealed": row.sealed,
        "sealing": row.sealing,
        "kek": row.kek,
        "issued_at": microseconds(row.issued_at),
        "expires_at": microseconds(row.expires_at),
        "next_at": microseconds(row.next_at),
        "owner": row.owner,
        "lease_until": microseconds(row.lease_until),
        "failures": row.failures,
        "version": row.version + 1,
    }


def token_row(found: Row[Any]) -> TokenRow:
    """Return the token of a row of `tc_token`."""
    return TokenRow(
        id=found.id,
        state=TokenState(found.state),
        sealed=found.sealed,
        sealing=found.sealing,
        issued_at=moment(found.issued_at),
        expires_at=moment(found.expires_at),
        next_at=moment(found.next_at),
        owner=found.owner,
        lease_until=moment(found.lease_until),
        failures=found.failures,
        kek=found.kek,
        version=found.version,
    )


def attempt_values(attempt: TokenAttempt) -> Values:
    """Return the columns of an attempt."""
    return {
        "id": attempt.id,
        "account_id": attempt.account_id,
        "trigger_word": attempt.trigger.value,
        "status": attempt.status.value,
        "started_at": microseconds(attempt.started_at),
        "ended_at": microseconds(attempt.ended_at),
        "detail": attempt.detail,
    }


def token_attempt(found: Row[Any]) -> TokenAttempt:
    """Return the attempt of a row of `tc_token_attempt`."""
    return TokenAttempt(
        id=found.id,
        account_id=found.account_id,
        trigger=RefreshTrigger(found.trigger_word),
        status=TokenRefreshStatus(found.status),
        started_at=known_moment(found.started_at),
        ended_at=moment(found.ended_at),
        detail=found.detail,
    )


def audit_values(entry: AuditEntry) -> Values:
    """Return the columns of an audit entry; the database numbers it."""
    return {
        "at": microseconds(entry.at),
        "initiator": entry.initiator,
        "action": entry.action,
        "target": entry.target,
        "result": entry.result.value,
        "severity": entry.severity.value,
        "details": json.dumps(dict(entry.details)),
    }


def audit_line(found: Row[Any]) -> AuditLine:
    """Return the audit line of a row of `tc_audit`."""
    entry = AuditEntry(
        at=known_moment(found.at),
        initiator=found.initiator,
        action=found.action,
        target=found.target,
        result=AuditResult(found.result),
        severity=AuditSeverity(found.severity),
        details=_details(found.details),
    )
    return AuditLine(found.number, entry)
