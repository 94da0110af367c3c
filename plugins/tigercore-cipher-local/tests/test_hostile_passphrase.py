"""Keys that somebody put into the database to keep a passphrase busy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import attrs
import pytest

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeySlot, KeyState, Secret, WrappedKey
from tigercore.testing.clock import driver_context
from tigercore_cipher_local import LocalCipher
from tigercore_cipher_local.passphraseroot import PassphraseRoot
from tigercore_cipher_local.root import LocalRoot
from tigercore_cipher_local.stretch import Stretch
from tigercore_envelope import Kek, UnwrapFailed

_MIB = 1024
_MOST = 8 * 1024 * _MIB
_RING = UUID(int=9)
_PASSPHRASE = Secret("an entirely good passphrase")


@attrs.define
class Quick:
    """Stands for Argon2id, for which these costs are too high in a test: `work` tells what it would have filled."""

    work: int = 0

    def __call__(self, **cost: Any) -> Derived:
        self.work += cost["memory_cost"] * cost["iterations"]
        return Derived(cost["salt"])


@attrs.frozen
class Derived:
    salt: bytes

    def derive(self, passphrase: bytes) -> bytes:
        return hashlib.sha256(self.salt + passphrase).digest()


@pytest.fixture(autouse=True)
def argon2(monkeypatch: pytest.MonkeyPatch) -> Quick:
    quick = Quick()
    monkeypatch.setattr("tigercore_cipher_local.stretch.Argon2id", quick)
    return quick


def _stretches(many: int, memory: int, passes: int) -> list[Stretch]:
    return [Stretch(at.to_bytes(16, "big"), memory, passes) for at in range(many)]


def _context(version: int = 1) -> dict[str, str]:
    return {"app": "tigercore", "keyring": str(_RING), "kek": str(version)}


async def _wrapped(passphrase: str, stretch: Stretch, context: Mapping[str, str]) -> bytes:
    return await PassphraseRoot(Secret(passphrase), stretch).wrap(bytes(32), context)


async def _slots(stretches: list[Stretch]) -> tuple[KeySlot, ...]:
    """Return slots of strangers."""
    blobs = [await _wrapped("a passphrase of another", stretch, _context()) for stretch in stretches]
    return tuple(KeySlot(f"local:passphrase-{at:08x}", blob) for at, blob in enumerate(blobs))


def _ring(*slots: KeySlot) -> KeyRing:
    return KeyRing(_RING, 1, (WrappedKey(1, KeyState.ACTIVE, Kek(1, bytes(32)).check(), slots),))


def _cipher() -> LocalCipher:
    return LocalCipher(None, driver_context(), PassphraseRoot(_PASSPHRASE))


@pytest.mark.parametrize(("memory", "passes"), [(4096 * _MIB, 2), (512 * _MIB, 16), (300 * _MIB, 16), (19 * _MIB, 16)])
async def test_a_key_of_strangers_costs_what_one_slot_may_cost(argon2: Quick, memory: int, passes: int) -> None:
    ring, cipher = _ring(*await _slots(_stretches(32, memory, passes))), _cipher()
    argon2.work = 0
    for _ in range(3):
        with pytest.raises(KeyUnavailable, match="wrong passphrase"):
            await cipher.unlock(ring)
    assert 0 < argon2.work <= _MOST


async def test_who_shares_a_ring_with_31_others_opens_it_wherever_his_slot_stands() -> None:
    own = KeySlot("local:passphrase-own", await _wrapped(_PASSPHRASE.reveal(), Stretch(b"x" * 16), _context()))
    slots = await _slots(_stretches(31, 64 * _MIB, 3))
    await _cipher().authenticate(_ring(*slots, own))


async def test_a_key_that_was_made_later_opens_although_strangers_were_tried(argon2: Quick) -> None:
    ours, root = Stretch(b"x" * 16), PassphraseRoot(_PASSPHRASE)
    await root.unwrap(await _wrapped(_PASSPHRASE.reveal(), ours, _context()), _context())
    (stranger,) = await _slots(_stretches(1, 4096 * _MIB, 2))
    with pytest.raises(UnwrapFailed):
        await root.unwrap(stranger.blob, _context(2))
    later = await _wrapped(_PASSPHRASE.reveal(), ours, _context(2))
    assert bytes(32) == await root.unwrap(later, _context(2))


async def test_one_key_of_strangers_takes_no_time_from_another(argon2: Quick) -> None:
    (stranger,), root = await _slots(_stretches(1, 4096 * _MIB, 2)), PassphraseRoot(_PASSPHRASE)
    with pytest.raises(UnwrapFailed):
        await root.unwrap(stranger.blob, _context(2))
    ours = await _wrapped(_PASSPHRASE.reveal(), Stretch(b"x" * 16), _context(3))
    assert bytes(32) == await root.unwrap(ours, _context(3))


async def test_what_is_not_tried_any_more_says_so() -> None:
    root = PassphraseRoot(_PASSPHRASE)
    one, two = await _slots(_stretches(2, 4096 * _MIB, 2))
    with pytest.raises(UnwrapFailed, match="wrong passphrase"):
        await root.unwrap(one.blob, _context())
    with pytest.raises(UnwrapFailed, match="it is not worth more time"):
        await root.unwrap(two.blob, _context())


@pytest.mark.parametrize("version", [1, 7, 2**32 - 1])
async def test_a_wrapped_key_of_another_version_is_not_of_this_root(version: int) -> None:
    root = LocalRoot(bytes(32))
    wrapped = await root.wrap(bytes(32), _context())
    with pytest.raises(UnwrapFailed, match="this root key did not wrap it"):
        await root.unwrap(wrapped[:6] + version.to_bytes(4, "big") + wrapped[10:], _context())
