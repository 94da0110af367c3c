"""An embedded installation on the real drivers, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

from benchmarks.world import make_fleet
from tigercore import Settings
from tigercore._plugins import choose
from tigercore.clock import SystemClock
from tigercore.settings import DriverSettings, store_of
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing.clock import driver_context

PRIVATE_KEY = "KEY" + "x" * 1_600  # as long as a key of 2 048 bits in base64


def installed(place: Path, url: str | None = None) -> Settings:
    """Return the settings that name the key file of this folder and a store, by default an SQLite file in it."""
    return Settings(
        store=DriverSettings(**store_of(url or f"sqlite:///{place / 'tigercore.db'}", "the benchmark")),
        cipher=DriverSettings(driver="local", options={"key_file": str(place / "root.key")}),
    )


async def install(place: Path, url: str | None = None) -> Settings:
    """Make a key file and the tables of an empty store; return the settings that name them."""
    settings = installed(place, url)
    cipher = choose(settings).cipher
    cipher.driver.create_root(cipher.options)
    await migrate(settings)
    return settings


async def migrate(settings: Settings) -> None:
    """Make the tables of the store that the settings name."""
    store = choose(settings).store
    await store.driver.schema(store.options).migrate()


async def populate(settings: Settings, count: int) -> None:
    """Write so many accounts and tokens into the empty store of an installation."""
    choice, context = choose(settings), driver_context(SystemClock())
    async with choice.store.open(context) as store, choice.cipher.open(context) as cipher:
        fleet = await make_fleet(count, cipher, ScriptedTigerClient(), PRIVATE_KEY)
        await store.apply(list(fleet.puts()))
