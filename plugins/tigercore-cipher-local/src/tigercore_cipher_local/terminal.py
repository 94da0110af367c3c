"""The terminal of this process, on which a person gives the passphrase."""

from __future__ import annotations

import getpass
import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_local.passphrase import MINIMUM, encode

_DEVICE = "/dev/tty"
_OLD = "Passphrase of the key ring: "
_NEW = f"New passphrase of the key ring, {MINIMUM} characters or more: "
_AGAIN = "The same again: "
_NONE = "no terminal to ask for the passphrase on: run this in one, or give `key_file` or `credential` instead"
_NOTHING = "no passphrase came from the terminal: run this again, and type it as UTF-8 text"
_DIFFER = "the two passphrases differ, so nothing was made: run this again"


def require_terminal() -> None:
    """Pass if there is somebody to ask.

    :raises KeyUnavailable: this process has no terminal.
    """
    with _restored():
        pass


async def ask(*, new: bool) -> Secret:
    """Return the passphrase that a person types; one that nothing was sealed under before, `new`, is asked for twice.

    :raises KeyUnavailable: there is no terminal, nothing or too little was typed, or two different ones.
    """
    with _restored():
        passphrase = await _read(_NEW if new else _OLD)
        if new and passphrase != await _read(_AGAIN):
            raise KeyUnavailable(_DIFFER)
        return passphrase


async def _read(prompt: str) -> Secret:
    typed = await trio.to_thread.run_sync(_typed, prompt, abandon_on_cancel=True)
    if typed is None:
        raise KeyUnavailable(_NOTHING)
    encode(typed)  # what cannot be one is refused before it is asked for again
    return typed


def _typed(prompt: str) -> Secret | None:
    try:
        return Secret(getpass.getpass(prompt))
    except (EOFError, OSError, UnicodeDecodeError):  # the last holds what was typed: it goes no further
        return None


@contextmanager
def _restored() -> Iterator[None]:
    """Give the terminal back as it was: a prompt that is cancelled would leave it without an echo."""
    try:
        terminal = os.open(_DEVICE, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise KeyUnavailable(_NONE) from None
    before = termios.tcgetattr(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)
        os.close(terminal)
