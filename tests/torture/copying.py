"""A copy of a store as the patient: the source stays whole, and what is no whole copy is not taken for a store."""

from __future__ import annotations

from pathlib import Path

import attrs

import tigercore.moving
import tigercore_sql.schema  # noqa: F401  (which takes half a second, and else each process)
from tests.torture.installation import drivers, integrity, opened
from tests.torture.ledger import Ledger, violate
from tests.torture.patient import Patient
from tests.torture.writes import BEFORE, CREATE, picture
from tigercore._plugins import Chosen
from tigercore.clock import SystemClock
from tigercore.errors import StoreUnavailable, TigerCoreError
from tigercore.moving import StoreMover
from tigercore.ports import AccountStore, Delta
from tigercore.testing._scripted_client import ScriptedTigerClient
from tigercore.testing.clock import driver_context
from tigercore_sqlite import SqliteOptions, SqliteStore

_COPY, _NEXT = "copy.db", "next.db"
_QUIET = 0.05  # seconds: nobody else writes here


async def _copy(folder: Path) -> None:
    ledger = Ledger(folder, 0)
    ledger.begin("copy", True)
    await _copied(folder, _COPY)
    ledger.acknowledge("copy", True)


async def _copied(folder: Path, name: str) -> None:
    tigercore.moving._QUIET = _QUIET
    context = driver_context(SystemClock())
    async with drivers(folder, context) as (store, cipher):
        target: Chosen[AccountStore] = Chosen(SqliteStore, SqliteOptions(str(folder / name)))
        await StoreMover(cipher, context, "torture").copy(store, target, ScriptedTigerClient())


async def _recover(folder: Path, case: str) -> None:
    """See that the source is whole, and the target whole or no store; then go on with the source, and copy again."""
    acknowledged = Ledger(folder, 0).allowed("copy") == [True]
    for name in ("tigercore.db", _COPY):
        if (folder / name).exists() and (verdict := integrity(folder, name)) != "ok":
            violate(folder, f"{case}: integrity_check of {name}: {verdict}")
    async with opened(folder) as tiger:
        if BEFORE != await picture(tiger):
            violate(folder, f"{case}: the source has changed")
        if acknowledged and not tiger.keys.status().frozen:
            violate(folder, f"{case}: the copy returned, and the source is not frozen")
    held = await _held(folder, _COPY)
    if held not in ([_WHOLE] if acknowledged else [_WHOLE, _NOTHING]):
        violate(folder, f"{case}: the target holds {held}; the copy was {'' if acknowledged else 'not '}acknowledged")
    try:
        await _go_on(folder)
    except TigerCoreError as error:
        violate(folder, f"{case}: the next copy failed: {error}")


_NOTHING, _WHOLE = (0, 0, False), (len(BEFORE), len(BEFORE), True)


async def _held(folder: Path, name: str) -> tuple[int, int, bool]:
    """Return how many accounts and tokens a store holds, and whether it has the ring; no store holds nothing."""
    try:
        async with SqliteStore.open(SqliteOptions(str(folder / name)), driver_context()) as store:
            found = await store.delta()
    except StoreUnavailable:
        return _NOTHING
    return len(found.accounts), len(found.tokens), found.ring is not None


async def _go_on(folder: Path) -> None:
    async with opened(folder) as tiger:
        if tiger.keys.status().frozen:
            await tiger.keys.unfreeze()
    await _copied(folder, _NEXT)
    source, target = [await _delta(folder, name) for name in ("tigercore.db", _NEXT)]
    if _rows(source) != _rows(target):
        violate(folder, "the next copy is none")


async def _delta(folder: Path, name: str) -> Delta:
    async with SqliteStore.open(SqliteOptions(str(folder / name)), driver_context()) as store:
        return await store.delta()


def _rows(delta: Delta) -> tuple[object, ...]:
    accounts = [attrs.evolve(row, account=attrs.evolve(row.account, version=0)) for row in delta.accounts]
    return accounts, {row.id: attrs.evolve(row, version=0) for row in delta.tokens}


COPY = Patient(CREATE.make, _copy, _recover, long=True)
