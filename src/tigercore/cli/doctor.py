"""`tigercore doctor`: one line for each check, and what to do where it is not well."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tigercore._plugins import Choice, choose
from tigercore.app import Tigercore
from tigercore.cli._common import COMMON, Common, opened
from tigercore.cli._exit import Exit, one_line
from tigercore.cli._findings import Finding, Level, files, gateways, key_ring, plugins, tokens
from tigercore.cli._output import show_rows
from tigercore.errors import SettingsError, TigerCoreError
from tigercore.settings import Settings


async def doctor(
    *,
    offline: Annotated[bool, Parameter(help="Leave the gateway out.", negative=())] = False,
    common: Common = COMMON,
) -> int:
    """Check settings, plugins, files, store, key, tokens and gateway; the exit code is 1 if any check fails.

    Each account's key and token are tried with one cheap read, unless told to stay offline.
    """
    found = await _examined(common, offline=offline)
    rows = [{"level": each.level, "check": each.check, "finding": one_line(each.text)} for each in found]
    show_rows(common, rows, rows, nothing="")
    return Exit.FAILED if any(each.level is Level.FAIL for each in found) else Exit.DONE


async def _examined(common: Common, *, offline: bool) -> list[Finding]:
    """Go from the outside in, and stop where nothing behind it can be looked at."""
    try:
        settings = common.settings()
        choice = choose(settings)
    except SettingsError as error:
        return [Finding(Level.FAIL, "settings", fault) for fault in error.faults]
    found = [Finding(Level.OK, "settings", "they fit, and every driver is there"), *plugins(settings), *files(settings)]
    found.append(await _schema(choice))
    try:
        async with opened(settings) as tiger:
            found.append(Finding(Level.OK, "key", "the root key opens the ring of this store"))
            found += key_ring(tiger.keys.status())
            found += await _accounts(tiger, settings, offline=offline)
    except TigerCoreError as error:
        found.append(Finding(Level.FAIL, "opening", str(error)))
    return found


async def _schema(choice: Choice) -> Finding:
    try:
        status = await choice.store.driver.schema(choice.store.options).status()
    except TigerCoreError as error:
        return Finding(Level.FAIL, "schema", str(error))
    if status.pending:
        return Finding(Level.FAIL, "schema", f"{', '.join(status.pending)} pending: run tigercore db migrate")
    return Finding(Level.OK, "schema", f"revision {status.current}")


async def _accounts(tiger: Tigercore, settings: Settings, *, offline: bool) -> list[Finding]:
    accounts = await tiger.accounts.list_accounts()
    if not accounts:
        return [Finding(Level.WARN, "accounts", "there are none: run tigercore account import PATH")]
    found = [Finding(Level.OK, "accounts", f"{len(accounts)} are kept"), *await tokens(tiger, accounts)]
    if not offline:
        found += await gateways(tiger, accounts, settings.tokens.parallel)
    return found
