"""The source of tokens for calls: the one that stands if it lives, else what can be had."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import final

from tigercore import _refresh as rules
from tigercore._exchange import needs_a_person
from tigercore._flights import Flights
from tigercore._gatewayclock import GatewayClock
from tigercore._refresh import Step
from tigercore._refresher import Refresher
from tigercore._snapshot import Snapshot
from tigercore._vault import Vault
from tigercore.errors import PortError, TokenManagerError, TokenRateLimitError, TokenValidationError
from tigercore.model import Authentication, RefreshTrigger, TigerAccount, Token, TokenRefreshStatus, TokenState
from tigercore.ports import AccountStore, TokenRow


@final
class TokenSource:
    """Hand tokens out from memory; ask, and let refresh, where memory is not enough."""

    def __init__(
        self,
        store: AccountStore,
        snapshot: Snapshot,
        vault: Vault,
        refresher: Refresher,
        flights: Flights,
        gateway: GatewayClock,
    ) -> None:
        self._store = store
        self._snapshot = snapshot
        self._vault = vault
        self._refresher = refresher
        self._flights = flights
        self._gateway = gateway

    async def token_for(self, account: TigerAccount) -> Token | None:
        """Do what `TokenManager.token_for` says."""
        row = self._snapshot.token(account.id)
        if row.state is TokenState.NOT_REQUIRED:
            return None
        ends = row.expires_at
        if row.state is not TokenState.VALID or (ends is not None and ends <= self._gateway.now()):
            row = await self._looked_into(account, row)
        elif account.authentication is Authentication.OAUTH2 and rules.is_last_call(row, self._gateway.now()):
            if not self._is_put_off(account):
                with suppress(TokenManagerError):  # the one that is there lives for a little longer
                    await self.refresh(account, RefreshTrigger.ON_DEMAND)
            row = self._snapshot.token(account.id)
        return self._opened(account, row)

    def standing_token(self, account: TigerAccount) -> Token | None:
        """Do what `TokenManager.standing_token` says."""
        row = self._snapshot.token(account.id)
        if row.state in (TokenState.NEEDS_REAUTH, TokenState.DISABLED) or self.has_ended(account):
            raise needs_a_person(account, "it has no living token")
        return None if row.state is TokenState.NOT_REQUIRED else self._opened(account, row)

    def has_ended(self, account: TigerAccount) -> bool:
        """Do what `TokenManager.has_ended` says."""
        row = self._snapshot.token(account.id)
        if account.authentication is Authentication.OAUTH2 or not rules.has_expired(row, self._gateway.now()):
            return False
        return self._gateway.may_judge

    async def refresh(self, account: TigerAccount, trigger: RefreshTrigger) -> None:
        """Get a new token, or join a refresh that is under way.

        :raises TokenManagerError: there is none; a TokenRateLimitError, if the gateway wants to be left alone.
        """
        await self._require_patience(account)
        await self._flights.share(account, "refresh", partial(self._refresher.refresh, account, trigger))

    def _opened(self, account: TigerAccount, row: TokenRow) -> Token | None:
        try:
            return self._vault.open_token(row)
        except PortError as error:
            raise TokenValidationError(f"the token of {account.account_name} cannot be opened: {error}") from error

    def _is_put_off(self, account: TigerAccount) -> bool:
        """Say whether the last try failed, and the next has its time: rows tell both, and no store is asked."""
        family = self._snapshot.token_family(account)
        due = rules.next_at(family)
        return rules.has_failed(family) and due is not None and due > self._snapshot.now()

    async def _looked_into(self, account: TigerAccount, row: TokenRow) -> TokenRow:
        """Return the row of a token that can be sent, after whatever has to be done for that. Errors as `token_for`."""
        at = self._snapshot.now()
        if rules.is_in_doubt(row, at) and not rules.is_settling(self._snapshot.token_family(account), at):
            await self._flights.share(account, "settle", partial(self._refresher.settle, account))
        elif row.state in (TokenState.VALID, TokenState.REFRESHING) and rules.has_expired(row, self._gateway.now()):
            await self._revived(account)
        row = self._snapshot.token(account.id)
        if row.state in (TokenState.NEEDS_REAUTH, TokenState.DISABLED):
            raise needs_a_person(account, "it has no living token")
        return row

    async def _revived(self, account: TigerAccount) -> None:
        """Do what can be done about a token that seems to have expired."""
        if account.authentication is Authentication.OAUTH2:
            await self.refresh(account, RefreshTrigger.EXPIRED)
        elif self._gateway.may_judge:
            raise needs_a_person(account, "its token has expired")
        elif self._may_look(account):  # else it is for others to tell
            await self._flights.share(account, "look", partial(self._refresher.look_into, account))

    def _may_look(self, account: TigerAccount) -> bool:
        """Say whether nobody refreshes the token of an account, or has reason to doubt it."""
        return rules.next_step(self._snapshot.token_family(account), self._snapshot.now()) is Step.REFRESH

    async def _require_patience(self, account: TigerAccount) -> None:
        """Pass unless the gateway has said, to whatever process, that this developer asks too often.

        :raises TokenRateLimitError: it has, and that is not over.
        """
        if not self._is_put_off(account):
            return
        family = self._snapshot.token_family(account)
        due = rules.next_at(family)
        left = (due - self._snapshot.now()).total_seconds() if due else 0.0
        last = await self._store.token_attempts({row.id for row in family}, limit=1)
        if last and last[0].status is TokenRefreshStatus.RATE_LIMITED:
            told = f"{account.account_name}: the gateway takes no refresh for another {left:.0f} s"
            raise TokenRateLimitError(told, retry_after=left)
