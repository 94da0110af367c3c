"""`tigercore backup` and `tigercore restore`: all of a store in one sealed file, and back."""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tigercore._dump import Inventory
from tigercore._plugins import choose_driver
from tigercore.app import user
from tigercore.cli._common import COMMON, Common, opened_port
from tigercore.cli._counting import counting
from tigercore.cli._output import fields_of, show_lines
from tigercore.cli._streams import complain
from tigercore.cli.cipher_roots import Recovery, opening
from tigercore.clock import SystemClock
from tigercore.moving import StoreMover
from tigercore.ports import AccountStore, Cipher, DriverContext
from tigercore.settings import DriverSettings


async def backup(
    file: Annotated[Path, Parameter(help="A file that is not there yet.")], *, common: Common = COMMON
) -> None:
    """Write all of the store to a file, sealed with its keys. Programs may go on using the store."""
    settings = common.settings()
    async with (
        opened_port(AccountStore, settings.store, "settings.store") as store,
        mover_with(settings.cipher) as mover,
    ):
        held = await mover.backup(store, file)
    show_lines(
        common,
        {"file": file, **fields_of(held)},
        f"Wrote {file}: {told(held)}.",
        "The root key of today opens it, and so does a recovery identity: keep neither beside it.",
    )


async def restore(
    file: Annotated[Path, Parameter(help="What `backup` wrote.")],
    *,
    recovery_file: Recovery = None,
    common: Common = COMMON,
) -> None:
    """Write a backup into the store of the settings, which has to be empty.

    Tokens that were good are in doubt: tigercore asks the gateway about each before it is used.
    """
    settings = common.settings()
    target = choose_driver(AccountStore, settings.store, "settings.store")
    async with mover_with(opening(settings, recovery_file).cipher) as mover:
        held = await mover.restore(file, target)
    lost = ["Now give it a root: tigercore cipher rekey-root --recovery-file FILE"] if recovery_file else []
    show_lines(
        common,
        {"file": file, **fields_of(held)},
        f"Restored {told(held)}.",
        "If the system that this is a backup of still runs, stop it: the two would end each other's tokens.",
        *lost,
    )


@asynccontextmanager
async def mover_with(cipher: DriverSettings) -> AsyncIterator[StoreMover]:
    """Give what moves a store whose ring this cipher opens. Errors as `open` of its driver."""
    context = DriverContext(SystemClock(), random.Random(), logging.getLogger("tigercore"))  # noqa: S311  (for ids)
    async with opened_port(Cipher, cipher, "settings.cipher") as opener:
        with counting() as progress:
            yield StoreMover(
                opener, context, user(), progress=progress, say=lambda line: complain(f"tigercore: {line}")
            )


def told(held: Inventory) -> str:
    """Return in words how much there is."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in fields_of(held).items())
