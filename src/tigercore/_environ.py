"""Secrets in the environment: each is taken out once, and remembered for this process."""

from __future__ import annotations

import ctypes
import os
from collections.abc import MutableMapping

from tigercore.secret import Secret

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
    """Overwrite the text where the kernel put it: `unsetenv` only forgets the place, and `/proc` goes on showing it."""
    if os.name != "posix":
        return
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    place = libc.getenv(os.fsencode(name))
    if place:
        ctypes.memset(place, 0, len(ctypes.string_at(place)))
