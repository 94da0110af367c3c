"""tigercore on its real drivers, against the simulator on a local port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from uuid import uuid4

import pytest

from tests.servers.needed import needed
from tests.servers.postgres import PostgresServer, any_server
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


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """Return a PostgreSQL server."""
    with needed(any_server()) as started:
        yield started


def _postgres(server: PostgresServer) -> Iterator[DriverSettings]:
    name = f"tc_integration_{uuid4().hex}"
    yield DriverSettings(driver="postgres", options={"dsn": server.create_database(name)})
    server.drop_database(name)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kept_in(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DriverSettings]:
    """Return the settings of a new and empty store, on each backend in turn."""
    if request.param == "postgres":
        yield from _postgres(request.getfixturevalue("server"))
    else:
        yield DriverSettings(driver="sqlite", options={"path": str(tmp_path / "tigercore.db")})


@pytest.fixture
async def settings(tmp_path: Path, kept_in: DriverSettings) -> Settings:
    """Return the settings of an embedded installation: a store and a local key."""
    key = tmp_path / "root.key"
    keyfile.create(str(key))
    chosen = Settings(
        store=kept_in,
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
