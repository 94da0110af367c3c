"""TigerAccountManager: make, find, change and remove accounts."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, final
from uuid import UUID

import trio

from tigercore import _enrolment as enrolment
from tigercore import _refresh as refresh
from tigercore._registry import AccountRegistry
from tigercore._snapshot import Snapshot
from tigercore._vault import Vault
from tigercore.audit import AuditLog
from tigercore.clock import Clock
from tigercore.errors import AccountNotFoundError, DefaultAccountError
from tigercore.keys import KeyManager
from tigercore.model import (
    AccountStatus,
    AccountType,
    AuditSeverity,
    Authentication,
    Credentials,
    Environment,
    License,
    MarketPermission,
    Secret,
    TigerAccount,
    TokenState,
)
from tigercore.ports import Signer
from tigercore.properties import read_properties, write_properties

TRADING_ERRORS, DATA_ERRORS = 5, 10  # consecutive errors after which an account is suspended (the requirement's)


@final
class TigerAccountManager:
    """Keep accounts, with their credentials sealed. Reads come from memory; every change is audited with its write."""

    def __init__(
        self,
        registry: AccountRegistry,
        snapshot: Snapshot,
        vault: Vault,
        keys: KeyManager,
        audit: AuditLog,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._registry = registry
        self._snapshot = snapshot
        self._vault = vault
        self._keys = keys
        self._audit = audit
        self._clock = clock
        self._rng = rng

    # -- make --------------------------------------------------------------------------------------------------

    async def create_account(
        self,
        *,
        account_name: str,
        account_number: str,
        tiger_id: str | Secret | None = None,
        private_key: str | Secret | None = None,
        account_type: AccountType | str = AccountType.STANDARD,
        environment: Environment | str = Environment.PRODUCTION,
        license: License | str | None = None,
        market_permissions: Iterable[MarketPermission | str] = (),
        token: str | Secret | None = None,
        secret_key: str | Secret | None = None,
        server_url: str | None = None,
        status: AccountStatus | str = AccountStatus.ACTIVE,
        tags: Iterable[str] = (),
        description: str = "",
        weight: float = 1.0,
        is_default_trading: bool = False,
        is_default_data: bool = False,
        authentication: Authentication | str = Authentication.SIGNATURE,
    ) -> TigerAccount:
        """Check everything, then write the account, its token's status and an audit line in one batch.

        With OAuth2 the grant of the user is the `token`, and takes the place of `tiger_id` and `private_key`.

        :raises AccountValidationError: what was given does not make an account; every fault is named, nothing written.
        :raises StoreUnavailable: the store cannot be reached.
        """
        given = {name: value for name, value in locals().items() if name != "self"}
        account_id = UUID(int=self._rng.getrandbits(128), version=4)
        account, credentials, held = enrolment.check(given, account_id, self._clock.now())
        return await self._registry.add(account, credentials, held)

    async def create_account_from_properties(self, path: str | Path, **overrides: Any) -> TigerAccount:
        """Create an account from a file that the developer portal wrote; overrides are those of `create_account`.

        :raises AccountValidationError: the file cannot be read, or does not make an account.
        """
        given = enrolment.from_properties(await trio.to_thread.run_sync(read_properties, Path(path)))
        return await self.create_account(**{**given, **overrides})

    async def export_account_to_properties(
        self, account_id: UUID, path: str | Path, *, overwrite: bool = False
    ) -> Path:
        """Write an account into a folder as the portal's file, readable by its owner only; return the file.

        :raises AccountValidationError: a file is there already and `overwrite` is not set.
        """
        row, token_row = self._snapshot.row(account_id), self._snapshot.token(account_id)
        held = enrolment.to_properties(row.account, self._vault.open(row), self._vault.open_token(token_row))
        await self._audit.commit([], "account.export", str(account_id), severity=AuditSeverity.HIGH)
        return await trio.to_thread.run_sync(partial(write_properties, held, Path(path), overwrite=overwrite))

    # -- find --------------------------------------------------------------------------------------------------

    async def get_account_by_id(self, account_id: UUID) -> TigerAccount:
        """Return the account with this id.

        :raises AccountNotFoundError: there is none.
        """
        await trio.lowlevel.checkpoint()
        return self._snapshot.row(account_id).account

    async def get_account_by_number(self, account_number: str) -> TigerAccount:
        """Return the account with this number. Errors as `get_account_by_id`."""
        await trio.lowlevel.checkpoint()
        return self.find(account_number)

    def find(self, account: UUID | str) -> TigerAccount:
        """Return the account with this id or number, at once. Errors as `get_account_by_id`."""
        if isinstance(account, UUID):
            return self._snapshot.row(account).account
        found = self._snapshot.numbered(account)
        if found is None:
            raise AccountNotFoundError(f"no account has the number {account}")
        return found

    async def list_accounts(
        self,
        *,
        status: AccountStatus | None = None,
        account_type: AccountType | None = None,
        environment: Environment | None = None,
        tags: Collection[str] = (),
    ) -> list[TigerAccount]:
        """Return the accounts that fit, in the order of their creation."""
        await trio.lowlevel.checkpoint()
        wanted = {"status": status, "account_type": account_type, "environment": environment}
        filters = {name: value for name, value in wanted.items() if value is not None}
        accounts = (row.account for row in self._snapshot.rows.values())
        return [a for a in accounts if set(tags) <= a.tags and all(getattr(a, n) == v for n, v in filters.items())]

    async def get_default_trading_account(self) -> TigerAccount:
        """Return the account that trading goes to.

        :raises DefaultAccountError: none was set.
        """
        return await self._default("is_default_trading")

    async def get_default_data_account(self) -> TigerAccount:
        """Return the account that market data comes from first. Errors as `get_default_trading_account`."""
        return await self._default("is_default_data")

    async def get_accounts_needing_token_refresh(self, within: timedelta = timedelta(0)) -> list[TigerAccount]:
        """Return the accounts whose token is due to be refreshed now, or within this time."""
        await trio.lowlevel.checkpoint()
        until = self._snapshot.now() + within
        due = [
            row.id
            for row in self._snapshot.tokens.values()
            if refresh.is_due(row, until) or refresh.is_in_doubt(row, self._snapshot.now())
        ]
        developers = {self._snapshot.row(account_id).account.developer for account_id in due}
        accounts = (row.account for row in self._snapshot.rows.values() if row.account.developer in developers)
        return [a for a in accounts if self._snapshot.token(a.id).state is not TokenState.NOT_REQUIRED]

    async def decrypt_credentials(self, account: TigerAccount) -> Credentials:
        """Return the secrets of an account, which is audited.

        :raises AccountNotFoundError: the account is gone.
        :raises DecryptionFailed: its row was tampered with.
        """
        credentials = self._vault.open(self._snapshot.row(account.id))
        await self._audit.commit([], "credentials.decrypt", str(account.id), severity=AuditSeverity.HIGH)
        return credentials

    def signer(self, account: TigerAccount) -> Signer:
        """Return the parsed key of an account, for a `TigerClient`. Errors as `decrypt_credentials`."""
        return self._vault.signer(self._snapshot.row(account.id))

    # -- change ------------------------------------------------------------------------------------------------

    async def update_account(self, account_id: UUID, changes: Mapping[str, Any]) -> TigerAccount:
        """Change these fields; `tiger_id`, `private_key` and `secret_key` replace credentials.

        :raises AccountValidationError: a field does not exist or a value does not fit; nothing was written.
        :raises AccountNotFoundError: there is no such account.
        """
        return await self._registry.change(account_id, lambda _: changes)

    async def delete_account(self, account_id: UUID) -> None:
        """Remove an account with its secrets; its audit lines stay. Errors as `get_account_by_id`."""
        await self._registry.remove(account_id)

    async def set_default_trading_account(self, account_id: UUID) -> TigerAccount:
        """Send trading that names no account to this one. Errors as `get_account_by_id`."""
        return await self.update_account(account_id, {"is_default_trading": True})

    async def set_default_data_account(self, account_id: UUID) -> TigerAccount:
        """Let `route_data_operation` choose this account first. Errors as `get_account_by_id`."""
        return await self.update_account(account_id, {"is_default_data": True})

    async def update_account_status(self, account_id: UUID, status: AccountStatus) -> TigerAccount:
        """Set whether the account takes part in routing. Errors as `get_account_by_id`."""
        return await self.update_account(account_id, {"status": status})

    async def add_market_permissions(self, account_id: UUID, permissions: Iterable[MarketPermission]) -> TigerAccount:
        """Let the account act in these markets too. Errors as `get_account_by_id`."""
        added = frozenset(permissions)
        return await self._registry.change(account_id, lambda a: {"market_permissions": a.market_permissions | added})

    async def remove_market_permissions(
        self, account_id: UUID, permissions: Iterable[MarketPermission]
    ) -> TigerAccount:
        """Let the account no longer act in these markets. Errors as `get_account_by_id`."""
        removed = frozenset(permissions)
        return await self._registry.change(account_id, lambda a: {"market_permissions": a.market_permissions - removed})

    async def increment_error_count(self, account_id: UUID, *, trading: bool = False, by: int = 1) -> TigerAccount:
        """Count failures; enough of them in a row suspend the account: 5 of trading, 10 of data."""
        most = TRADING_ERRORS if trading else DATA_ERRORS
        return await self._registry.change(account_id, lambda a: enrolment.more_errors(a, by, most))

    async def reset_error_count(self, account_id: UUID) -> TigerAccount:
        """Forget the failures; an account that they had suspended is active again. Errors as `get_account_by_id`."""
        return await self._registry.change(account_id, enrolment.no_errors)

    async def update_tokens(self, account_id: UUID, token: str | Secret) -> TigerAccount:
        """Give the account a token that was made in the developer portal, or a grant that its user has just given.

        :raises AccountValidationError: the text is no token, or it has expired.
        """
        kind = self._snapshot.row(account_id).account.authentication
        return await self._registry.bring_token(account_id, enrolment.token_of(token, kind, self._clock.now()))

    async def rewrap(self) -> int:
        """Seal with the active key what an older one has sealed, and check that all opens; return how many accounts.

        `keys.rotate` does this, and more. Errors as there.
        """
        await self._keys.rewrap()
        await self._keys.require_good()
        return len(self._snapshot.rows)

    async def _default(self, flag: str) -> TigerAccount:
        await trio.lowlevel.checkpoint()
        candidate = self._snapshot.default(flag)
        if candidate is not None:
            return candidate.account
        kind = flag.removeprefix("is_")
        raise DefaultAccountError(f"no {kind} account is set: use set_{kind}_account, or name an account")
