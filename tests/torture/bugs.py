"""Bugs that a rotation must not have: one is planted on purpose, to see that torture finds it (T28)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
from sqlalchemy import Connection, select

import tigercore_sql.batch
import tigercore_sql.store
from tigercore._rotation import is_rotating
from tigercore.keys import KeyManager
from tigercore.model import AuditEntry, KeyRing, KeyRingStatus
from tigercore.ports import AccountRow, Change, Put, Record, TokenRow
from tigercore_sql.floor import Floor
from tigercore_sql.tables import ACCOUNT, TOKEN

_apply_batch = tigercore_sql.store.apply_batch


def plant(name: str) -> None:
    """Put this bug into the program; an empty name plants none."""
    if name:
        BUGS[name]()


def _drop_floor() -> None:
    """Let the store take rows below `min_decrypt`, and raise it above rows that stand."""
    Floor.admit = lambda *_: None  # type: ignore[method-assign]
    Floor.move = lambda *_: None  # type: ignore[method-assign]


def _rewrap_blindly() -> None:
    """Let a rewrap write over what others have written since it has read."""
    tigercore_sql.store.apply_batch = _apply_batch_blindly


def _retire_early() -> None:
    """Retire once everything was sealed anew, without a look at who has written with the old key meanwhile."""

    async def rotate(self: KeyManager, **_: Any) -> KeyRingStatus:
        await self._turn(partial(self._staged, is_rotating), "keyring.stage")
        await self._turn(_activated, "keyring.activate")
        await self.rewrap()
        await self.retire()
        return self.status()

    KeyManager.rotate = rotate  # type: ignore[method-assign]
    Floor.move = _move_unseen  # type: ignore[method-assign]


def _tear_the_ring() -> None:
    """Let the ring's own row and its keys be two transactions."""
    replace_keys = tigercore_sql.batch.replace_keys

    def replace_late(connection: Connection, ring: KeyRing) -> None:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        replace_keys(connection, ring)

    tigercore_sql.batch.replace_keys = replace_late


BUGS: Mapping[str, Callable[[], None]] = {
    "floor": _drop_floor,
    "compare-and-swap": _rewrap_blindly,
    "late-writers": _retire_early,
    "torn-ring": _tear_the_ring,
}


def _apply_batch_blindly(connection: Connection, changes: Sequence[Change]) -> int:
    if any(
        isinstance(c, Record) and isinstance(c.entry, AuditEntry) and c.entry.action == "keyring.rewrap"
        for c in changes
    ):
        changes = [_at_its_version(connection, change) for change in changes]
    return _apply_batch(connection, changes)


def _at_its_version(connection: Connection, change: Change) -> Change:
    match change:
        case Put(row=AccountRow() as row):
            version = connection.scalar(select(ACCOUNT.c.version).where(ACCOUNT.c.id == row.id))
            return Put(attrs.evolve(row, account=attrs.evolve(row.account, version=version or row.version)))
        case Put(row=TokenRow() as row):
            version = connection.scalar(select(TOKEN.c.version).where(TOKEN.c.id == row.id))
            return Put(attrs.evolve(row, version=version or row.version))
    return change


async def _activated(ring: KeyRing) -> KeyRing | None:
    from tigercore._rotation import activated

    return activated(ring)


def _move_unseen(floor: Floor, ring: KeyRing) -> None:
    floor._floor = ring.min_decrypt
