"""Files that hold a root key: for their owner alone, and never half of one."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tigercore.errors import KeyUnavailable

_MODE = 0o600
_SHOWN = 1024  # characters of a path in an error
_ADVICE = {
    errno.ENOENT: "no such file or directory: restore your copy of the key file; `tigercore init` makes a new one, "
    "once its directory is there",
    errno.EPERM: "the file system does not allow it: name a place that has hard links and modes",
    errno.EEXIST: "the file is there already, and was left as it is",
    errno.ENAMETOOLONG: "no name may be so long: name a shorter path",
    errno.ENOTDIR: "a part of the path is a file and not a directory: write the path anew",
    errno.ENXIO: "not a regular file: name the key file itself",  # a socket
    errno.ELOOP: "a symbolic link: name the key file itself",
    errno.EACCES: "permission denied: the key file must belong to the user that runs this program",
}
_NO_DIRECTORY = "no such directory, or none that takes new files: run `mkdir -p -m 700 {}`, or name another"
_NO_PATH = "no path can hold these characters: write it anew"


def create_private(path: str, content: bytes) -> None:
    """Write a new file that only its owner can read. It has its name once all of it is on the disk.

    :raises KeyUnavailable: the file is there already, or cannot be written.
    """
    directory, name = os.path.dirname(path) or ".", os.path.basename(path)
    with _told(path, {**_ADVICE, errno.ENOENT: _NO_DIRECTORY.format(_shown(directory))}):
        descriptor, draft = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
        try:
            _fill(descriptor, content)
            del content  # it counts from now on, and what follows may raise
            os.link(draft, path)  # fails if the name is taken
        finally:
            os.unlink(draft)
        _sync(directory)


def read_private(path: str, limit: int, *, ours: bool = True) -> bytes:
    """Return up to `limit` bytes of a regular file; `ours` says that it must be ours alone.

    :raises KeyUnavailable: it is not there, or is not such a file.
    """
    with _told(path, _ADVICE):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _check(path, os.fstat(descriptor), ours=ours)
            return os.read(descriptor, limit)
        finally:
            os.close(descriptor)


def _fill(descriptor: int, content: bytes) -> None:
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, _MODE)  # whatever the umask is
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(path: str, found: os.stat_result, *, ours: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeyUnavailable(f"{path} is not a regular file: name the key file itself")
    if ours and found.st_uid != os.geteuid():
        raise KeyUnavailable(f"{path} belongs to user {found.st_uid}: run `chown {os.geteuid()} {path}`")
    mode = stat.S_IMODE(found.st_mode)
    if ours and mode & 0o077:
        raise KeyUnavailable(f"{path} has mode {mode:04o}, others may read the key: run `chmod 600 {path}`")


@contextmanager
def _told(path: str, advice: Mapping[int, str]) -> Iterator[None]:
    """Tell what the system refused, and what to do."""
    try:
        yield
    except OSError as error:
        raise KeyUnavailable(f"{_shown(path)}: {advice.get(error.errno or 0, error.strerror)}") from None
    except UnicodeEncodeError:
        raise KeyUnavailable(f"{_shown(path)}: {_NO_PATH}") from None


def _shown(path: str) -> str:
    """Return the path as text that every terminal and log takes."""
    shown = path if len(path) <= _SHOWN else f"{path[:_SHOWN]}…"
    return shown.encode(errors="backslashreplace").decode()
