"""`tigercore db`: the schema of the store."""

from __future__ import annotations

import logging
import random
import sys
from typing import Annotated

from cyclopts import App, Parameter

from tigercore._plugins import choose_driver
from tigercore.cli._common import COMMON, Common
from tigercore.cli._exit import Exit, UsageError
from tigercore.cli._input import confirm
from tigercore.cli._output import show_fields, show_lines
from tigercore.clock import SystemClock
from tigercore.errors import PortError
from tigercore.ports import AccountStore, DriverContext, Schema, SchemaStatus

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
    if not await _may_go(common, found, yes=yes, everything=drop_everything):
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


async def _may_go(common: Common, found: SchemaStatus, *, yes: bool, everything: bool) -> bool:
    question = f"take revision {found.current} back and lose the data that it alone holds"
    if found.current is None or found.previous is not None:
        return confirm(question, yes=yes)
    question = f"take the first revision, {found.current}, back and DROP EVERYTHING: {await _holdings(common)}"
    if (yes and everything) or (not yes and sys.stdin.isatty()):
        return confirm(question, yes=yes)
    raise UsageError(f"{question}: add --yes --drop-everything if this is meant")


async def _holdings(common: Common) -> str:
    chosen = choose_driver(AccountStore, common.settings().store, "settings.store")
    context = DriverContext(SystemClock(), random.Random(), logging.getLogger("tigercore"))  # noqa: S311  (for ids)
    try:
        async with chosen.open(context) as store:
            count = len(await store.accounts())
    except PortError as error:  # what is about to be dropped may be past reading
        return f"accounts that cannot be counted ({error})"
    return f"{count} account{'' if count == 1 else 's'} with their keys and tokens"


def _schema(common: Common) -> Schema:
    chosen = choose_driver(AccountStore, common.settings().store, "settings.store")
    schema: Schema = chosen.driver.schema(chosen.options)
    return schema


def _show(common: Common, found: SchemaStatus) -> None:
    advice = "run: tigercore db migrate" if found.pending else None
    fields = {"current": found.current, "head": found.head, "pending": found.pending, "advice": advice}
    show_fields(common, found, {name: value for name, value in fields.items() if name != "advice" or value})
