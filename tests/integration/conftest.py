"""tigercore on its real drivers, against the simulator on a local port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tigercore import Settings, Tigercore, open_tigercore
from tigercore._plugins import choose
from tigercore.settings import DriverSettings
from tigercore_cipher_local import keyfile
from tigercore_simulator import Limits, Simulator, open_simulator

Opener = Callable[[], AbstractAsyncContextManager[Tigercore]]


@pytest.fixture
async def gateway() -> AsyncIterator[Simulator]:
    """Run a gateway with four developers, one of them TBHK; its budgets are wide enough for a test."""
    licenses = ("TBSG", "TBHK", "TBNZ", "TBAU")
    async with open_simulator(developers=4, seed=3, licenses=licenses, limits=Limits(900, 900, 900, 900)) as simulator:
        yield simulator


@pytest.fixture
def portal(gateway: Simulator, tmp_path: Path) -> list[Path]:
    """Return the folders that the developer portal would have written, paper accounts only."""
    written = gateway.write(tmp_path / "portal")
    return [folder for folders in written.values() for folder in folders]


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """Return the settings of an embedded installation: an SQLite file and a local key."""
    key = tmp_path / "root.key"
    keyfile.create(str(key))
    chosen = Settings(
        store=DriverSettings(driver="sqlite", options={"path": str(tmp_path / "tigercore.db")}),
        cipher=DriverSettings(driver="local", options={"key_file": str(key)}),
    )
    store = choose(chosen).store
    await store.driver.schema(store.options).migrate()
    return chosen


@pytest.fixture
def opener(settings: Settings) -> Opener:
    """Return what opens tigercore on these settings."""
    return lambda: open_tigercore(settings)


@pytest.fixture
async def tiger(opener: Opener) -> AsyncIterator[Tigercore]:
    """Return tigercore, open."""
    async with opener() as opened:
        yield opened
