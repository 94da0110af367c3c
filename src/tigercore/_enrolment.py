"""What makes an account: every check of what a caller gives, pure. All faults are named at once, none with a secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import attrs

from tigercore.errors import AccountValidationError
from tigercore.model import (
    AccountStatus,
    AccountType,
    Authentication,
    Credentials,
    Environment,
    Grant,
    License,
    MarketPermission,
    Secret,
    TigerAccount,
    Token,
)
from tigercore.properties import TigerProperties

SECRETS = ("tiger_id", "private_key", "secret_key")
_NUMBERS: Mapping[AccountType, tuple[str, str]] = {  # protocol 5.6
    AccountType.PAPER: (r"\d{17}", "17 digits"),
    AccountType.GLOBAL: (r"(U|DU|F|DF)\d+", "U, DU, F or DF and digits"),
    AccountType.STANDARD: (r"\d{5,10}", "5 to 10 digits"),
    AccountType.PRIME: (r"\d{5,10}", "5 to 10 digits"),
}


def type_of(account_number: str) -> AccountType:
    """Tell the type of an account by its number: a prime account counts as STANDARD."""
    fitting = (kind for kind, (pattern, _) in _NUMBERS.items() if re.fullmatch(pattern, account_number))
    return next(fitting, AccountType.STANDARD)


def check(given: Mapping[str, Any], account_id: UUID, now: datetime) -> tuple[TigerAccount, Credentials, Token | None]:
    """Return the account, its credentials and its token, if any.

    :raises AccountValidationError: some of it does not fit.
    """
    fields = dict(given)
    tiger_id, private_key, secret_key = (_secret(name, fields.pop(name)) for name in SECRETS)
    text = fields.pop("token")
    account = _account({**fields, "id": account_id, "created_at": now, "updated_at": now})
    if account.authentication is Authentication.OAUTH2:
        return _granted(account, text)
    if not tiger_id or not private_key:
        raise AccountValidationError("tiger_id and private_key: both are needed; the developer portal shows them")
    token = None if text is None else token_of(text, account.authentication, now)
    return account, Credentials(tiger_id, private_key, secret_key), token


def _granted(account: TigerAccount, text: str | Secret | None) -> tuple[TigerAccount, Credentials, Token]:
    """Return what a grant makes: its client stands for the developer, and there is no key."""
    if text is None:
        raise AccountValidationError("token: an OAuth2 account is made with the grant of its user: `tigercore login`")
    grant = _grant_of(text)
    return account, Credentials(Secret(grant.client_id), None), grant.token()


def _grant_of(text: str | Secret) -> Grant:
    try:
        return Grant.of(text)
    except ValueError as error:
        raise AccountValidationError(f"token: {error}") from None


def changed(account: TigerAccount, changes: Mapping[str, Any], now: datetime) -> tuple[TigerAccount, dict[str, Secret]]:
    """Return the account with changes made, and the credentials among them. Errors as `check`."""
    fields = attrs.asdict(account, recurse=False)
    given = {name: _secret(name, changes.get(name)) for name in SECRETS}
    secrets = {name: secret for name, secret in given.items() if secret is not None}
    if not all(secrets.values()):
        raise AccountValidationError("tiger_id, private_key, secret_key: an empty text is none of them")
    if account.authentication is Authentication.OAUTH2 and secrets:
        raise AccountValidationError(f"{', '.join(secrets)}: an OAuth2 account has none: use `tigercore login`")
    plain = {name: value for name, value in changes.items() if name not in SECRETS}
    if "status" in plain:  # who sets the status by hand has the last word: no success of a call undoes it
        plain = {"error_count": 0, **plain}
    if account.status is AccountStatus.COMPROMISED:
        plain = _after_compromise(plain, has_key="private_key" in secrets)
    if unknown := sorted(plain.keys() - _CHANGEABLE):
        raise AccountValidationError(f"{', '.join(unknown)}: no such field to change; use {', '.join(_CHANGEABLE)}")
    return _account({**fields, **plain, "updated_at": now}), secrets


def _after_compromise(plain: Mapping[str, Any], *, has_key: bool) -> dict[str, Any]:
    """Return the changes to an account whose key others know: only a new key lets a person verify it."""
    if has_key:
        return {"status": AccountStatus.PENDING_VERIFICATION, **plain}
    if plain.get("status", AccountStatus.COMPROMISED) != AccountStatus.COMPROMISED:
        raise AccountValidationError("status: the key of this account was compromised: give it a new private_key first")
    return dict(plain)


def more_errors(account: TigerAccount, by: int, most: int) -> Mapping[str, Any]:
    """Return the changes that so many more failures make; failures of an account that rests anyway are not counted."""
    if account.status is not AccountStatus.ACTIVE:
        return {}
    count = account.error_count + by
    return {"error_count": count, "status": AccountStatus.SUSPENDED if count >= most else AccountStatus.ACTIVE}


def no_errors(account: TigerAccount) -> Mapping[str, Any]:
    """Return the changes that a success makes: what failures have suspended is active again."""
    by_errors = account.status is AccountStatus.SUSPENDED and account.error_count > 0
    return {"error_count": 0, "status": AccountStatus.ACTIVE if by_errors else account.status}


def token_of(text: str | Secret, authentication: Authentication, now: datetime) -> Token:
    """Read a token that a person brings. Errors as `check`; one that has expired is an error too."""
    if authentication is Authentication.OAUTH2:
        return _grant_of(text).token()
    try:
        token = Token.parse(_text(text))
    except ValueError as error:
        raise AccountValidationError(f"token: {error}") from None
    if token.expires_at is not None and token.expires_at <= now:
        raise AccountValidationError(f"token: it expired at {token.expires_at:%Y-%m-%d %H:%M} UTC; make a new one")
    return token


def from_properties(held: TigerProperties) -> dict[str, Any]:
    """Return what `create_account` takes, from a portal's file."""
    local = held.server_url is not None and re.match(r"https?://(127\.|localhost|\[::1\])", held.server_url)
    return {
        "account_name": held.account,
        "account_number": held.account,
        "account_type": type_of(held.account),
        "environment": Environment.SANDBOX if local else held.env or Environment.PRODUCTION,
        "license": held.license,
        "tiger_id": held.tiger_id,
        "private_key": held.private_key,
        "secret_key": held.secret_key,
        "server_url": held.server_url,
        "token": held.token,
    }


def to_properties(account: TigerAccount, credentials: Credentials, token: Token | None) -> TigerProperties:
    """Return what the portal's file of an account holds. Errors as `check`: with OAuth2 there is no key to write."""
    if credentials.private_key is None:
        raise AccountValidationError(
            f"{account.account_name} has no private key: the portal's file cannot hold a grant"
        )
    return TigerProperties(
        tiger_id=credentials.tiger_id,
        private_key=credentials.private_key,
        account=account.account_number,
        license=account.license,
        env=account.environment,
        secret_key=credentials.secret_key,
        server_url=account.server_url,
        token=token and token.value,
    )


# -- fields ----------------------------------------------------------------------------------------------------


def _set_of(kind: type[StrEnum]) -> Callable[[Any], frozenset[Any]]:
    return lambda values: frozenset(kind(value) for value in values)


def _optional(kind: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value in (None, "") else kind(value)


def _line(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 200 or not value.isprintable():
        raise ValueError("give 1 to 200 printable characters")
    return value


def _positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError("give a number above 0")
    return float(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("give true or false")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("give a whole number, 0 or more")
    return value


_FIELDS: dict[str, Callable[[Any], Any]] = {
    "account_name": _line,
    "account_number": _line,
    "account_type": AccountType,
    "environment": Environment,
    "license": _optional(License),
    "status": AccountStatus,
    "market_permissions": _set_of(MarketPermission),
    "tags": lambda values: frozenset(_line(value) for value in values),
    "description": lambda value: _line(value) if value else "",
    "server_url": _optional(_line),
    "weight": _positive,
    "is_default_trading": _flag,
    "is_default_data": _flag,
    "error_count": _count,
}
_CHANGEABLE = tuple(_FIELDS)
_FIELDS = {**_FIELDS, "authentication": Authentication}  # made with, and never changed


def _account(fields: Mapping[str, Any]) -> TigerAccount:
    """Convert every field, then check what they must be together."""
    faults, good = [], {}
    for name, value in fields.items():
        try:
            good[name] = _FIELDS[name](value) if name in _FIELDS else value
        except (ValueError, TypeError) as error:
            faults.append(f"{name}: {error}")
    if not faults and (fault := _number_fault(good["account_number"], good["account_type"])):
        faults.append(fault)
    if faults:
        raise AccountValidationError("; ".join(faults))
    return TigerAccount(**good)


def _number_fault(number: str, kind: AccountType) -> str | None:
    pattern, words = _NUMBERS[kind]
    if re.fullmatch(pattern, number):
        return None
    return f"account_number: a {kind} account has {words}, which {number!r} is not; check account_type too"


def _text(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


def _secret(name: str, value: str | Secret | None) -> Secret | None:
    if value is not None and not isinstance(value, str | Secret):
        raise AccountValidationError(f"{name}: give text or a Secret")
    return None if value is None else Secret(_text(value))
