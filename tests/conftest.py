"""The core on fakes: a world in which a test opens tigercore, and moves time by hand."""

from __future__ import annotations

import random
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import pytest

from tigercore import Settings, TigerAccount, Tigercore, run_on
from tigercore._plugins import Hooks
from tigercore.app import Ports
from tigercore.ports import LoadBalancer
from tigercore.testing._first_balancer import FirstBalancer
from tigercore.testing._memory_store import MemoryAccountStore, MemoryBackend, MemoryOptions
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing._toy_cipher import ToyCipher, ToyOptions
from tigercore.testing.clock import ManualClock, driver_context

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell lets what it runs in the background ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)

NAMES = ("round_robin", "random", "least_used", "fastest_response")


@attrs.define
class World:
    """Everything that a test of the core holds in its hands."""

    clock: ManualClock = attrs.field(factory=ManualClock)
    backend: MemoryBackend = attrs.field(factory=MemoryBackend)
    client: ScriptedTigerClient = attrs.field(factory=ScriptedTigerClient)
    balancers: dict[str, LoadBalancer] = attrs.field(factory=dict)
    hooks: Hooks = attrs.field(factory=Hooks)
    settings: Settings = attrs.field(factory=Settings)
    store: MemoryAccountStore = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        context = driver_context(self.clock)
        self.store = MemoryAccountStore(MemoryOptions(self.backend), context)
        self.balancers = self.balancers or {name: FirstBalancer(None, context) for name in NAMES}

    def open(self) -> AbstractAsyncContextManager[Tigercore]:
        """Open tigercore in this world; opening again finds what was stored."""
        cipher = ToyCipher(ToyOptions("root"), driver_context(self.clock))
        ports = Ports(self.store, cipher, self.client, self.balancers)
        return run_on(ports, self.settings, hooks=self.hooks, clock=self.clock, rng=random.Random(1), initiator="test")


_numbers = iter(range(10_000_000, 99_999_999))


def given(**changes: Any) -> dict[str, Any]:
    """Return what makes an account, with another number each time."""
    number = str(next(_numbers))
    return {
        "account_name": f"account {number}",
        "account_number": number,
        "tiger_id": "20150001",
        "private_key": "KEY of a developer",
        "environment": "sandbox",
        "server_url": "http://127.0.0.1:1/gateway",
        **changes,
    }


def paper(**changes: Any) -> dict[str, Any]:
    """Return what makes a paper account."""
    return given(account_number=f"{next(_numbers):017}", account_type="PAPER", **changes)


async def add(tiger: Tigercore, **changes: Any) -> TigerAccount:
    """Create an account that differs from the others in these fields."""
    return await tiger.accounts.create_account(**given(**changes))


@pytest.fixture
def world() -> World:
    """Return a fresh world."""
    return World()


@pytest.fixture
async def tiger(world: World) -> AsyncIterator[Tigercore]:
    """Return tigercore, open in the world."""
    async with world.open() as opened:
        yield opened


@asynccontextmanager
async def reopened(world: World) -> AsyncIterator[Tigercore]:
    """Open the world again, as another process would."""
    async with world.open() as opened:
        yield opened
