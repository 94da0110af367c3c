"""The file: replaced as a whole under a lock, so that who reads it waits for nobody and sees no half of a batch."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar, final
from uuid import UUID

import attrs
from cattrs import BaseValidationError
from cattrs.preconf.json import make_converter

from tigercore.errors import StoreUnavailable
from tigercore_template_store.tables import FORMAT, Tables

T = TypeVar("T")

_CONVERTER = make_converter()  # bytes become base85, moments ISO 8601
_CONVERTER.register_structure_hook(UUID, lambda text, _: UUID(text))
_CONVERTER.register_unstructure_hook(UUID, str)
_UNUSABLE = (ValueError, TypeError, LookupError, RecursionError, BaseValidationError)  # they hold values: chain none
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # the last, so that a pipe in its place keeps nobody waiting
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
_OTHERS = 0o077


@final
@attrs.frozen
class JsonFile:
    """Read and replace a file of `Tables`. Every method blocks, and raises `StoreUnavailable` if it cannot be done.

    What writes raises `BlockingIOError` while another one is writing: try again.
    """

    path: Path

    @property
    def is_there(self) -> bool:
        """Say whether there is anything of this name."""
        return os.path.lexists(self.path)

    def open(self) -> BinaryIO:
        """Open the file as it stands; one that replaces it is another file."""
        with _told(self.path):
            opened = os.open(self.path, _READ)
        file = os.fdopen(opened, "rb")
        found = os.fstat(opened)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & _OTHERS:
            return file
        file.close()
        raise StoreUnavailable(f"{self.path} must be a file that its owner alone may open: run: chmod 600 {self.path}")

    def stamp(self, file: BinaryIO | None = None) -> tuple[int, ...]:
        """Return what every write changes, of an open file or of the one that stands now.

        As long as a file is open, no other one gets its inode.
        """
        with _told(self.path):
            found = os.stat(file.fileno() if file else self.path)
        return found.st_ino, found.st_size, found.st_mtime_ns

    def load(self) -> Tables:
        """Return all that is stored."""
        with self.open() as file:
            return self.decode(file)

    def decode(self, file: BinaryIO) -> Tables:
        """Return all that an open file holds."""
        fault = "is not one of tigercore's: name another file, or restore it from a backup"
        with suppress(*_UNUSABLE):
            document = json.loads(file.read())
            if document["format"] == FORMAT:
                return _CONVERTER.structure(document, Tables)
            fault = f"has another format than {FORMAT}: run: pip install --upgrade tigercore-template-store"
        raise StoreUnavailable(f"{self.path} {fault}")

    def update(self, change: Callable[[Tables], T]) -> T:
        """Change what is stored in memory, then in one step in the file; an error of `change` leaves it as it is."""
        with self._locked():
            tables = self.load()
            result = change(tables)
            self._replace(tables)
        return result

    def create(self) -> None:
        """Create the file if there is none."""
        with self._locked():
            if not self.is_there:
                self._replace(Tables())

    def remove(self) -> None:
        """Remove the file."""
        with self._locked():
            self.path.unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock a file beside it, which stays: the file itself is another one after each batch."""
        with _told(self.path), os.fdopen(os.open(f"{self.path}.lock", _CREATE, 0o600), "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                yield
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)  # a child that was forked meanwhile holds it open too

    def _replace(self, tables: Tables) -> None:
        content, new = _encoded(tables), self.path.with_name(f"{self.path.name}.new")
        new.unlink(missing_ok=True)  # of a writer who was killed
        with os.fdopen(os.open(new, _CREATE | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # until then, a power failure may bring the old file back
        finally:
            os.close(folder)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell in one line what the system refused."""
    try:
        yield
    except BlockingIOError:
        raise
    except FileNotFoundError:
        remedy = "tigercore db migrate" if path.parent.is_dir() else f"mkdir -p -m 700 {path.parent}"
        raise StoreUnavailable(f"there is no {path}: run: {remedy}") from None
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be used: {error.strerror}") from None


def _encoded(tables: Tables) -> bytes:
    with suppress(*_UNUSABLE):
        return _CONVERTER.dumps(tables, ensure_ascii=False).encode()
    raise StoreUnavailable("JSON cannot hold a value that was given")
