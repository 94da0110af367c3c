"""The file that a backup lies in: for its owner alone, and never half of one."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from tigercore.errors import BackupUnusable

_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP)


@contextmanager
def created(file: Path) -> Iterator[BinaryIO]:
    """Give a new file to write to. It has its name once all of it is on the disk; if the block fails, it is gone.

    :raises BackupUnusable: the name is taken, or the file system cannot do it so.
    """
    _require_free(file)
    handle, draft = tempfile.mkstemp(prefix=".tigercore-backup.", dir=file.parent)  # its mode is 0600
    try:
        with open(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(handle)
        _name(draft, file)
    finally:
        os.unlink(draft)
    _sync(file.parent)


@contextmanager
def opened(file: Path) -> Iterator[BinaryIO]:
    """Give a file to read.

    :raises BackupUnusable: it is not there, or is no regular file.
    """
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait for who writes to it
    except OSError as error:
        raise BackupUnusable(f"{file}: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise BackupUnusable(f"{file} is not a file: name the backup itself")
        with open(handle, "rb", closefd=False) as stream:
            yield stream
    finally:
        os.close(handle)


def _require_free(file: Path) -> None:
    if os.path.lexists(file):
        raise BackupUnusable(f"{file} is there already, and was left as it is: name another file")


def _name(draft: str, file: Path) -> None:
    try:
        os.link(draft, file)  # fails if the name is taken
    except FileExistsError:
        _require_free(file)
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        raise BackupUnusable(f"{file}: its file system has no hard links: name a place on another one") from None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
