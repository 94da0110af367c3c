"""Secrets in the environment: each is taken out once, and remembered for this process."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path

from tigercore.secret import Secret

_ENV_START = 47  # the 50th field of /proc/PID/stat, counted behind the name of the command
_taken: dict[str, Secret] = {}  # what was taken out of this process's own environment


def take(environ: MutableMapping[str, str], name: str) -> Secret | None:
    """Return the secret of this name, None if there is none. No child inherits it, and `/proc` does not show it.

    It can be asked for again.
    """
    text = environ.get(name)
    if environ is not os.environ:
        environ.pop(name, None)
        return Secret(text) if text else None
    if text is not None:
        _erase(name)
        del environ[name]
    if text:
        _taken[name] = Secret(text)
    return _taken.get(name)


def secret_names(environ: MutableMapping[str, str], prefix: str) -> list[str]:
    """Return the names of secrets that begin so, those that were taken out of the environment too."""
    there = {*environ, *(_taken if environ is os.environ else ())}
    return sorted(name for name in there if name.startswith(prefix))


def _erase(name: str) -> None:
    """Overwrite the text wherever it lies: `unsetenv` only forgets the place, and `/proc` goes on showing it."""
    if os.name != "posix":
        return
    for place in (*_places_at_start(os.fsencode(name)), _place_now(os.fsencode(name))):
        if place:
            ctypes.memset(place, 0, len(ctypes.string_at(place)))


def _place_now(name: bytes) -> int | None:
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    place: int | None = libc.getenv(name)
    return place


def _places_at_start(name: bytes) -> Iterator[int]:
    """Find the values in what the kernel gave to the process: there may be two, or one that was assigned anew since."""
    with suppress(OSError, ValueError, IndexError):
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[_ENV_START]), int(fields[_ENV_START + 1])
        block = b"\0" + ctypes.string_at(start, end - start)
        for found in re.finditer(rb"\0" + re.escape(name) + b"=", block):
            yield start + found.end() - 1
