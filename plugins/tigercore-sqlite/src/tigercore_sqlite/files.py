"""The database's file: nobody but its owner may open it, and nothing else may stand in its place."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tigercore.errors import StoreUnavailable

_OTHERS = 0o077


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
    """Pass if the database and what SQLite keeps beside it are regular files that only their owner may open.

    :raises StoreUnavailable: they are not, or there is no database; the message names the command to run.
    """
    if not os.path.lexists(path):
        raise StoreUnavailable(f"there is no database at {path}: run: tigercore db migrate")
    for each in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        if os.path.lexists(each):
            _require_private(each)


def _require_private(path: Path) -> None:
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode):
        raise StoreUnavailable(f"{path} is not a regular file: name the file itself, not a link to it")
    if mode & _OTHERS:
        raise StoreUnavailable(f"{path} may be opened by others: run: chmod 600 {path}")
