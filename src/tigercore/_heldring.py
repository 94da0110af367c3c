"""The key ring that this process uses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import final

import trio

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing


@final
class HeldRing:
    """Hold the newest state of the ring that was unlocked; an older one never takes its place."""

    def __init__(self, unlock: Callable[[KeyRing], Awaitable[None]]) -> None:
        self._unlock = unlock
        self._ring: KeyRing | None = None
        self._turning = trio.Lock()

    @property
    def ring(self) -> KeyRing:
        """Return the ring that is in use.

        :raises KeyUnavailable: there is none.
        """
        if self._ring is None:
            raise KeyUnavailable("the store has no key ring: restore it with `tigercore cipher import`")
        return self._ring

    async def turn_to(self, ring: KeyRing | None) -> bool:
        """Unlock a state of the ring if it is newer, use it, and say so.

        Errors as `Cipher.unlock`; then all is as before.

        :raises KeyUnavailable: it is another ring altogether, or an older state of it.
        """
        async with self._turning:
            held = self._ring
            if ring is None or (held is not None and held == ring):
                return False
            if held is not None:
                _require_successor(held, ring)
            await self._unlock(ring)
            self._ring = ring
            return True


def _require_successor(held: KeyRing, ring: KeyRing) -> None:
    """Pass if a ring may follow the one that is held: nothing that only grows has shrunk."""
    if held.id != ring.id:
        raise KeyUnavailable("another key ring stands in the store than the one that was opened: start again")
    for name in ("version", "active", "min_decrypt", "epoch"):
        if getattr(ring, name) < getattr(held, name):
            raise KeyUnavailable(
                f"the key ring in the store went back, its {name} is lower: was it restored? Start again"
            )
