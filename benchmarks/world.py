"""Many accounts, made in bulk, and tigercore opened on them in memory."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, final
from uuid import UUID

import attrs
import trio

from tigercore import Settings, Tigercore, run_on
from tigercore._plugins import choose_driver
from tigercore._selection import Wish
from tigercore._vault import Vault
from tigercore.app import Ports
from tigercore.clock import SystemClock
from tigercore.errors import ClientError, NotProcessed, RateLimited
from tigercore.model import (
    AccountType,
    Credentials,
    Environment,
    KeyRing,
    License,
    MarketPermission,
    OperationType,
    Secret,
    TigerAccount,
    Token,
    TokenState,
)
from tigercore.ports import (
    AccountRow,
    Authorization,
    Cipher,
    DriverContext,
    GatewayRequest,
    LoadBalancer,
    Prompt,
    Put,
    Signer,
    TigerClient,
    TokenRow,
)
from tigercore.settings import DriverSettings, RouterSettings, TigerApiSettings, TokenSettings, journal_folder
from tigercore.testing._gateway import token_text
from tigercore.testing._memory_store import MemoryAccountStore, MemoryBackend, MemoryOptions
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import driver_context

STRATEGIES = ("round_robin", "random", "least_used", "fastest_response")
FILTERS: Wish = {
    "account_type": AccountType.STANDARD,
    "environment": Environment.SANDBOX,
    "license": License.TBHK,
    "market_permissions": [MarketPermission.US_STOCK, MarketPermission.US_OPTION],
}
SHARE = 2  # accounts of one developer: a real one and a paper one
_MISFITS: tuple[Mapping[str, Any], ...] = (
    {"account_type": AccountType.PAPER},
    {"environment": Environment.PRODUCTION},
    {"license": License.TBSG},
    {"market_permissions": frozenset({MarketPermission.HK_STOCK})},
)
_RING = UUID(int=1, version=4)
_LONG = 86_400.0  # seconds that an account rests, longer than any run
_TRIES = 5  # failures in a row after which an account rests


@final
@attrs.frozen
class Fleet:
    """Accounts with their tokens, sealed under the ring."""

    ring: KeyRing
    accounts: tuple[AccountRow, ...]
    tokens: tuple[TokenRow, ...]

    def puts(self) -> Iterator[Put]:
        """Yield the changes that write the fleet into an empty store."""
        yield Put(attrs.evolve(self.ring, version=0))
        for row in self.accounts:
            yield Put(attrs.evolve(row, account=attrs.evolve(row.account, version=0)))
        yield from (Put(attrs.evolve(row, version=0)) for row in self.tokens)


async def unlock(cipher: Cipher) -> KeyRing:
    """Give a cipher that is open its first key, and return the ring."""
    ring = KeyRing(_RING, 1)
    ring = await cipher.authenticate(attrs.evolve(ring, keys=(await cipher.create_key(ring),)))
    ring = attrs.evolve(ring, version=1)  # as it stands once it was put
    await cipher.unlock(ring)
    return ring


async def make_fleet(count: int, cipher: Cipher, client: TigerClient, private_key: str = "KEY of a bench") -> Fleet:
    """Make so many accounts, two to a developer, each with a token. What the filters ask for fits four of five."""
    ring = await unlock(cipher)
    vault, now = Vault(cipher, client, SystemClock()), datetime.now(UTC)
    token = Token.parse(token_text(now, timedelta(days=30)))
    accounts = [_account(number, now) for number in range(count)]
    rows = (vault.seal(account, _credentials(number, private_key), 1) for number, account in enumerate(accounts))
    return Fleet(ring, tuple(rows), tuple(_token_row(vault, account, token) for account in accounts))


def _account(number: int, now: datetime) -> TigerAccount:
    account = TigerAccount(
        id=UUID(int=number + 1, version=4),
        account_name=f"account {number}",
        account_number=str(50_000_000 + number),
        account_type=AccountType.STANDARD,
        environment=Environment.SANDBOX,
        license=License.TBHK,
        created_at=now,
        updated_at=now,
        market_permissions=frozenset(FILTERS["market_permissions"]) | {MarketPermission.HK_STOCK},
        server_url="http://127.0.0.1:1/gateway",
        developer=f"developer {number // SHARE}",
        version=1,
    )
    if number % 5:
        return account
    misfit = dict(_MISFITS[number // 5 % len(_MISFITS)])
    if "account_type" in misfit:
        misfit["account_number"] = str(10**16 + number)  # a paper account has 17 digits
    return attrs.evolve(account, **misfit)


def _credentials(number: int, private_key: str) -> Credentials:
    return Credentials(Secret(str(20_150_000 + number // SHARE)), Secret(private_key))


def _token_row(vault: Vault, account: TigerAccount, token: Token) -> TokenRow:
    sealed, ends = vault.seal_token(TokenRow(account.id, TokenState.VALID), token), token.expires_at
    return attrs.evolve(sealed, issued_at=token.issued_at, expires_at=ends, next_at=ends, version=1)


class NullClient(TigerClient):
    """Answer every call with nothing, after one checkpoint: what is left is tigercore's own cost."""

    def __init__(self, context: DriverContext) -> None:
        super().__init__(None, context)
        self._scripted = ScriptedTigerClient(None, context)

    def validate(self, credentials: Credentials, endpoint: Any) -> None:
        self._scripted.validate(credentials, endpoint)

    def signer(self, credentials: Credentials, endpoint: Any) -> Signer:
        return self._scripted.signer(credentials, endpoint)

    async def call(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        await trio.lowlevel.checkpoint()

    async def refresh(self, signer: Signer, token: Token) -> Token:
        return await self._scripted.refresh(signer, token)

    async def probe(self, signer: Signer, token: Token | None) -> bool:
        return await self._scripted.probe(signer, token)

    @property
    def skew(self) -> float | None:
        return self._scripted.skew

    async def authorize(self, wanted: Authorization, show: Callable[[Prompt], None]) -> Token:
        return await self._scripted.authorize(wanted, show)

    async def revoke(self, signer: Signer, token: Token) -> None:
        await self._scripted.revoke(signer, token)


@asynccontextmanager
async def opened(count: int, client: TigerClient, tokens: TokenSettings | None = None) -> AsyncIterator[Tigercore]:
    """Open tigercore with so many accounts on the memory store, the real strategies and the machine's clock."""
    context = driver_context(SystemClock())
    settings = Settings(
        router=RouterSettings(eject_seconds=_LONG),
        api=TigerApiSettings(tiger_api_retries=_TRIES - 1),
        tokens=tokens or TokenSettings(),
    )
    journal = None if tokens is None else journal_folder(tokens)
    cipher = ToyCipher(ToyOptions(), context)
    backend = MemoryBackend()
    _fill(backend, await make_fleet(count, cipher, client))
    async with AsyncExitStack() as stack:
        chosen = {name: choose_driver(LoadBalancer, DriverSettings(driver=name), name) for name in STRATEGIES}
        balancers = {name: await stack.enter_async_context(each.open(context)) for name, each in chosen.items()}
        ports = Ports(MemoryAccountStore(MemoryOptions(backend), context), cipher, client, balancers)
        rng = random.Random(1)
        yield await stack.enter_async_context(
            run_on(ports, settings, clock=SystemClock(), rng=rng, initiator="bench", journal=journal)
        )


def _fill(backend: MemoryBackend, fleet: Fleet) -> None:
    """Write the rows past `apply`, whose checks of uniqueness take long with many accounts."""
    tables = backend.tables
    tables.ring, tables.revision = fleet.ring, 1
    tables.accounts.update((row.id, row) for row in fleet.accounts)
    tables.tokens.update((row.id, row) for row in fleet.tokens)
    tables.accounts_put_at.update((row.id, 1) for row in fleet.accounts)
    tables.tokens_put_at.update((row.id, 1) for row in fleet.tokens)


async def trouble(tiger: Tigercore, client: ScriptedTigerClient, count: int) -> None:
    """Let one of a hundred accounts rest because its calls failed, and use up the budget of as many developers."""
    accounts = [each for each in await tiger.accounts.list_accounts() if each.license is License.TBHK]
    stride = len(accounts) // max(count // 100, 1)
    for failing, limited in zip(accounts[1::stride], accounts[1 + stride // 2 :: stride], strict=False):
        client.fail(None, None, NotProcessed("quote_real_time", "the connection is refused"), _TRIES)
        client.fail(None, None, RateLimited("quote_real_time", "rate limit error", retry_after=_LONG))
        for account in (failing, limited):
            with suppress(ClientError):
                await tiger.execute(OperationType.QUOTE, account=account)
