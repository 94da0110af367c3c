"""The file that holds the root key: one line, `tcroot1:<32 bytes, base64url>:<crc32 of what stands before, hex>`."""

from __future__ import annotations

import base64
import errno
import os
import re
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from tigercore.errors import KeyUnavailable

_LINE = re.compile(rb"(tcroot1:([A-Za-z0-9_-]{43}=)):([0-9a-f]{8})\n?")
_MODE = 0o600
_SHAPE = "is not a key file (one line, tcroot1:<key>:<crc>) or was damaged: restore it from your copy"
_ADVICE = {
    errno.ENOENT: "no such file or directory: make the directory, then the key file with `tigercore init`",
    errno.EPERM: "the file system does not allow it: name a place that has hard links and modes",
    errno.EEXIST: "the file is there already, and was left as it is",
    errno.ELOOP: "a symbolic link: name the key file itself",
    errno.EACCES: "permission denied: the key file must belong to the user that runs this program",
}


def create(path: str) -> None:
    """Write a new random key to a file that only its owner can read. It has its name once all of it is on the disk.

    :raises KeyUnavailable: the file is there already, or cannot be written.
    """
    with _told(path):
        directory, name = os.path.split(path)
        descriptor, draft = tempfile.mkstemp(prefix=f".{name}.", dir=directory or ".")
        try:
            _fill(descriptor, _line(os.urandom(32)))
            os.link(draft, path)  # fails if the name is taken
        finally:
            os.unlink(draft)
        _sync(directory or ".")


def read(path: str) -> bytes:
    """Return the key of 32 bytes.

    :raises KeyUnavailable: the file is not there, not a regular file that is ours alone, or damaged.
    """
    with _told(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _check_owner(path, os.fstat(descriptor))
            return _parse(path, os.read(descriptor, 128))
        finally:
            os.close(descriptor)


def _fill(descriptor: int, line: bytes) -> None:
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, _MODE)  # whatever the umask is
        file.write(line)
        file.flush()
        os.fsync(descriptor)


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_owner(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeyUnavailable(f"{path} is not a regular file: name the key file itself")
    if found.st_uid != os.geteuid():
        raise KeyUnavailable(f"{path} belongs to user {found.st_uid}: run `chown {os.geteuid()} {path}`")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise KeyUnavailable(f"{path} has mode {mode:04o}, others may read the key: run `chmod 600 {path}`")


def _line(key: bytes) -> bytes:
    text = b"tcroot1:" + base64.urlsafe_b64encode(key)
    return text + b":%08x\n" % zlib.crc32(text)


def _parse(path: str, line: bytes) -> bytes:
    parts = _LINE.fullmatch(line)
    if parts is None or zlib.crc32(parts[1]) != int(parts[3], 16):
        raise KeyUnavailable(f"{path} {_SHAPE}")
    return base64.urlsafe_b64decode(parts[2])


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Tell what the system refused, and what to do."""
    try:
        yield
    except OSError as error:
        raise KeyUnavailable(f"{path}: {_ADVICE.get(error.errno or 0, error.strerror)}") from None
