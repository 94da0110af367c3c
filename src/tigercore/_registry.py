"""The one place that writes account rows: it checks, seals, moves defaults, audits, and bears with other writers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final
from uuid import UUID

import attrs
import trio

from tigercore import _enrolment as enrolment
from tigercore import _refresh as refresh
from tigercore._plugins import Hooks
from tigercore._snapshot import Snapshot
from tigercore._vault import Vault, endpoint_of, is_bound_alike
from tigercore.audit import AuditLog
from tigercore.clock import Clock
from tigercore.errors import AccountManagerError, AccountNotFoundError, AccountValidationError, StaleVersion
from tigercore.model import AuditSeverity, Credentials, Secret, TigerAccount, Token, TokenState
from tigercore.ports import AccountRow, Put, Remove, TokenRow

_TRIES = 10  # writes of other processes that one change may meet before it gives up
_DEFAULTS = ("is_default_trading", "is_default_data")


@final
class AccountRegistry:
    """Write accounts. One change at a time in this process; a change of another process makes it begin again."""

    def __init__(
        self, snapshot: Snapshot, vault: Vault, audit: AuditLog, hooks: Hooks, clock: Clock, *, refresh_at: float
    ) -> None:
        self._snapshot = snapshot
        self._vault = vault
        self._audit = audit
        self._hooks = hooks
        self._clock = clock
        self._refresh_at = refresh_at
        self._changing = trio.Lock()

    def row(self, account_id: UUID) -> AccountRow:
        """Return the row of an account.

        :raises AccountNotFoundError: there is none.
        """
        try:
            return self._snapshot.rows[account_id]
        except KeyError:
            raise AccountNotFoundError(f"no account has the id {account_id}") from None

    async def add(self, account: TigerAccount, credentials: Credentials, token: Token | None) -> TigerAccount:
        """Write a new account and its token row. Errors as `TigerAccountManager.create_account`."""
        async with self._changing:
            self._refuse_double(account)
            row = self._sealed(account, credentials, sealing=1)
            changes = [*self._stand_down(account), Put(row), *self._first_token(row.account, token)]
            await self._write(changes, account, "account.create")
        return self._told(account.id, "created")

    async def change(self, account_id: UUID, change: Callable[[TigerAccount], Mapping[str, Any]]) -> TigerAccount:
        """Read, change and write one account. Errors as `TigerAccountManager.update_account`."""
        async with self._changing:
            for _ in range(_TRIES):
                row = self.row(account_id)
                account, secrets = enrolment.changed(row.account, change(row.account), self._clock.now())
                written = self._resealed(row, account, secrets)
                changes = [*self._stand_down(account), Put(written), *self._missing_token(written.account)]
                try:
                    await self._write(changes, account, "account.update")
                except StaleVersion:
                    continue
                return self._told(account_id, "updated")
        raise AccountManagerError(f"{account_id} is being changed by others all the time; try again")

    async def remove(self, account_id: UUID) -> None:
        """Remove an account, its credentials and its token."""
        async with self._changing:
            account = self.row(account_id).account
            await self._write([Remove(account_id, account.version)], account, "account.delete")
        self._vault.forget(account_id)
        self._hooks.notify("tigercore_account_changed", account=account, action="deleted")

    async def bring_token(self, account_id: UUID, token: Token) -> TigerAccount:
        """Store a token that a person has brought, for every account of the developer."""
        async with self._changing:
            account = self.row(account_id).account
            family = self._snapshot.token_family(account) or [self._snapshot.tokens[account_id]]
            self._refuse_older(account, family, token)
            await self._write([Put(self._renewed(row, token)) for row in family], account, "token.update")
        return account

    async def rewrap(self) -> int:
        """Seal everything again with the active key; return how many accounts there were."""
        async with self._changing:
            for row in list(self._snapshot.rows.values()):
                sealed = self._vault.seal(row.account, self._vault.open(row), row.sealing + 1)
                await self._write([Put(sealed), *self._rewrapped_token(row.id)], row.account, "account.rewrap")
        return len(self._snapshot.rows)

    async def _write(self, changes: Sequence[Put | Remove], account: TigerAccount, action: str) -> None:
        try:
            await self._audit.commit(changes, action, str(account.id), severity=AuditSeverity.MEDIUM)
        except StaleVersion:
            await self._snapshot.load()  # another process may hold the number by now: then say so
            self._refuse_double(account)
            raise

    def _refuse_double(self, account: TigerAccount) -> None:
        other = self._snapshot.numbered(account.account_number)
        if other is not None and other.id != account.id:
            raise AccountValidationError(f"account_number: {other.account_name!r} has this number already")

    def _stand_down(self, account: TigerAccount) -> Iterator[Put]:
        """Take the defaults that `account` claims from the accounts that hold them."""
        lost: dict[UUID, dict[str, Any]] = {}
        for flag in _DEFAULTS:
            holder = self._snapshot.default(flag)
            if getattr(account, flag) and holder is not None and holder.account.id != account.id:
                lost.setdefault(holder.account.id, {})[flag] = False
        for account_id, flags in lost.items():
            row = self.row(account_id)
            yield Put(attrs.evolve(row, account=attrs.evolve(row.account, **flags)))

    def _sealed(self, account: TigerAccount, credentials: Credentials, sealing: int) -> AccountRow:
        try:
            self._vault.validate(credentials, endpoint_of(account))
        except ValueError as error:
            raise AccountValidationError(str(error)) from None
        account = attrs.evolve(account, developer=self._vault.developer(credentials.tiger_id))
        return self._vault.seal(account, credentials, sealing)

    def _resealed(self, row: AccountRow, account: TigerAccount, secrets: Mapping[str, Secret]) -> AccountRow:
        if not secrets and is_bound_alike(row.account, account):
            return attrs.evolve(row, account=account)
        credentials = attrs.evolve(self._vault.open(row), **secrets)
        return self._sealed(account, credentials, row.sealing + 1)

    def _first_token(self, account: TigerAccount, token: Token | None) -> list[Put]:
        """Give a new account its token row; of its developer's tokens the one that was issued last wins."""
        row = TokenRow(account.id, TokenState.NEEDS_REAUTH if account.needs_token else TokenState.NOT_REQUIRED)
        family = self._snapshot.token_family(account)
        newest = refresh.newest(each for each in family if each.state is not TokenState.NEEDS_REAUTH)
        if newest is not None and (token is not None or account.needs_token) and not _is_newer(token, newest):
            return [Put(self._renewed(row, self._vault.open_token(newest) or token))]
        if token is None:
            return [Put(row)]
        return [Put(self._renewed(each, token)) for each in (row, *family)]

    def _missing_token(self, account: TigerAccount) -> list[Put]:
        """Give a token row to an account that has come to need one, by a new licence."""
        row = self._snapshot.tokens[account.id]
        if not account.needs_token or row.state is not TokenState.NOT_REQUIRED:
            return []
        newest = refresh.newest(r for r in self._snapshot.token_family(account) if r.state is TokenState.VALID)
        if newest is None:
            return [Put(refresh.settled(row, TokenState.NEEDS_REAUTH))]
        return [Put(self._renewed(row, self._vault.open_token(newest)))]

    def _refuse_older(self, account: TigerAccount, family: Sequence[TokenRow], token: Token) -> None:
        newest = refresh.newest(row for row in family if row.state is TokenState.VALID)
        if newest is not None and not _is_newer(token, newest) and self._vault.open_token(newest) != token:
            raise AccountValidationError(
                f"token: {account.account_name!r} holds a newer one, issued {newest.issued_at}"
            )

    def _renewed(self, row: TokenRow, token: Token | None) -> TokenRow:
        if token is None:
            return row
        sealed = self._vault.seal_token(row.id, token, row.sealing + 1)
        return refresh.renewed(row, token, sealed, self._clock.now(), self._refresh_at)

    def _rewrapped_token(self, account_id: UUID) -> list[Put]:
        row = self._snapshot.tokens[account_id]
        token = self._vault.open_token(row)
        if token is None:
            return []
        sealed = self._vault.seal_token(account_id, token, row.sealing + 1)
        return [Put(attrs.evolve(row, sealed=sealed, sealing=row.sealing + 1))]

    def _told(self, account_id: UUID, action: str) -> TigerAccount:
        account = self.row(account_id).account
        self._hooks.notify("tigercore_account_changed", account=account, action=action)
        return account


def _is_newer(token: Token | None, row: TokenRow) -> bool:
    issued = token and token.issued_at
    return issued is not None and (row.issued_at is None or issued > row.issued_at)
