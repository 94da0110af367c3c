"""The cipher on a recovery identity, and what it opens after the root is lost."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest
from pyrage import x25519

from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing, KeyState
from tigercore.ports import Cipher
from tigercore.testing.cipher import CipherContract
from tigercore.testing.clock import driver_context
from tigercore_envelope import RecoveryCipher, RecoveryOptions
from tigercore_envelope.recipient import Recipient

_RING = UUID(int=5)


class TestACipherOnARecoveryIdentityKeepsTheLaws(CipherContract):
    @pytest.fixture
    def cipher_type(self) -> type[Cipher]:
        return RecoveryCipher

    @pytest.fixture
    def options(self, tmp_path: Path) -> Any:
        return RecoveryOptions(identity_file=str(tmp_path / "one.key"))

    @pytest.fixture
    def other_options(self, tmp_path: Path) -> Any:
        return RecoveryOptions(identity_file=str(tmp_path / "two.key"))

    @pytest.fixture
    def unusable_options(self, tmp_path: Path) -> Any:
        return RecoveryOptions(identity_file=str(tmp_path / "missing" / "safe.key"))


def test_the_cipher_is_found_under_its_name() -> None:
    (entry,) = entry_points(group="tigercore.ciphers", name="recovery")
    assert entry.load() is RecoveryCipher


# -- the day on which the root is lost ---------------------------------------------------------------------


def _cipher(identity: Any = None, recipient: str | None = None) -> RecoveryCipher:
    root = Recipient(str(identity.to_public()) if recipient is None else recipient, identity)
    return RecoveryCipher(None, driver_context(), root)


async def _put(cipher: Cipher, ring: KeyRing, **changes: Any) -> KeyRing:
    ready = await cipher.authenticate(attrs.evolve(ring, **changes))
    return attrs.evolve(ready, version=ring.version + 1)


async def _ring(cipher: Cipher, recovery: Sequence[Any] = ()) -> KeyRing:
    ring = KeyRing(_RING, 1, recovery=tuple(str(each.to_public()) for each in recovery))
    return await _put(cipher, ring, keys=(await cipher.create_key(ring),))


async def test_each_new_key_is_wrapped_for_the_root_and_then_for_each_recovery_recipient() -> None:
    root, one, two = (x25519.Identity.generate() for _ in range(3))
    ring = await _ring(_cipher(root), [one, two])
    second = await _cipher(root).create_key(ring)
    expected = [str(each.to_public()) for each in (root, one, two)]
    assert [expected] * 2 == [[slot.provider for slot in key.slots] for key in (*ring.keys, second)]


@pytest.mark.parametrize("which", [0, 1])
async def test_either_recovery_identity_alone_opens_what_was_sealed(which: int) -> None:
    root, *recovery = (x25519.Identity.generate() for _ in range(3))
    cipher = _cipher(root)
    ring = await _ring(cipher, recovery)
    ring = await _put(cipher, ring, keys=(*ring.keys, await cipher.create_key(ring)))
    ring = await _put(cipher, _in_states(ring, KeyState.DECRYPT, KeyState.ACTIVE), active=2)
    await cipher.unlock(ring)
    rescuer = _cipher(recovery[which])
    await rescuer.unlock(ring)
    assert b"secret" == rescuer.decrypt(cipher.encrypt(b"secret", context=b"place"), context=b"place")


async def test_a_slot_for_recovery_that_was_moved_from_another_ring_does_not_open() -> None:
    root, safe = x25519.Identity.generate(), x25519.Identity.generate()
    cipher = _cipher(root)
    ring = await _ring(cipher, [safe])
    elsewhere = await cipher.create_key(KeyRing(UUID(int=6), 1, recovery=ring.recovery))
    moved = attrs.evolve(ring, keys=(attrs.evolve(elsewhere, created_at=ring.keys[0].created_at),), hash_key=b"")
    with pytest.raises(KeyUnavailable, match="sealed for another ring or version"):
        await _cipher(safe).unlock(moved)


async def test_a_slot_for_recovery_that_was_moved_from_another_version_does_not_open() -> None:
    root, safe = x25519.Identity.generate(), x25519.Identity.generate()
    cipher = _cipher(root)
    ring = await _ring(cipher, [safe])
    second = await cipher.create_key(ring)
    with pytest.raises(KeyUnavailable, match="sealed for another ring or version"):
        await _cipher(safe).unlock(attrs.evolve(ring, keys=(attrs.evolve(second, version=1, state=KeyState.ACTIVE),)))


async def test_a_recipient_without_its_identity_takes_a_share_which_the_identity_opens() -> None:
    root, safe = x25519.Identity.generate(), x25519.Identity.generate()
    cipher = _cipher(root)
    ring = await _ring(cipher)
    shared = await cipher.share(ring, _cipher(recipient=str(safe.to_public())))
    await _cipher(safe).unlock(attrs.evolve(shared, version=ring.version + 1))


async def test_a_recipient_without_its_identity_unlocks_nothing_and_says_what_is_needed() -> None:
    safe = x25519.Identity.generate()
    ring = await _ring(_cipher(x25519.Identity.generate()), [safe])
    with pytest.raises(KeyUnavailable, match="only seals here: give its identity file"):
        await _cipher(recipient=str(safe.to_public())).unlock(ring)


async def test_no_ring_is_told_to_a_recipient_who_is_none() -> None:
    ring = attrs.evolve(await _ring(_cipher(x25519.Identity.generate())), recovery=("age1nonsense",))
    with pytest.raises(KeyUnavailable, match="is no age recipient"):
        await _cipher(x25519.Identity.generate()).create_key(ring)


def _in_states(ring: KeyRing, *states: KeyState) -> KeyRing:
    keys = tuple(attrs.evolve(key, state=state) for key, state in zip(ring.keys, states, strict=True))
    return attrs.evolve(ring, keys=keys)
