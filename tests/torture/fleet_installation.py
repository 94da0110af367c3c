"""A fleet in a folder: one store, one key file, one journal, and accounts of twenty developers at one gateway."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, final

import attrs

from tests.torture.backends import Backend
from tigercore import Settings, Tigercore, run_on
from tigercore.app import Ports
from tigercore.clock import Clock, SystemClock
from tigercore.settings import TokenSettings
from tigercore.testing._first_balancer import FirstBalancer
from tigercore.testing.clock import driver_context
from tigercore_cipher_local import LocalCipher, LocalOptions
from tigercore_client_httpx import HttpxClient, HttpxOptions

ACCOUNTS = 20
LEASE, SETTLE, TIMEOUT = 1.2, 2.2, 0.4
LIFE = 240.0  # seconds of a token, of which it is due after a hundredth
SETTINGS = Settings(
    tokens=TokenSettings(
        auto_refresh=True,
        refresh_at=0.01,
        lease=LEASE,
        settle=SETTLE,
        timeout=TIMEOUT,
        parallel=8,
        per_minute=100_000,
    )
)


@final
class SkewedClock(Clock):
    """This machine's clock, set wrong by so many seconds; `step` sets it anew."""

    def __init__(self, offset: float) -> None:
        self._machine = SystemClock()
        self._offset = offset

    def step(self, seconds: float) -> None:
        """Set the clock forward or back, as a person or NTP does."""
        self._offset += seconds

    def now(self) -> datetime:
        """Return the wrong time of day."""
        return self._machine.now() + timedelta(seconds=self._offset)

    def monotonic(self) -> float:
        """Return the time that nobody can set."""
        return self._machine.monotonic()


@asynccontextmanager
async def opened(
    folder: Path, backend: Backend, *, clock: Clock | None = None, settings: Settings = SETTINGS
) -> AsyncIterator[Tigercore]:
    """Open the installation as one process of the fleet."""
    clock = clock or SystemClock()
    context = driver_context(clock, seed=random.SystemRandom().getrandbits(32))
    key = LocalOptions(key_file=str(folder / "root.key"))
    async with (
        backend.open() as store,
        LocalCipher.open(key, context) as cipher,
        HttpxClient.open(HttpxOptions(), context) as client,
    ):
        ports = Ports(store, cipher, client, {"round_robin": FirstBalancer(None, context)})
        journal = folder / "journal"
        async with run_on(ports, settings, clock=clock, initiator="torture", journal=journal) as tiger:
            yield tiger


async def prepare(folder: Path, backend: Backend) -> None:
    """Make the tables, the key and the accounts that the gateway has written down."""
    LocalCipher.create_root(LocalOptions(key_file=str(folder / "root.key")))
    await backend.migrate()
    quiet = attrs.evolve(SETTINGS, tokens=attrs.evolve(SETTINGS.tokens, auto_refresh=False))
    async with opened(folder, backend, settings=quiet) as tiger:
        for given in developers(folder):
            await tiger.accounts.create_account(**given)


def developers(folder: Path) -> list[dict[str, Any]]:
    """Return what makes each account."""
    found: list[dict[str, Any]] = json.loads((folder / "gateway.json").read_text())
    return found
