"""`tigercore db`: the schema of the store."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter

from tigercore._plugins import choose_driver
from tigercore.cli._common import COMMON, Common
from tigercore.cli._exit import Exit, UsageError
from tigercore.cli._input import confirm
from tigercore.cli._output import show_fields, show_lines
from tigercore.ports import AccountStore, Schema, SchemaStatus
from tigercore.settings import Settings

app = App(name="db", help="Bring the store's schema up to date, or look at it.")


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
