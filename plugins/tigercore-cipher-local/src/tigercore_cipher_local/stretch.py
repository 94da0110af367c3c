"""How a passphrase becomes a key: Argon2id (RFC 9106, version 1.3), its salt and what it costs.

They stand, in the clear, in front of every key that a passphrase wraps:

===  ====  ==========================================================================================
off  len   field
===  ====  ==========================================================================================
  0     4  magic `TGP1`
  4     4  memory in KiB, big-endian: 19 MiB to 4 GiB, and 8 GiB in all passes together
  8     2  passes, big-endian: 2 to 16
 10     2  lanes, big-endian: 1 to 64
 12    16  salt, random
 28     n  the wrapped key, a TGC1 envelope
===  ====  ==========================================================================================

Bytes 0 to 27 are also part of the envelope's context (`stretch`, in hex): they cannot be exchanged.
The bounds hold before any memory is taken: who can write the database neither weakens the stretch nor fills the memory,
and a start waits for seconds at most.
"""

from __future__ import annotations

import os
import threading
from struct import Struct
from typing import Self, final

import attrs
from attrs.validators import ge, le, max_len, min_len
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from tigercore.errors import KeyUnavailable
from tigercore_envelope import UnwrapFailed

_MAGIC = b"TGP1"
_START = Struct(">4sIHH16s")
_MIB = 1024  # KiB
_SALT = 16
_OTHER = "no passphrase wrapped it"
_BOUNDS = "it asks to be stretched over {} KiB in {} passes and {} lanes, which is out of bounds: somebody changed it"
_NO_MEMORY = "stretching the passphrase needs {} MiB of memory: stop other programs, or raise this one's limit"

WORK = 8 * 1024 * _MIB
"""KiB that are worth filling to open one key, each pass counted: some seconds. By default one stretch fills 192 MiB."""

# Two Argon2id with lanes at once hang in OpenSSL 4.0, or one is told that there is no memory: they share its threads.
_alone = threading.Lock()
os.register_at_fork(before=_alone.acquire, after_in_parent=_alone.release, after_in_child=_alone.release)


@final
@attrs.frozen
class Stretch:
    """A salt and a cost: `memory` in KiB, `passes` over it, by `lanes` threads. By default RFC 9106's second choice.

    :raises ValueError: the cost is out of bounds.
    """

    salt: bytes = attrs.field(validator=[min_len(_SALT), max_len(_SALT)])
    memory: int = attrs.field(default=64 * _MIB, validator=[ge(19 * _MIB), le(4096 * _MIB)])
    passes: int = attrs.field(default=3, validator=[ge(2), le(16)])
    lanes: int = attrs.field(default=4, validator=[ge(1), le(64)])

    def __attrs_post_init__(self) -> None:
        if self.work > WORK:
            raise ValueError("the memory is out of bounds in so many passes")

    @classmethod
    def fresh(cls) -> Self:
        """Return one with a salt of its own."""
        return cls(os.urandom(_SALT))

    @classmethod
    def split(cls, wrapped: bytes) -> tuple[Self, bytes]:
        """Return what stands in front of a wrapped key, and the rest.

        :raises UnwrapFailed: no passphrase wrapped it, or the cost is out of bounds.
        """
        if len(wrapped) < _START.size or not wrapped.startswith(_MAGIC):
            raise UnwrapFailed(_OTHER)
        _, memory, passes, lanes, salt = _START.unpack_from(wrapped)
        try:
            return cls(salt, memory, passes, lanes), wrapped[_START.size :]
        except ValueError:
            raise UnwrapFailed(_BOUNDS.format(memory, passes, lanes)) from None

    @property
    def work(self) -> int:
        """Return the KiB that are filled, each pass counted."""
        return self.memory * self.passes

    def header(self) -> bytes:
        """Return the 28 bytes that stand in front of a wrapped key."""
        return _START.pack(_MAGIC, self.memory, self.passes, self.lanes, self.salt)

    def derive(self, passphrase: bytes) -> bytes:
        """Return the key of 32 bytes. It takes its time, a third of a second by default: call it in a thread.

        One at a time in a process: the next one waits.

        :raises KeyUnavailable: there is not so much memory.
        """
        argon2 = Argon2id(salt=self.salt, length=32, iterations=self.passes, lanes=self.lanes, memory_cost=self.memory)
        try:
            with _alone:
                return argon2.derive(passphrase)
        except MemoryError:
            del passphrase  # no error shows it
            raise KeyUnavailable(_NO_MEMORY.format(self.memory // _MIB)) from None
