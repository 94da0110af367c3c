"""What keeps tokens alive, put together: the parts of `TokenManager`, each of which knows only those before it."""

from __future__ import annotations

import random

import trio

from tigercore._alarms import Alarms
from tigercore._duetimes import DueTimes
from tigercore._exchange import TokenExchange
from tigercore._flights import Flights
from tigercore._gate import Gate
from tigercore._gatewayclock import GatewayClock
from tigercore._journal import Journal
from tigercore._keeper import TokenKeeper
from tigercore._outage import Outage
from tigercore._plugins import Hooks
from tigercore._refresher import Refresher
from tigercore._scheduler import Scheduler
from tigercore._snapshot import Snapshot
from tigercore._tokensource import TokenSource
from tigercore._vault import Vault
from tigercore.accounts import TigerAccountManager
from tigercore.audit import AuditLog
from tigercore.clock import Clock
from tigercore.ports import AccountStore, TigerClient
from tigercore.settings import TokenSettings
from tigercore.tokens import TokenManager


def token_manager(
    store: AccountStore,
    snapshot: Snapshot,
    vault: Vault,
    audit: AuditLog,
    accounts: TigerAccountManager,
    client: TigerClient,
    hooks: Hooks,
    journal: Journal,
    gateway: GatewayClock,
    due: DueTimes,
    clock: Clock,
    rng: random.Random,
    nursery: trio.Nursery,
    settings: TokenSettings,
) -> TokenManager:
    """Assemble the manager of tokens."""
    gate, outage, flights = Gate(), Outage(clock, rng), Flights(nursery)
    keeper = TokenKeeper(store, snapshot, vault, audit, hooks, journal, due, clock, nursery)
    exchange = TokenExchange(
        snapshot,
        vault,
        audit,
        accounts,
        client,
        hooks,
        keeper,
        gateway,
        gate,
        outage,
        clock,
        rng,
        settings,
        owner=journal.owner,
    )
    refresher = Refresher(store, snapshot, vault, accounts, client, keeper, exchange, gateway, hooks, settings)
    alarms = Alarms(snapshot, gateway, due, hooks)
    scheduler = Scheduler(
        store, snapshot, vault, keeper, exchange, refresher, flights, outage, gateway, due, alarms, rng, settings
    )
    source = TokenSource(store, snapshot, vault, refresher, flights, gateway)
    return TokenManager(
        store,
        snapshot,
        vault,
        accounts,
        client,
        source,
        scheduler,
        gate,
        due,
        clock,
        nursery,
        settings,
    )
