"""Bugs that a rotation or a store must not have: one is planted on purpose, to see that torture finds it (T28)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
import trio
from sqlalchemy import Connection, bindparam, select, update

import tigercore_sql.batch
import tigercore_sql.commits
import tigercore_sqlite.engine
from tests.torture.zygote import Work
from tigercore._rotation import is_rotating
from tigercore.errors import TigerCoreError
from tigercore.keys import KeyManager
from tigercore.model import AuditEntry, KeyRing, KeyRingStatus
from tigercore.ports import AccountRow, Change, Put, Record, TokenRow
from tigercore_sql import Runner
from tigercore_sql.floor import Floor
from tigercore_sql.tables import ACCOUNT, TOKEN

_apply_batches = tigercore_sql.commits.apply_batches


def plant(name: str) -> None:
    """Put this bug into the program; an empty name plants none."""
    if name:
        BUGS[name]()


def planted(name: str, work: Work) -> Work:
    """Return this work as a process does it that has the bug."""

    async def worse() -> None:
        plant(name)
        await work()

    return worse


def _drop_floor() -> None:
    """Let the store take rows below `min_decrypt`, and raise it above rows that stand."""
    Floor.admit = lambda *_: None  # type: ignore[method-assign]
    Floor.move = lambda *_: None  # type: ignore[method-assign]


def _rewrap_blindly() -> None:
    """Let a rewrap write over what others have written since it has read."""
    tigercore_sql.commits.apply_batches = _apply_batches_blindly


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
        _commit_and_begin(connection)
        replace_keys(connection, ring)

    tigercore_sql.batch.replace_keys = replace_late


def _tear_batches() -> None:
    """Let each kind of change of a batch be a transaction of its own."""
    carry_out = tigercore_sql.batch._Writer.carry_out

    def carry_out_and_commit(writer: Any, neighbours: Sequence[tuple[Change, int]]) -> None:
        carry_out(writer, neighbours)
        _commit_and_begin(writer.connection)

    tigercore_sql.batch._Writer.carry_out = carry_out_and_commit  # type: ignore[method-assign]


def _acknowledge_early() -> None:
    """Return what a write has done before it is committed; what is read next waits for the commit."""
    committed, read_now = [trio.Event()], Runner.read
    committed[0].set()

    async def read(self: Runner, work: Callable[[Connection], Any]) -> Any:
        await committed[-1].wait()
        return await read_now(self, work)

    async def write(self: Runner, work: Callable[[Connection], Any]) -> Any:
        send, receive = trio.open_memory_channel[Any](2)
        committed.append(trio.Event())

        def work_and_tell(connection: Connection) -> None:
            trio.from_thread.run_sync(send.send_nowait, work(connection))
            time.sleep(0.02)  # for the news to arrive

        async def carry_out(done: trio.Event = committed[-1]) -> None:
            with trio.CancelScope(shield=True):
                try:
                    await trio.to_thread.run_sync(self._unit, self._written, work_and_tell, limiter=self._writers)
                except TigerCoreError as error:
                    send.send_nowait(error)
                done.set()

        trio.lowlevel.spawn_system_task(carry_out)
        result = await receive.receive()
        if isinstance(result, TigerCoreError):
            raise result
        return result

    Runner.read, Runner.write = read, write  # type: ignore[method-assign]


def _begin_late() -> None:
    """Let a write on SQLite not take its turn before it reads."""

    tigercore_sqlite.engine._begin = lambda connection: connection.exec_driver_sql("BEGIN")


def _swap_blindly() -> None:
    """Let a row be written over whatever version stands there."""
    for table in (ACCOUNT, TOKEN):
        at_any = table.c.id == bindparam("read_id"), table.c.version >= bindparam("read_version")
        tigercore_sql.batch._SWAPS[table] = update(table).where(*at_any)


BUGS: Mapping[str, Callable[[], None]] = {
    "floor": _drop_floor,
    "compare-and-swap": _rewrap_blindly,
    "late-writers": _retire_early,
    "torn-ring": _tear_the_ring,
    "torn-batch": _tear_batches,
    "early-acknowledgement": _acknowledge_early,
    "late-begin": _begin_late,
    "blind-swap": _swap_blindly,
}


def _commit_and_begin(connection: Connection) -> None:
    connection.exec_driver_sql("COMMIT")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.dialect.name == "sqlite" else "BEGIN")


def _apply_batches_blindly(connection: Connection, batches: Sequence[Sequence[Change]]) -> list[int]:
    return _apply_batches(connection, [_blindly(connection, changes) for changes in batches])


def _blindly(connection: Connection, changes: Sequence[Change]) -> Sequence[Change]:
    if any(
        isinstance(c, Record) and isinstance(c.entry, AuditEntry) and c.entry.action == "keyring.rewrap"
        for c in changes
    ):
        return [_at_its_version(connection, change) for change in changes]
    return changes


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
