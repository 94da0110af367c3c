"""The composition root: `open_tigercore` chooses the drivers, `run_on` assembles the core on them."""

from __future__ import annotations

import getpass
import logging
import os
import random
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar, Unpack, final
from uuid import UUID

import attrs

from tigercore._background import open_background, supervise
from tigercore._budget import Budgets
from tigercore._duetimes import DueTimes
from tigercore._feed import PATIENCE, Feed
from tigercore._founding import found_ring
from tigercore._gatewayclock import GatewayClock
from tigercore._health import Health
from tigercore._journal import Journal
from tigercore._plugins import Hooks, choose, load_hooks
from tigercore._registry import AccountRegistry
from tigercore._selection import Selection, Wish
from tigercore._snapshot import Snapshot
from tigercore._sweep import Sweep
from tigercore._tally import Tally
from tigercore._tokenparts import token_manager
from tigercore._vault import Vault
from tigercore.accounts import TigerAccountManager
from tigercore.audit import AuditLog
from tigercore.clock import Clock, SystemClock
from tigercore.errors import PortError, TigerCoreError
from tigercore.keys import KeyManager
from tigercore.logins import LoginManager
from tigercore.model import OperationType, Principal, TigerAccount
from tigercore.ports import AccountStore, Cipher, Driver, DriverContext, LoadBalancer, TigerClient
from tigercore.router import AccountRouter
from tigercore.settings import Settings, TigerApiSettings, journal_folder, load_settings
from tigercore.tokens import TokenManager

P = TypeVar("P", bound=Driver)


@final
@attrs.frozen
class Ports:
    """The drivers, opened."""

    store: AccountStore
    cipher: Cipher
    client: TigerClient
    balancers: Mapping[str, LoadBalancer]


@final
@attrs.frozen
class Tigercore:
    """The open framework."""

    settings: Settings
    accounts: TigerAccountManager
    tokens: TokenManager
    router: AccountRouter
    keys: KeyManager
    logins: LoginManager
    audit: AuditLog

    async def execute(
        self,
        operation_type: OperationType | str,
        params: Mapping[str, Any] | None = None,
        *,
        account: TigerAccount | UUID | str | None = None,
        principal: Principal | None = None,
        deadline: float | None = None,
        intent_id: UUID | None = None,
        **wish: Unpack[Wish],
    ) -> Any:
        """Carry out an operation on the right account and return the gateway's data; see `AccountRouter.execute`."""
        return await self.router.execute(
            operation_type,
            params,
            account=account,
            principal=principal,
            deadline=deadline,
            intent_id=intent_id,
            **wish,
        )


_current: ContextVar[Tigercore] = ContextVar("tigercore")


@asynccontextmanager
async def open_tigercore(
    settings: Settings | str | Path | None = None, *, hooks: Iterable[object] = (), initiator: str | None = None
) -> AsyncIterator[Tigercore]:
    """Open the framework with the drivers that the settings name; without settings, as `load_settings` finds them.

    :raises SettingsError: the settings cannot be used; every fault is named.
    :raises StoreUnavailable: the store cannot be opened; the message names the command to run.
    :raises KeyUnavailable: the root key is not the one that this store was made with.
    """
    if not isinstance(settings, Settings):
        settings = load_settings(settings)
    choice = choose(settings)
    plugins = [*load_hooks(settings.plugins), *hooks]
    clock, rng = SystemClock(), random.Random()  # noqa: S311  (ids and jitter; keys come from the cipher)
    context = DriverContext(clock, rng, logging.getLogger("tigercore"))
    async with AsyncExitStack() as stack:
        ports = Ports(
            store=await stack.enter_async_context(choice.store.open(context)),
            cipher=await stack.enter_async_context(choice.cipher.open(context)),
            client=await stack.enter_async_context(choice.client.open(context)),
            balancers={
                name: await stack.enter_async_context(chosen.open(context)) for name, chosen in choice.balancers.items()
            },
        )
        root = run_on(
            ports,
            settings,
            hooks=Hooks(plugins),
            clock=clock,
            rng=rng,
            initiator=initiator,
            journal=journal_folder(settings.tokens),
        )
        yield await stack.enter_async_context(root)


@asynccontextmanager
async def run_on(
    ports: Ports,
    settings: Settings | None = None,
    *,
    hooks: Hooks | None = None,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    initiator: str | None = None,
    journal: Path | None = None,
) -> AsyncIterator[Tigercore]:
    """Assemble the core on open drivers and run it for the time of the block; tests start here.

    `journal` is the folder of tokens that were received and not yet stored; without one they are in memory alone.

    :raises BackgroundTaskFailed: a task of the core crashed.
    """
    settings, hooks, clock = settings or Settings(), hooks or Hooks(), clock or SystemClock()
    rng = rng or random.Random()  # noqa: S311  (ids and jitter; keys come from the cipher)
    await found_ring(ports.store, ports.cipher, rng)
    vault = Vault(ports.cipher, ports.client, clock)
    snapshot = Snapshot(ports.store, vault.adopt, clock, hold=settings.tokens.lease + settings.tokens.settle)
    await snapshot.load()
    feed, recovery = Feed(ports.store, snapshot, vault.heed), Journal(journal, f"{rng.getrandbits(64):016x}")
    async with aclosing(recovery), open_background() as nursery:
        tiger = _assemble(ports, settings, snapshot, vault, recovery, hooks, clock, rng, nursery, initiator or user())
        mark = _current.set(tiger)  # before any task starts: tasks inherit it
        try:
            nursery.start_soon(supervise, feed.listen, rng, PortError, PATIENCE)
            nursery.start_soon(supervise, snapshot.catch_up, rng, PortError)
            nursery.start_soon(vault.sweep)
            if settings.tokens.auto_refresh:
                await tiger.tokens.start_background_refresh_scheduler()
            for services in hooks.collect("tigercore_services", tiger=tiger):
                for service in services or ():
                    nursery.start_soon(supervise, service, rng)
            yield tiger
        finally:
            _current.reset(mark)


def _assemble(
    ports: Ports,
    settings: Settings,
    snapshot: Snapshot,
    vault: Vault,
    journal: Journal,
    hooks: Hooks,
    clock: Clock,
    rng: random.Random,
    nursery: Any,
    initiator: str,
) -> Tigercore:
    audit = AuditLog(ports.store, snapshot, hooks, clock, initiator)
    gateway = GatewayClock(clock, ports.client)
    due = DueTimes(snapshot, gateway, settings.tokens.refresh_at)
    registry = AccountRegistry(snapshot, vault, audit, hooks, clock, due)
    keys = KeyManager(snapshot, vault, ports.cipher, audit, Sweep(snapshot, audit, rng))
    accounts = TigerAccountManager(registry, snapshot, vault, keys, audit, clock, rng)
    tokens = token_manager(
        ports.store,
        snapshot,
        vault,
        audit,
        accounts,
        ports.client,
        hooks,
        journal,
        gateway,
        due,
        clock,
        rng,
        nursery,
        settings.tokens,
    )
    health, budgets = Health(clock, settings.router.eject_seconds), Budgets(clock)
    selection = Selection(snapshot, health, budgets, hooks, ports.balancers, settings.router.strategy)
    router = AccountRouter(
        selection,
        snapshot,
        accounts,
        tokens,
        ports.client,
        health,
        budgets,
        hooks,
        clock,
        Tally(accounts, nursery),
        settings.api,
    )
    logins = LoginManager(accounts, tokens, vault, audit, ports.client)
    return Tigercore(settings, accounts, tokens, router, keys, logins, audit)


def user() -> str:
    """Return who runs this process, for the audit log."""
    try:
        return f"{getpass.getuser()} (uid {os.geteuid()})"
    except (KeyError, OSError):
        return f"uid {os.geteuid()}"


# -- the requirement's accessors: they read what `open_tigercore` has set for this task and its children ------------


def current() -> Tigercore:
    """Return the `Tigercore` that is open around this code.

    :raises TigerCoreError: none is.
    """
    try:
        return _current.get()
    except LookupError:
        raise TigerCoreError("tigercore is not open here: call this inside `async with open_tigercore()`") from None


def get_account_manager() -> TigerAccountManager:
    """Return the account manager that is open around this code. Errors as `current`."""
    return current().accounts


def get_token_manager() -> TokenManager:
    """Return the token manager that is open around this code. Errors as `current`."""
    return current().tokens


def get_account_router() -> AccountRouter:
    """Return the account router that is open around this code. Errors as `current`."""
    return current().router


def get_config() -> Settings:
    """Return the settings that are in force around this code. Errors as `current`."""
    return current().settings


def get_tiger_api_config() -> TigerApiSettings:
    """Return the settings of the gateway that are in force around this code. Errors as `current`."""
    return current().settings.api
