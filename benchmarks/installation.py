"""An embedded installation on the real drivers, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

from benchmarks.world import make_fleet
from tigercore import Settings
from tigercore._plugins import choose
from tigercore.clock import SystemClock
from tigercore.settings import DriverSettings
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing.clock import driver_context

_PRIVATE_KEY = "KEY" + "x" * 1_600  # as long as a key of 2 048 bits in base64


async def install(place: Path) -> Settings:
    """Make a key file and an empty SQLite file; return the settings that name them."""
    settings = Settings(
        store=DriverSettings(driver="sqlite", options={"path": str(place / "tigercore.db")}),
        cipher=DriverSettings(driver="local", options={"key_file": str(place / "root.key")}),
    )
    choice = choose(settings)
    choice.cipher.driver.create_root(choice.cipher.options)
    await choice.store.driver.schema(choice.store.options).migrate()
    return settings


async def populate(settings: Settings, count: int) -> None:
    """Write so many accounts and tokens into the empty store of an installation."""
    choice, context = choose(settings), driver_context(SystemClock())
    async with choice.store.open(context) as store, choice.cipher.open(context) as cipher:
        fleet = await make_fleet(count, cipher, ScriptedTigerClient(), _PRIVATE_KEY)
        await store.apply(list(fleet.puts()))
