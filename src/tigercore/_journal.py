"""The recovery journal: tokens that were received and are not in the store yet, until they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar, final

import attrs
import trio

from tigercore._journalfolder import JournalFolder
from tigercore.errors import JournalUnusable

T = TypeVar("T")
_THREADS: Final = 2  # at the disk at one moment; each carries out whatever waits by then


@final
@attrs.define(eq=False)
class _Deed:
    """An entry that is to be written, or dropped if there is nothing to write."""

    name: str
    sealed: bytes | None
    fault: OSError | None = attrs.field(factory=lambda: OSError(0, "it was left undone"))
    done: trio.Event = attrs.field(factory=trio.Event)


@final
class Journal:
    """Keep sealed entries in a folder, for this process and for those that find it dead. Without a folder: nothing."""

    def __init__(self, folder: Path | None, owner: str) -> None:
        self.owner = owner
        self._folder = None if folder is None else JournalFolder(folder, owner)
        self._lock: int | None = None
        self._process = os.getpid()
        self._opening = trio.Lock()
        self._threads = trio.CapacityLimiter(_THREADS)
        self._waiting: list[_Deed] = []

    async def ready(self) -> None:
        """Make the folder and lock this owner's file, once.

        :raises JournalUnusable: that cannot be done; or this process was forked off the owner.
        """
        if self._folder is None or (self._lock is not None and self._process == os.getpid()):
            return
        async with self._opening:
            if self._lock is None:
                self._lock = await self._in_thread(self._folder.lock)
        if self._process != os.getpid():
            raise JournalUnusable(f"{self._folder.path}: the journal is the parent's: open tigercore after the fork")

    async def keep(self, name: str, sealed: bytes) -> None:
        """Write an entry; it is on the disk when this returns. Errors as `ready`."""
        if self._folder is not None:
            await self.ready()
            await self._do(self._folder, _Deed(name, sealed))

    async def drop(self, name: str) -> None:
        """Remove an entry, of whatever owner; one that is gone is no error."""
        if self._folder is not None:
            await self._do(self._folder, _Deed(name, None))

    async def orphans(self) -> dict[str, bytes]:
        """Return the entries of owners that are dead, and this one's own."""
        return {} if self._folder is None else await self._in_thread(self._folder.orphans)

    async def aclose(self) -> None:
        """Let the lock go; what is left of this owner is everybody's then."""
        lock, self._lock = self._lock, None
        if self._folder is not None and lock is not None and self._process == os.getpid():
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._folder.unlock, lock)

    async def _do(self, folder: JournalFolder, mine: _Deed) -> None:
        """Do it together with what else waits; once begun it is finished, whatever is cancelled."""
        self._waiting.append(mine)
        try:
            async with self._threads:
                if mine in self._waiting:
                    await self._do_all(folder)
        finally:
            if mine in self._waiting:  # cancelled before anybody began
                self._waiting.remove(mine)
            else:
                with trio.CancelScope(shield=True):
                    await mine.done.wait()
        if mine.fault is not None:
            raise self._unusable(mine.fault)

    async def _do_all(self, folder: JournalFolder) -> None:
        deeds, self._waiting = self._waiting, []
        try:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(_carry_out, folder, deeds)
        finally:
            for each in deeds:
                each.done.set()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await trio.to_thread.run_sync(work)
        except OSError as error:
            fault = self._unusable(error)
        raise fault

    def _unusable(self, fault: OSError) -> JournalUnusable:
        where = self._folder and self._folder.path
        return JournalUnusable(
            f"the recovery journal {where}: {fault.strerror}; make it writable, or set tokens.journal"
        )


def _carry_out(folder: JournalFolder, deeds: Sequence[_Deed]) -> None:
    """In a thread: write and drop. Whatever fails is the fault of one deed."""
    failed = folder.write({each.name: each.sealed for each in deeds if each.sealed is not None})
    for each in deeds:
        each.fault = failed.get(each.name) if each.sealed is not None else _dropped(folder, each.name)


def _dropped(folder: JournalFolder, name: str) -> OSError | None:
    try:
        folder.remove(name)
    except OSError as fault:
        return fault
    return None
