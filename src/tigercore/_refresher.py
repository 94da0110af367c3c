"""What a developer's token needs: a new one, a look at the gateway after a loss, or a person."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NoReturn, final

import trio

from tigercore import _refresh as rules
from tigercore._exchange import Claim, TokenExchange, needs_a_person
from tigercore._gatewayclock import GatewayClock
from tigercore._keeper import TokenKeeper
from tigercore._plugins import Hooks
from tigercore._refresh import Step
from tigercore._snapshot import Snapshot
from tigercore._vault import Vault
from tigercore.accounts import TigerAccountManager
from tigercore.errors import (
    ClientError,
    DecryptionFailed,
    JournalUnusable,
    KeyUnavailable,
    PortError,
    SigningFrozen,
    StaleVersion,
    TigerCoreError,
    TokenManagerError,
    TokenRefreshError,
)
from tigercore.model import Authentication, RefreshTrigger, TigerAccount, Token, TokenRefreshStatus, TokenState
from tigercore.ports import AccountStore, Put, TigerClient, TokenAttempt, TokenRow
from tigercore.settings import TokenSettings

_ALL = 1_000_000  # attempts: more than any fleet has open
_TRIES = 5  # writes of other processes that the taking of one lease may meet
_GIVE_BACK = 2.0  # seconds that giving a claim back may take, whatever is cancelled around it


@final
class Refresher:
    """Do with a token what its rows call for; the rules say what that is."""

    def __init__(
        self,
        store: AccountStore,
        snapshot: Snapshot,
        vault: Vault,
        accounts: TigerAccountManager,
        client: TigerClient,
        keeper: TokenKeeper,
        exchange: TokenExchange,
        gateway: GatewayClock,
        hooks: Hooks,
        settings: TokenSettings,
    ) -> None:
        self._store = store
        self._snapshot = snapshot
        self._vault = vault
        self._accounts = accounts
        self._client = client
        self._keeper = keeper
        self._exchange = exchange
        self._gateway = gateway
        self._hooks = hooks
        self._settle = timedelta(seconds=settings.settle)

    async def refresh(self, account: TigerAccount, trigger: RefreshTrigger, claim: Claim | None = None) -> None:
        """Get a new token for the developer of an account; `claim` says that this process has just claimed its row.

        :raises TokenManagerError: there is no new token; the row says where the old one stands.
        """
        state = self._snapshot.token(account.id).state
        if state is TokenState.NOT_REQUIRED:
            return
        if state is TokenState.DISABLED:
            raise needs_a_person(account, "its token was put out of use")
        claim = claim or self._exchange.claim()
        try:
            self._accounts.signer(account)  # who cannot sign takes no lease
            await self._keeper.ready()
            for _ in range(_TRIES):
                with suppress(StaleVersion):
                    return await self._try(account, trigger, claim)
                await self._snapshot.load()
        except BaseException as error:
            await self.give_back(account, claim)
            self._tell(account, error)
            raise
        told = f"{account.account_name}: its token is being changed by others all the time; try again"
        self._mourn(account, told)
        raise TokenRefreshError(told)

    async def settle(self, account: TigerAccount, claimed_by: str | None = None) -> bool:
        """Look into a token in doubt once nothing that was sent can change it any more; say whether it got a new one.

        :raises TokenManagerError: another process holds the lease, it is too early to ask, or the token is dead.
        """
        await self._snapshot.load()
        await self._keeper.adopt()
        family, at = self._snapshot.token_family(account), self._snapshot.now()
        match rules.next_step(family, at, claimed_by):
            case Step.REFRESH:
                return False
            case Step.WAIT:
                raise TokenRefreshError(f"{account.account_name}: {_waiting(family)}")
            case Step.DOUBT:
                doubtful = rules.in_doubt(family, at, self._settle)
                await self._snapshot.commit([Put(row) for row in doubtful])
                raise TokenRefreshError(f"{account.account_name}: {_waiting(doubtful)}")
            case Step.PROBE:
                return await self.look_into(account)

    async def look_into(self, account: TigerAccount) -> bool:
        """Ask the gateway whether the newest token lives; if not, get another, once. Returns and raises as `settle`."""
        family = self._snapshot.token_family(account)
        newest = rules.newest(family)
        token = newest and self._vault.open_token(newest)
        if newest is None or token is None:
            await self._bury(account, family, "it has no token")
        if await self._is_alive(account, family, token):
            rows = self._exchange.patient(
                [self._keeper.alive(row, token, family, account.license) for row in rules.in_use(family)]
            )
            await self._keeper.end(rows, await self._lost(family), *_verdict(account))
            return False
        if self._has_ended(account, newest) or not any(row.state is TokenState.UNCERTAIN for row in family):
            await self._bury(account, family, "its token is dead")
        lost, claim = await self._lost(family), self._exchange.claim()
        await self._exchange.run(account, family, token, RefreshTrigger.ERROR, claim, lost)
        return True

    async def give_back(self, account: TigerAccount, claim: Claim, look: datetime | None = None) -> None:
        """Let others have a row that the store gave to this process and that nobody has written since.

        It is due again at `look`, or after a while, as if a try had failed.
        """
        family = self._snapshot.token_family(account)
        if claim.row is None or claim.row not in family:
            return
        rows = self._exchange.put_off(family, TokenState.VALID)
        if look is not None:
            rows = rules.released(family, TokenState.VALID, look)
        with trio.move_on_after(_GIVE_BACK, shield=True), suppress(PortError):
            await self._snapshot.commit([Put(row) for row in rows])

    async def end_lost_attempts(self) -> None:
        """End attempts that nobody will end: their rows are in no doubt, since a person brought a token, say.

        They were open before the rows were read, and still are: whoever leases or settles a row writes both at once.
        A row that this process is about to write says here already what it does not say in the store.
        """
        before = {each.id for each in await self._started()}
        if not before:
            return
        await self._snapshot.load()
        busy = (TokenState.REFRESHING, TokenState.UNCERTAIN)
        rows = self._snapshot.tokens.values()
        open_rows = {row.id for row in rows if row.state in busy or self._snapshot.is_held(row)}
        lost = [each for each in await self._started() if each.id in before and each.account_id not in open_rows]
        if lost:
            await self._keeper.end([], lost, TokenRefreshStatus.LOST, "nobody knows what became of it")

    async def _started(self) -> list[TokenAttempt]:
        return await self._store.token_attempts(status=TokenRefreshStatus.STARTED, limit=_ALL)

    async def _try(self, account: TigerAccount, trigger: RefreshTrigger, claim: Claim) -> None:
        """Refresh the token as it stands in memory; if another has written meanwhile the lease is refused."""
        family = self._snapshot.token_family(account)
        if rules.next_step(family, self._snapshot.now(), claim.owner) is not Step.REFRESH:
            if await self.settle(account, claim.owner):
                return
            family = self._snapshot.token_family(account)
        newest = rules.newest(family)
        token = newest and self._vault.open_token(newest)
        if newest is None or token is None or self._has_ended(account, newest):
            await self._bury(account, family, "an expired token cannot be refreshed")
        if self._may_have_ended(account, newest):
            await self.look_into(account)
            family = self._snapshot.token_family(account)
        await self._exchange.run(account, family, token, trigger, claim)

    async def _is_alive(self, account: TigerAccount, family: Sequence[TokenRow], token: Token) -> bool:
        try:
            alive = await self._client.probe(self._accounts.signer(account), token)
        except (ClientError, SigningFrozen, DecryptionFailed, KeyUnavailable) as error:
            if isinstance(error, ClientError):
                self._exchange.heard(account, error)
            doubtful = self._exchange.put_off(family, TokenState.UNCERTAIN)
            await self._snapshot.commit([Put(row) for row in doubtful])
            told = f"{account.account_name}: its token is in doubt, and asking failed: {error}"
            self._mourn(account, told)
            raise TokenRefreshError(told) from error
        self._exchange.heard(account, None)
        return alive

    def _tell(self, account: TigerAccount, error: BaseException) -> None:
        """Let plugins hear what kept a refresh from being begun; of one that was begun they have heard."""
        is_told = isinstance(error, TokenManagerError) and not isinstance(error, JournalUnusable)
        if isinstance(error, TigerCoreError) and not is_told:
            self._mourn(account, str(error))

    def _mourn(self, account: TigerAccount, reason: str) -> None:
        failures = max((row.failures for row in self._snapshot.token_family(account)), default=0)
        self._hooks.notify("tigercore_token_refresh_failed", account=account, reason=reason, failures=failures)

    async def _bury(self, account: TigerAccount, family: Sequence[TokenRow], why: str) -> NoReturn:
        lost = await self._lost(family)
        await self._keeper.end(rules.dead(family), lost, TokenRefreshStatus.LOST, why)
        self._mourn(account, why)
        raise needs_a_person(account, why)

    async def _lost(self, family: Sequence[TokenRow]) -> list[TokenAttempt]:
        """Return the attempts of which nobody knows yet how they ended."""
        return await self._store.token_attempts({row.id for row in family}, status=TokenRefreshStatus.STARTED)

    def _has_ended(self, account: TigerAccount, row: TokenRow) -> bool:
        """Say whether a token is over for good: OAuth2 goes on with its refresh token."""
        return self._may_have_ended(account, row) and self._gateway.may_judge

    def _may_have_ended(self, account: TigerAccount, row: TokenRow) -> bool:
        return account.authentication is not Authentication.OAUTH2 and rules.has_expired(row, self._gateway.now())


def _verdict(account: TigerAccount) -> tuple[TokenRefreshStatus, str]:
    """Return how a lost attempt has ended whose token of before still lives.

    A call is answered for a grant's access token; of the refresh token, which is used once, that says nothing.
    """
    if account.authentication is Authentication.OAUTH2:
        return TokenRefreshStatus.LOST, "nobody knows whether the refresh token was used up; the access token lives"
    return TokenRefreshStatus.OLD_ALIVE, "the token of before still lives"


def _waiting(family: Sequence[TokenRow]) -> str:
    look = rules.next_at(row for row in family if row.state is TokenState.UNCERTAIN)
    if look is None:
        return "its token is being refreshed already; wait for it"
    return f"a refresh was lost; the gateway can be asked about it at {look:%H:%M:%S} UTC"
