"""What the commands have in common: their shared options, and the framework opened for one command."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, final
from uuid import UUID

import attrs
from cyclopts import Group, Parameter

from tigercore._plugins import choose_driver
from tigercore._selection import Wish
from tigercore.app import Tigercore, open_tigercore
from tigercore.cli._exit import UsageError
from tigercore.clock import SystemClock
from tigercore.errors import AccountNotFoundError
from tigercore.model import AccountType, Environment, License, MarketPermission, TigerAccount
from tigercore.ports import Driver, DriverContext
from tigercore.settings import DriverSettings, Settings, load_settings

_EVERYWHERE = Group("Everywhere", sort_key=100)


@Parameter(name="*", group=_EVERYWHERE)
@final
@attrs.frozen(kw_only=True)
class Common:
    """The options of every command."""

    config: Annotated[Path | None, Parameter(help="The settings; else TIGERCORE_CONFIG, else ./tigercore.toml.")] = None
    json: Annotated[bool, Parameter(help="Print one JSON document.", negative=())] = False
    verbose: Annotated[bool, Parameter(help="Log to stderr, as TIGERCORE_LOG=DEBUG does.", negative=())] = False

    def settings(self) -> Settings:
        """Return the settings, read from where the command was told to. Errors as `load_settings`."""
        return load_settings(self.config)


COMMON = Common()


@Parameter(name="*")
@final
@attrs.frozen(kw_only=True)
class WishOptions:
    """What may be said about the account to choose."""

    strategy: Annotated[str | None, Parameter(help="The strategy that orders the accounts.")] = None
    type: Annotated[AccountType | None, Parameter(help="Only accounts of this type.")] = None
    environment: Annotated[Environment | None, Parameter(help="Only accounts of this environment.")] = None
    license: Annotated[License | None, Parameter(help="Only accounts of this licence.")] = None
    permission: Annotated[
        tuple[MarketPermission, ...], Parameter(help="Only accounts with this permission; repeatable.", negative=())
    ] = ()

    def wish(self) -> Wish:
        """Return the same in the router's words."""
        return {
            "strategy": self.strategy,
            "account_type": self.type,
            "environment": self.environment,
            "license": self.license,
            "market_permissions": self.permission,
        }


ANY = WishOptions()


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Tigercore]:
    """Open the framework for one command: without the scheduler, which is for programs that stay. Errors as it."""
    quiet = attrs.evolve(settings, tokens=attrs.evolve(settings.tokens, auto_refresh=False))
    async with open_tigercore(quiet) as tiger:
        yield tiger


@asynccontextmanager
async def opened_port(port: type[Driver], chosen: DriverSettings, path: str) -> AsyncIterator[Any]:
    """Open one driver alone, as the settings at this path choose it. Errors as the driver's `open`."""
    context = DriverContext(SystemClock(), random.Random(), logging.getLogger("tigercore"))  # noqa: S311  (for ids)
    async with choose_driver(port, chosen, path).open(context) as opened_driver:
        yield opened_driver


async def find_account(tiger: Tigercore, text: str) -> TigerAccount:
    """Return the one account with this id, number or exact name.

    :raises AccountNotFoundError: there is none.
    :raises UsageError: there are more.
    """
    found = [each for each in await tiger.accounts.list_accounts() if _answers(each, text)]
    if not found:
        raise AccountNotFoundError(f"no account has the id, number or name {text!r}: see `tigercore account list`")
    if len(found) > 1:
        raise UsageError(f"{len(found)} accounts answer to {text!r}: name one by its id: {', '.join(_ids(found))}")
    return found[0]


def make_private(directory: Path) -> None:
    """Make a directory that its owner alone may enter, and so each one above it that is not there."""
    if not directory.is_dir():
        make_private(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)


def _answers(account: TigerAccount, text: str) -> bool:
    return text in (account.account_number, account.account_name) or account.id == _uuid(text)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _ids(accounts: list[TigerAccount]) -> list[str]:
    return [f"{each.id} ({each.account_number})" for each in accounts]
