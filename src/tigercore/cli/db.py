"""`tigercore db`: the schema of the store, and a move to another one."""

from __future__ import annotations

import sys
from typing import Annotated
from urllib.parse import parse_qsl

from cyclopts import App, Parameter

from tigercore._plugins import choose_driver
from tigercore.cli._common import COMMON, Common, opened_port
from tigercore.cli._exit import Exit, UsageError
from tigercore.cli._input import confirm
from tigercore.cli._output import fields_of, show_fields, show_lines
from tigercore.cli.backup import mover_with, told
from tigercore.ports import AccountStore, Schema, SchemaStatus, TigerClient
from tigercore.settings import DriverSettings, Settings, store_of

app = App(name="db", help="Bring the store's schema up to date, look at it, or move to another store.")


@app.command
async def migrate(*, common: Common = COMMON) -> None:
    """Bring the store to the revision that this program needs; its data stays."""
    _show(common, await _schema(common).migrate())


@app.command
async def status(*, common: Common = COMMON) -> int:
    """Tell which revision the store has; the exit code is 1 if some are pending."""
    found = await _schema(common).status()
    _show(common, found)
    return Exit.FAILED if found.pending else Exit.DONE


@app.command
async def rollback(
    *,
    yes: Annotated[bool, Parameter(help="Do not ask.", negative=())] = False,
    drop_everything: Annotated[
        bool, Parameter(help="With --yes: take even the first revision back, and lose every account.", negative=())
    ] = False,
    common: Common = COMMON,
) -> int:
    """Take the last revision back; data that it alone holds is lost. The first one holds everything."""
    schema = _schema(common)
    found = await schema.status()
    if not _may_go(found, yes=yes, everything=drop_everything):
        _show(common, found)
        return Exit.FAILED
    _show(common, await schema.rollback())
    return Exit.DONE


@app.command
async def check(*, common: Common = COMMON) -> int:
    """Name every difference between the store and what this program needs; the exit code is 1 if there is any."""
    differences = await _schema(common).check()
    show_lines(common, {"differences": differences}, *(differences or ["The store is as it has to be."]))
    return Exit.FAILED if differences else Exit.DONE


@app.command
async def copy(
    *,
    from_: Annotated[str, Parameter(name="--from", help="The store as it is, named as in DATABASE_URL.")],
    to: Annotated[str, Parameter(help="The new store: sqlite:///FILE, or postgresql://USER@HOST/DATABASE.")],
    common: Common = COMMON,
) -> None:
    """Copy a store to another one that is empty, and check that both are the same. The old one stays frozen.

    A password is never an argument: PostgreSQL takes it from ~/.pgpass, PGPASSWORD or the service in PGSERVICE.
    """
    source, target = named(from_, "--from"), named(to, "--to")
    settings = common.settings()
    async with (
        opened_port(AccountStore, source, "--from") as store,
        opened_port(TigerClient, settings.client, "settings.client") as client,
        mover_with(settings.cipher) as mover,
    ):
        moved = await mover.copy(store, choose_driver(AccountStore, target, "--to"), client)
    show_lines(
        common,
        fields_of(moved),
        f"Copied {told(moved)}; the two stores hold the same, and every secret opens from the new one.",
        "The old one is frozen, so that nothing is signed from both. Let DATABASE_URL, or [store] in the settings, "
        "name the new one, and start every program again.",
        "If you go back instead: tigercore cipher unfreeze, with the settings of before.",
    )


def named(url: str, option: str) -> DriverSettings:
    """Return the store that a URL names.

    :raises UsageError: there is a password in it.
    :raises SettingsError: it is no URL of a store.
    """
    if not url.startswith("sqlite:") and _holds_password(url):
        raise UsageError(
            f"{option}: other users of this machine can read a password in an argument: leave it out of the URL, and "
            "give it in ~/.pgpass, PGPASSWORD or PGSERVICE"
        )
    return DriverSettings(**store_of(url, option))


def _holds_password(url: str) -> bool:
    """Say whether a password may be in a URL, however badly it is written."""
    rest = url.partition("://")[2]
    names = (name for name, _ in parse_qsl(rest.partition("?")[2]))
    return ":" in rest.rpartition("@")[0] or any("password" in name.lower() for name in names)


def _may_go(found: SchemaStatus, *, yes: bool, everything: bool) -> bool:
    question = f"take revision {found.current} back and lose the data that it alone holds"
    if found.current is None or found.previous is not None:
        return confirm(question, yes=yes)
    question = f"take the first revision, {found.current}, back and DROP EVERYTHING: accounts, keys and tokens"
    if (yes and everything) or (not yes and sys.stdin.isatty()):
        return confirm(question, yes=yes)
    raise UsageError(f"{question}: add --yes --drop-everything if this is meant")


def schema_of(settings: Settings) -> Schema:
    """Return the operator's view of the store that the settings name."""
    chosen = choose_driver(AccountStore, settings.store, "settings.store")
    schema: Schema = chosen.driver.schema(chosen.options)
    return schema


def _schema(common: Common) -> Schema:
    return schema_of(common.settings())


def _show(common: Common, found: SchemaStatus) -> None:
    advice = "run: tigercore db migrate" if found.pending else None
    fields = {"current": found.current, "head": found.head, "pending": found.pending, "advice": advice}
    show_fields(common, found, {name: value for name, value in fields.items() if name != "advice" or value})
