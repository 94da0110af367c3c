"""The laws of how long keys stay: through an unlock that is cancelled, and not into a fork."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import final

import pytest
import trio

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing
from tigercore.ports import Cipher
from tigercore.testing._opened_ciphers import MESSAGE, PLACE, OpenedCiphers, grown

_FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="no process forks on this platform")


class LifetimeLaws(OpenedCiphers):
    """Keys stay until others take their place, in the process that unlocked them."""

    async def test_an_unlock_that_is_cancelled_leaves_the_keys_in_use(self, cipher: Cipher, ring: KeyRing) -> None:
        sealed, larger = cipher.encrypt(MESSAGE, context=PLACE), await grown(cipher, ring)
        for checkpoints in count():
            if not await _cancelled(cipher, larger, checkpoints):
                break
            assert MESSAGE == cipher.decrypt(sealed, context=PLACE)

    @_FORKS
    @pytest.mark.parametrize("deed", ["seal", "open", "hash"])
    async def test_a_process_that_was_forked_off_has_no_keys(self, cipher: Cipher, deed: str) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        deeds: dict[str, Callable[[], bytes]] = {
            "seal": partial(cipher.encrypt, MESSAGE, context=PLACE),
            "open": partial(cipher.decrypt, sealed, context=PLACE),
            "hash": partial(cipher.mac, MESSAGE, purpose="index"),
        }
        assert _lacks_keys_in_a_fork(deeds[deed])

    @_FORKS
    async def test_a_process_that_forks_keeps_its_keys(self, cipher: Cipher) -> None:
        sealed = cipher.encrypt(MESSAGE, context=PLACE)
        _lacks_keys_in_a_fork(partial(cipher.decrypt, sealed, context=PLACE))
        assert MESSAGE == cipher.decrypt(sealed, context=PLACE)


@final
class _CancelsAt(trio.abc.Instrument):
    """Cancel a scope when the task that makes this has come to so many checkpoints, 0 being before the first."""

    def __init__(self, scope: trio.CancelScope, checkpoints: int) -> None:
        self._scope, self._left, self._task = scope, checkpoints, trio.lowlevel.current_task()
        self._cancel_if_due()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._left -= 1
            self._cancel_if_due()

    def _cancel_if_due(self) -> None:
        if self._left == 0:
            self._scope.cancel()


async def _cancelled(cipher: Cipher, ring: KeyRing, checkpoints: int) -> bool:
    """Unlock a ring, cancel that after so many checkpoints, and say whether it was still under way."""
    with trio.CancelScope() as scope:
        cancels = _CancelsAt(scope, checkpoints)
        trio.lowlevel.add_instrument(cancels)
        try:
            await cipher.unlock(ring)
        finally:
            trio.lowlevel.remove_instrument(cancels)
    return scope.cancelled_caught


def _lacks_keys_in_a_fork(deed: Callable[[], object]) -> bool:
    """Say whether a process that is forked off here has no keys for a deed."""
    if child := _fork():
        return 0 == os.waitpid(child, 0)[1]
    signal.alarm(30)  # a child that hangs is killed, and does not do as the law says
    try:
        deed()
    except KeyUnavailable:
        os._exit(0)
    finally:
        os._exit(1)


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of other threads: the child waits for none of them
        return os.fork()
