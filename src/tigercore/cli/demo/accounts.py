"""An installation for the demo: a key file, an encrypted database, and the accounts of the simulator's developers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import final

import attrs
import trio

from tigercore._plugins import choose
from tigercore.app import Tigercore
from tigercore.cli.demo.gateway import Simulator
from tigercore.errors import TokenRefreshError
from tigercore.model import AccountType, MarketPermission, TigerAccount
from tigercore.settings import DriverSettings, RouterSettings, Settings, TigerApiSettings

_PERMISSIONS = (MarketPermission.US_STOCK, MarketPermission.US_OPTION)


@final
@attrs.frozen
class Developer:
    """A developer with the accounts that were enrolled, the paper account first."""

    tiger_id: str
    accounts: tuple[TigerAccount, ...]


async def install(place: Path) -> Settings:
    """Make a key file and an empty database in `place`, and return the settings that name them.

    :raises SettingsError: a driver is not installed.
    """
    settings = Settings(
        store=DriverSettings(driver="sqlite", options={"path": str(place / "tigercore.db")}),
        cipher=DriverSettings(driver="local", options={"key_file": str(place / "root.key")}),
        router=RouterSettings(eject_seconds=2.0),  # a demo has no half minute to wait for an account to come back
        api=TigerApiSettings(tiger_api_timeout=5.0),
    )
    choice = choose(settings)
    await trio.to_thread.run_sync(choice.cipher.driver.create_root, choice.cipher.options)
    await choice.store.driver.schema(choice.store.options).migrate()
    return settings


async def enrol(tiger: Tigercore, simulator: Simulator) -> tuple[Developer, ...]:
    """Enrol every account from the portal's files; the first developer's paper account becomes the default one.

    :raises AccountValidationError: a file does not make an account.
    """
    developers: list[Developer] = []
    for simulated in simulator.developers:
        accounts = [await _enrol(tiger, folder, is_first=not developers) for folder in simulated.folders]
        developers.append(Developer(simulated.tiger_id, tuple(accounts)))
    return tuple(developers)


async def _enrol(tiger: Tigercore, folder: Path, *, is_first: bool) -> TigerAccount:
    create = partial(tiger.accounts.create_account_from_properties, folder, market_permissions=_PERMISSIONS)
    if folder.name.endswith("-prime"):
        return await create(account_type=AccountType.PRIME)
    return await create(is_default_trading=is_first)


async def refresh_tokens(tiger: Tigercore, developers: Sequence[Developer]) -> None:
    """Refresh the token of every developer who needs one; all of the developer's accounts get it.

    :raises TokenRefreshError: the gateway gave no new token.
    """
    async with trio.open_nursery() as nursery:
        for developer in developers:
            if developer.accounts[0].needs_token:
                nursery.start_soon(_refresh, tiger, developer.accounts[0])


async def _refresh(tiger: Tigercore, account: TigerAccount) -> None:
    success, error = await tiger.tokens.refresh_token(account)
    if not success:
        raise TokenRefreshError(error)
