"""Ciphers whose keys stay too short or too long. Each breaks the laws that it names, and keeps all others."""

from __future__ import annotations

import os
import weakref

import trio

from tests.laws._cipher_base import Broken, Right, laws
from tigercore.model import KeyRing
from tigercore.testing import _toy_cipher
from tigercore.testing._toy_cipher import ToyCipher


class TestDropsItsKeysWhenItIsCancelled(Broken):
    breaks = laws("test_an_unlock_that_is_cancelled_leaves_the_keys_in_use")

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await trio.lowlevel.checkpoint()
            before, self.toy._unlocked = self.toy._unlocked, None
            await trio.lowlevel.checkpoint()  # cancelled here, it has no keys
            self.toy._unlocked = before
            await super().unlock(ring)


class TestKeepsItsKeysInAFork(Broken):
    breaks = laws("test_a_process_that_was_forked_off_has_no_keys")

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(ring)
            _toy_cipher._holding.discard(self.toy)


class TestLosesItsKeysToAFork(Broken):
    breaks = laws("test_a_process_that_forks_keeps_its_keys")

    class Driver(Right):
        async def unlock(self, ring: KeyRing) -> None:
            await super().unlock(ring)
            _generous.add(self.toy)


_generous: weakref.WeakSet[ToyCipher] = weakref.WeakSet()


def _drop_keys() -> None:
    for cipher in _generous:
        cipher._unlocked = None


os.register_at_fork(after_in_parent=_drop_keys)
