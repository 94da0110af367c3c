"""The database's file: nobody but its owner may open it, and nothing else may stand in its place."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from tigercore.errors import StoreUnavailable

_OTHERS = 0o077


def is_there(path: Path) -> bool:
    """Say whether there is anything of this name, a link to nowhere too."""
    return os.path.lexists(path)


def create_private(path: Path) -> None:
    """Create an empty file with mode 0600 if there is none; SQLite gives the same mode to its -wal and -shm.

    :raises StoreUnavailable: the directory does not exist, or it cannot be written to.
    """
    if not path.parent.is_dir():
        raise StoreUnavailable(f"the directory {path.parent} does not exist: run: mkdir -p -m 700 {path.parent}")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be created: {error.strerror}") from None


def require_private(path: Path) -> None:
    """Pass if the database and what SQLite keeps beside it are regular files of this user that nobody else may open.

    :raises StoreUnavailable: they are not, or there is no database; the message names the command to run.
    """
    if not is_there(path):
        raise StoreUnavailable(f"there is no database at {path}: run: tigercore db migrate")
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):  # SQLite removes them when the last connection closes
            _require_private(path.with_name(path.name + suffix))


def _require_private(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise StoreUnavailable(f"{path} is not a regular file: name the file itself, not a link to it")
    if found.st_uid != os.geteuid():
        raise StoreUnavailable(f"{path} belongs to user {found.st_uid}, not to {os.geteuid()}: run as its owner")
    if found.st_mode & _OTHERS:
        raise StoreUnavailable(f"{path} may be opened by others: run: chmod 600 {path}")
