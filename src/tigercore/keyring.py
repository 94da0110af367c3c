"""The key ring, as frozen values: the keys of an installation, wrapped, and where each of them stands."""

from __future__ import annotations

from datetime import datetime
from typing import final
from uuid import UUID

import attrs

from tigercore.vocabulary import KeyState

__all__ = ["KeyRing", "KeyRingStatus", "KeySlot", "KeyStatus", "Verification", "WrappedKey"]


@final
@attrs.frozen
class KeySlot:
    """A key, sealed under one root; `provider` is that root's name for people, or a recovery recipient."""

    provider: str
    blob: bytes


@final
@attrs.frozen
class WrappedKey:
    """A key that seals secrets, itself sealed under every root in `slots`. `check` proves that it was opened right."""

    version: int
    state: KeyState
    check: bytes
    slots: tuple[KeySlot, ...]
    created_at: datetime | None = None


@final
@attrs.frozen
class KeyRing:
    """The keys of one installation; `active` is the version that seals, `version` counts writes of the ring.

    Nothing below `min_decrypt` opens any more. While `frozen`, nothing is signed for any account. API keys of an older
    `epoch` are dead. `recovery` are the recipients that each new key is sealed for too. `hash_key`, sealed, makes
    keyed hashes. `mac` covers all of it: only who has every key that opens messages can change a ring.
    """

    id: UUID
    active: int
    keys: tuple[WrappedKey, ...] = ()
    min_decrypt: int = 0
    frozen: bool = False
    epoch: int = 1
    recovery: tuple[str, ...] = ()
    hash_key: bytes = b""
    mac: bytes = b""
    version: int = 0


@final
@attrs.frozen
class KeyStatus:
    """One key of the ring: `roots` are the names of those that can unwrap it, `rows` counts what it has sealed."""

    version: int
    state: KeyState
    created_at: datetime | None
    roots: tuple[str, ...]
    rows: int


@final
@attrs.frozen
class KeyRingStatus:
    """Where the key ring stands."""

    id: UUID
    active: int
    min_decrypt: int
    frozen: bool
    epoch: int
    recovery: tuple[str, ...]
    keys: tuple[KeyStatus, ...]


@final
@attrs.frozen
class Verification:
    """How many rows were read, and what is wrong with those that do not open."""

    rows: int
    faults: tuple[str, ...]
