"""Passphrases that are stretched at the same time: OpenSSL's Argon2id alone hangs, or finds no memory."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any
from uuid import UUID

import attrs
import pytest
import trio
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from trio.testing import wait_all_tasks_blocked

from tigercore.model import KeyRing, Secret
from tigercore.testing.clock import driver_context
from tigercore_cipher_local import LocalCipher, LocalOptions
from tigercore_cipher_local.passphraseroot import PassphraseRoot

_PASSPHRASE = Secret("an entirely good passphrase")
_OPTIONS = LocalOptions(passphrase=_PASSPHRASE)
_AMPLE = 60.0  # seconds, for what takes one


async def _open(ring: KeyRing) -> None:
    async with LocalCipher.open(_OPTIONS, driver_context()) as cipher:
        await cipher.unlock(ring)


@pytest.fixture
async def ring() -> KeyRing:
    async with LocalCipher.open(_OPTIONS, driver_context()) as cipher:
        ring = KeyRing(UUID(int=9), 1)
        ring = attrs.evolve(ring, keys=(await cipher.create_key(ring),))
        return attrs.evolve(await cipher.authenticate(ring), version=1)


async def test_rings_are_opened_at_once(ring: KeyRing) -> None:
    with trio.fail_after(_AMPLE):
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(_open, ring)


@attrs.frozen
class Gated:
    """Argon2id itself, behind a gate."""

    gate: threading.Event
    argon2: Argon2id

    def derive(self, passphrase: bytes) -> bytes:
        assert self.gate.wait(timeout=_AMPLE)
        return self.argon2.derive(passphrase)


async def test_a_start_that_is_cancelled_is_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, root, key = threading.Event(), PassphraseRoot(_PASSPHRASE), os.urandom(32)

    def gated(**cost: Any) -> Gated:
        return Gated(gate, Argon2id(**cost))

    monkeypatch.setattr("tigercore_cipher_local.stretch.Argon2id", gated)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(root.wrap, key, {})
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with trio.fail_after(_AMPLE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(root.wrap, key, {})
            await wait_all_tasks_blocked()
            gate.set()  # for the one of before, which runs on, and for the new one


def test_a_process_that_is_forked_off_meanwhile_stretches_too() -> None:
    program = (
        "import os, signal, threading; from tigercore_cipher_local.stretch import Stretch\n"
        "def stretch(): Stretch(bytes(16), 19 * 1024, 2, 4).derive(b'')\n"
        "def stretch_on():\n"
        "    while True: stretch(); begun.set()\n"
        "begun = threading.Event(); threading.Thread(target=stretch_on, daemon=True).start(); begun.wait()\n"
        "for _ in range(8):\n"
        "    child = os.fork()\n"
        "    if not child: signal.alarm(30); stretch(); os._exit(7)\n"
        "    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 7: os._exit(1)\n"
        "os._exit(7)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, timeout=_AMPLE)
    assert 7 == ended.returncode
