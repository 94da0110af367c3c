"""A passphrase as the bytes that are stretched."""

from __future__ import annotations

import base64
import os
import unicodedata

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret

MINIMUM = 12
"""The fewest characters of a passphrase, once it is normalised."""

_LETTERS, _GROUP = 30, 5
_SUGGEST = "python -c 'import tigercore_cipher_local as local; print(local.suggest_passphrase())'"
_SHORT = f"the passphrase has fewer than {MINIMUM} characters: take a longer one, such as `{_SUGGEST}` prints"
_NO_TEXT = "the passphrase is not text that UTF-8 can hold: set the terminal or the variable to UTF-8, and give it anew"


def encode(passphrase: Secret) -> bytes:
    """Return its NFC form in UTF-8, so that every keyboard gives the same; ends of lines behind it do not count.

    :raises KeyUnavailable: it has fewer than 12 characters, or is no text.
    """
    fault = _fault(_normal(passphrase))
    if fault is not None:
        raise KeyUnavailable(fault)  # out here, where no frame holds the text
    return _normal(passphrase).encode()


def _normal(passphrase: Secret) -> str:
    return unicodedata.normalize("NFC", passphrase.reveal().rstrip("\r\n"))


def _fault(text: str) -> str | None:
    if len(text) < MINIMUM:
        return _SHORT
    if any("\ud800" <= character <= "\udfff" for character in text):  # encode() would raise, and show the text
        return _NO_TEXT
    return None


def suggest_passphrase() -> str:
    """Return a new random passphrase of 150 bits: six groups of five, lower-case letters and digits 2 to 7."""
    letters = base64.b32encode(os.urandom(20)).decode().lower()
    return "-".join(letters[at : at + _GROUP] for at in range(0, _LETTERS, _GROUP))
