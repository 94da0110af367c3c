"""The folder of the recovery journal: one sealed file for each entry, and one lock for each process that owns some.

The kernel lets a lock go when its process ends, however it ends: no process ids, which containers share.
`<entry>.<owner>.tgc` is an entry; `<owner>.lock` is its owner's.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, final

_ENTRY: Final = re.compile(r"([0-9a-f-]{1,64})\.([0-9a-f]{1,64})\.tgc")
_SCRATCH: Final = re.compile(r"\.[0-9a-f-]{1,64}\.([0-9a-f]{1,64})\.new")


@final
class JournalFolder:
    """Read and write entries, as one owner. Everything here blocks, and raises OSError."""

    def __init__(self, path: Path, owner: str) -> None:
        self.path = path
        self.owner = owner

    def lock(self) -> int:
        """Make the folder, lock this owner's file in it, and return the file."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_private(self.path)
        lock = os.open(self._lock_of(self.owner), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(lock)
            raise
        return lock

    def unlock(self, lock: int) -> None:
        """Let the lock go; what is left of this owner is everybody's then."""
        with suppress(OSError):
            if not any(owner == self.owner for _, _, owner in self._entries()):
                self._lock_of(self.owner).unlink(missing_ok=True)
        os.close(lock)

    def write(self, entries: Mapping[str, bytes]) -> dict[str, OSError]:
        """Write entries, which are on the disk when this returns, and return those that are not, with what failed."""
        failed = {name: fault for name, sealed in entries.items() if (fault := self._write(name, sealed))}
        if len(failed) == len(entries):
            return failed
        try:
            _sync(self.path)
        except OSError as fault:
            return dict.fromkeys(entries, fault)
        return failed

    def remove(self, name: str) -> None:
        """Remove an entry, of whatever owner; one that is gone is no error."""
        with suppress(FileNotFoundError):
            return self._entry(name).unlink()  # this owner's, as nearly always: no need to look for it
        for path, found, owner in self._entries():
            if found == name:
                path.unlink(missing_ok=True)
                self._clean_up(owner)

    def orphans(self) -> dict[str, bytes]:
        """Return the entries of owners that are dead, and this one's own."""
        found: dict[str, bytes] = {}
        alive: dict[str, bool] = {}
        for path, name, owner in self._entries():
            if owner not in alive:
                alive[owner] = owner != self.owner and self._is_alive(owner)
            if not alive[owner]:
                with suppress(FileNotFoundError):  # another process was faster
                    found[name] = path.read_bytes()
        self._remove_scraps()
        return found

    def _write(self, name: str, sealed: bytes) -> OSError | None:
        """Write an entry whose name will last once the folder is synced; what fails leaves nothing."""
        scratch = self.path / f".{name}.{self.owner}.new"
        try:
            _write_through(scratch, sealed)
            scratch.rename(self._entry(name))
        except OSError as fault:
            scratch.unlink(missing_ok=True)
            return fault
        return None

    def _entry(self, name: str) -> Path:
        return self.path / f"{name}.{self.owner}.tgc"

    def _lock_of(self, owner: str) -> Path:
        return self.path / f"{owner}.lock"

    def _entries(self) -> Iterator[tuple[Path, str, str]]:
        try:
            paths = sorted(self.path.iterdir())
        except FileNotFoundError:
            return
        for path in paths:
            if match := _ENTRY.fullmatch(path.name):
                yield path, match[1], match[2]

    def _remove_scraps(self) -> None:
        """Remove what owners that died while they wrote have left: their entry was never there."""
        with suppress(FileNotFoundError):
            for path in self.path.iterdir():
                match = _SCRATCH.fullmatch(path.name)
                if match and match[1] != self.owner and not self._is_alive(match[1]):
                    path.unlink(missing_ok=True)

    def _clean_up(self, owner: str) -> None:
        """Remove the lock file of a dead owner of whom nothing is left."""
        if not any(found == owner for _, _, found in self._entries()):
            with _seized(self._lock_of(owner)) as dead:
                if dead:
                    self._lock_of(owner).unlink(missing_ok=True)

    def _is_alive(self, owner: str) -> bool:
        with _seized(self._lock_of(owner)) as dead:
            return not dead


@contextmanager
def _seized(path: Path) -> Iterator[bool]:
    """Say whether nobody holds this lock; for the time of the block nobody else can take it."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)


def _require_private(folder: Path) -> None:
    if stat.S_IMODE(folder.stat().st_mode) & 0o022:
        raise PermissionError(0, "others may write there: chmod 700 it")


def _write_through(path: Path, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    finally:
        os.close(file)


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
