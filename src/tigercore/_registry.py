"""The one place that writes account rows: it checks, seals, moves defaults, audits, and bears with other writers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, final
from uuid import UUID

import attrs
import trio

from tigercore import _enrolment as enrolment
from tigercore import _refresh as refresh
from tigercore._duetimes import DueTimes
from tigercore._plugins import Hooks
from tigercore._rsakey import pkcs1
from tigercore._snapshot import Snapshot
from tigercore._vault import Vault, endpoint_of, is_bound_alike
from tigercore.audit import AuditLog
from tigercore.clock import Clock
from tigercore.errors import AccountManagerError, AccountValidationError, StaleVersion
from tigercore.model import AccountStatus, AuditSeverity, Credentials, Secret, TigerAccount, Token, TokenState
from tigercore.ports import AccountRow, Change, Put, Remove, TokenRow

_TRIES = 10  # writes of other processes that one change may meet before it gives up
_DEFAULTS = ("is_default_trading", "is_default_data")


@final
class AccountRegistry:
    """Write accounts. One change at a time in this process; a change of another process makes it begin again."""

    def __init__(
        self, snapshot: Snapshot, vault: Vault, audit: AuditLog, hooks: Hooks, clock: Clock, due: DueTimes
    ) -> None:
        self._snapshot = snapshot
        self._vault = vault
        self._audit = audit
        self._hooks = hooks
        self._clock = clock
        self._due = due
        self._changing = trio.Lock()

    async def add(self, account: TigerAccount, credentials: Credentials, token: Token | None) -> TigerAccount:
        """Write a new account and its token row. Errors as `TigerAccountManager.create_account`."""

        def changes() -> list[Change]:
            self._refuse_double(account)
            row = self._sealed(account, credentials, sealing=1)
            return [*self._stand_down(account), Put(row), *self._first_token(row.account, token)]

        await self._write(changes, account.id, "account.create")
        return self._told(account.id, "created")

    async def change(self, account_id: UUID, change: Callable[[TigerAccount], Mapping[str, Any]]) -> TigerAccount:
        """Read, change and write one account. Errors as `TigerAccountManager.update_account`."""

        def changes() -> list[Change]:
            row = self._snapshot.row(account_id)
            account, secrets = enrolment.changed(row.account, change(row.account), self._clock.now())
            self._refuse_double(account)
            written = self._resealed(row, account, secrets)
            return [*self._stand_down(account), Put(written), *self._token_that_fits(row.account, written.account)]

        await self._write(changes, account_id, "account.update")
        return self._told(account_id, "updated")

    async def remove(self, account_id: UUID) -> None:
        """Remove an account, its credentials and its token."""
        account = self._snapshot.row(account_id).account

        def changes() -> list[Change]:
            current = self._snapshot.row(account_id).account
            return [Remove(account_id, current.version), *self._new_leader(current)]

        await self._write(changes, account_id, "account.delete")
        self._vault.forget(account_id)
        self._hooks.notify("tigercore_account_changed", account=account, action="deleted")

    async def bring_token(self, account_id: UUID, token: Token) -> TigerAccount:
        """Store a token that a person has brought, for every account of the developer."""

        def changes() -> list[Change]:
            account = self._snapshot.row(account_id).account
            family = self._snapshot.token_family(account) or [self._snapshot.token(account_id)]
            self._refuse_older(account, family, token)
            return [Put(self._renewed(row, token, family, account)) for row in family]

        await self._write(changes, account_id, "token.update")
        return self._snapshot.row(account_id).account

    async def _write(self, changes: Callable[[], Sequence[Change]], account_id: UUID, action: str) -> None:
        """Work out changes and write them; if somebody wrote meanwhile, read again and begin anew."""
        async with self._changing:
            for _ in range(_TRIES):
                try:
                    await self._audit.commit(changes(), action, str(account_id), severity=AuditSeverity.MEDIUM)
                except StaleVersion:
                    await self._snapshot.load()
                else:
                    return
        raise AccountManagerError(f"{account_id} is being changed by others all the time; try again")

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
            row = self._snapshot.row(account_id)
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
        before = self._vault.open(row)
        after = self._sealed(account, attrs.evolve(before, **secrets), row.sealing + 1)
        if row.account.status is AccountStatus.COMPROMISED and "private_key" in secrets:
            _require_another_key(before.private_key, secrets["private_key"])
        return after

    def _first_token(self, account: TigerAccount, token: Token | None) -> list[Change]:
        """Give a new account its token row; of its developer's tokens the one that was issued last wins."""
        row = TokenRow(account.id, TokenState.NEEDS_REAUTH if account.needs_token else TokenState.NOT_REQUIRED)
        if token is None and not account.needs_token:
            return [Put(row)]
        family = self._snapshot.token_family(account)
        if token is not None and not self._is_behind(token, family):
            return [Put(self._renewed(each, token, [row, *family], account)) for each in (row, *family)]
        return [Put(self._adopting(row, family))]

    def _token_that_fits(self, before: TigerAccount, after: TigerAccount) -> list[Change]:
        """Give another token row to an account that has come to need one, or has got another developer."""
        row = self._snapshot.token(after.id)
        moved = before.developer != after.developer and row.state is not TokenState.NOT_REQUIRED
        if moved or (after.needs_token and row.state is TokenState.NOT_REQUIRED):
            return [*self._new_leader(before), Put(self._adopting(row, self._snapshot.token_family(after)))]
        return []

    def _adopting(self, row: TokenRow, family: Sequence[TokenRow]) -> TokenRow:
        """Return the row with the living token of a developer's other accounts, or with none."""
        living = (TokenState.VALID, TokenState.REFRESHING, TokenState.UNCERTAIN)
        newest = refresh.newest(each for each in family if each.state in living and each.id != row.id)
        token = newest and self._vault.open_token(newest)
        if newest is None or token is None:
            return attrs.evolve(refresh.dead([row])[0], sealed=None, issued_at=None)
        held = refresh.renewed(self._vault.seal_token(row, token), token, None, self._clock.now())
        return attrs.evolve(held, state=newest.state, owner=newest.owner, lease_until=newest.lease_until)

    def _new_leader(self, account: TigerAccount) -> list[Change]:
        """Let another account's row fall due in the place of one that leaves its developer's family."""
        mine = self._snapshot.token(account.id)
        others = [row for row in self._snapshot.token_family(account) if row.id != account.id]
        heir = next((row for row in others if row.id == refresh.leader(others)), None)
        if heir is None or mine.next_at is None:
            return []
        return [Put(attrs.evolve(heir, next_at=mine.next_at))]

    def _is_behind(self, token: Token, family: Sequence[TokenRow]) -> bool:
        newest = refresh.newest(row for row in family if row.state is not TokenState.NEEDS_REAUTH)
        return newest is not None and not refresh.is_newer(token, newest)

    def _refuse_older(self, account: TigerAccount, family: Sequence[TokenRow], token: Token) -> None:
        newest = refresh.newest(row for row in family if row.state is TokenState.VALID)
        if newest is not None and not refresh.is_newer(token, newest) and self._vault.open_token(newest) != token:
            raise AccountValidationError(f"token: {account.account_name!r} holds a newer one, of {newest.issued_at}")

    def _renewed(self, row: TokenRow, token: Token, family: Sequence[TokenRow], account: TigerAccount) -> TokenRow:
        due = self._due.of(row.id, token, account.license) if row.id == refresh.leader(family) else None
        return refresh.renewed(self._vault.seal_token(row, token), token, due, self._clock.now())

    def _told(self, account_id: UUID, action: str) -> TigerAccount:
        account = self._snapshot.row(account_id).account
        self._hooks.notify("tigercore_account_changed", account=account, action=action)
        return account


def _require_another_key(before: Secret | None, after: Secret) -> None:
    if before is not None and (before == after or _bare(before) == _bare(after)):
        raise AccountValidationError("private_key: this is the compromised one: make a new pair in the portal")


def _bare(key: Secret) -> Secret:
    """Return a key in the one form that all its forms can be brought into; the client has looked at it already."""
    try:
        return Secret(pkcs1(key.reveal()))
    except ValueError:  # another kind of key, of another client: its text is what it is
        return key
