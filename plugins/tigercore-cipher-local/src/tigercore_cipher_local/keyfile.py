"""The file that holds the root key: one line, `tcroot1:<32 bytes, base64url>:<crc32 of what stands before, hex>`."""

from __future__ import annotations

import base64
import os
import re
import zlib

from tigercore.errors import KeyUnavailable
from tigercore_envelope import create_private, read_private

LIMIT = 128
"""Bytes that are read of a key file: more than a good one has."""

_LINE = re.compile(rb"(tcroot1:([A-Za-z0-9_-]{43}=)):([0-9a-f]{8})\n?")
_SHAPE = "is not a key file (one line, tcroot1:<key>:<crc>) or was damaged: restore it from your copy"


def create(path: str) -> None:
    """Write a new random key to a file that only its owner can read. It has its name once all of it is on the disk.

    :raises KeyUnavailable: the file is there already, or cannot be written.
    """
    create_private(path, _line(os.urandom(32)))


def read(path: str) -> bytes:
    """Return the key of 32 bytes.

    :raises KeyUnavailable: the file is not there, not a regular file that is ours alone, or damaged.
    """
    return parse(path, read_private(path, LIMIT))


def parse(path: str, line: bytes) -> bytes:
    """Return the key of 32 bytes that a file held.

    :raises KeyUnavailable: it is not one whole line of a key file.
    """
    key = _key(line)
    del line  # no error shows it
    if key is None:
        raise KeyUnavailable(f"{path} {_SHAPE}")
    return key


def _key(line: bytes) -> bytes | None:
    parts = _LINE.fullmatch(line)
    if parts is None or zlib.crc32(parts[1]) != int(parts[3], 16):
        return None
    return base64.urlsafe_b64decode(parts[2])


def _line(key: bytes) -> bytes:
    text = b"tcroot1:" + base64.urlsafe_b64encode(key)
    return text + b":%08x\n" % zlib.crc32(text)
