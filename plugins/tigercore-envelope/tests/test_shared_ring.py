"""Who gets the keys of a ring: another root, a recovery recipient, an attacker with a pen, a child process."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, final
from uuid import UUID

import attrs
import pytest
from pyrage import x25519

from tigercore.errors import DecryptionFailed, KeyUnavailable
from tigercore.model import KeyRing, KeySlot, KeyState, Secret, WrappedKey
from tigercore.ports import Cipher
from tigercore.testing.clock import driver_context
from tigercore_envelope import Kek, RecoveryCipher, Root, UnwrapFailed, lp, seal, unseal
from tigercore_envelope.recipient import Recipient

_RING = UUID(int=5)


@final
class NamedRoot(Root):
    """Seal under one name and open under another: a good root has but one."""

    def __init__(self, name: str, opens: str | None = None) -> None:
        self._name = name
        self._sealer, self._opener = (Kek(0, hashlib.sha256(each.encode()).digest()) for each in (name, opens or name))

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        return seal(self._sealer, key, lp(*(value.encode() for value in context.values())))

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        try:
            return unseal(wrapped, {0: self._opener}, lp(*(value.encode() for value in context.values())))
        except DecryptionFailed as error:
            raise UnwrapFailed("not wrapped here") from error

    def identity(self) -> str:
        return f"root:{self._name}"


def _on(root: Root) -> RecoveryCipher:
    return RecoveryCipher(None, driver_context(), root)


def _public(identity: Any) -> Recipient:
    return Recipient(str(identity.to_public()))


async def _put(cipher: Cipher, ring: KeyRing, **changes: Any) -> KeyRing:
    """Change a ring, and return it as a store keeps it."""
    ready = await cipher.authenticate(attrs.evolve(ring, **changes))
    return attrs.evolve(ready, version=ring.version + 1)


async def _ring(cipher: Cipher, **changes: Any) -> KeyRing:
    ring = KeyRing(_RING, 1, **changes)
    return await _put(cipher, ring, keys=(await cipher.create_key(ring),))


def _roots(ring: KeyRing) -> list[list[str]]:
    return [[slot.provider for slot in key.slots] for key in ring.keys]


@pytest.fixture
def cipher() -> RecoveryCipher:
    return _on(NamedRoot("one"))


# -- another root ------------------------------------------------------------------------------------------


async def test_a_root_that_does_not_open_what_it_sealed_gets_no_keys(cipher: RecoveryCipher) -> None:
    with pytest.raises(KeyUnavailable, match="does not open with root:two: not wrapped here"):
        await cipher.share(await _ring(cipher), _on(NamedRoot("two", opens="three")))


@final
class ForgetfulRoot(Root):
    """Seal something else than what was given."""

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        return bytes(32)

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        return wrapped

    def identity(self) -> str:
        return "forgetful"


async def test_a_root_that_opens_to_another_key_gets_no_keys(cipher: RecoveryCipher) -> None:
    with pytest.raises(KeyUnavailable, match="does not pass its check"):
        await cipher.share(await _ring(cipher), _on(ForgetfulRoot()))


async def test_a_recipient_that_is_said_to_open_and_does_not_gets_no_keys(cipher: RecoveryCipher) -> None:
    one, two = x25519.Identity.generate(), x25519.Identity.generate()
    with pytest.raises(KeyUnavailable, match="not sealed for this recovery key"):
        await cipher.share(await _ring(cipher), _on(Recipient(str(one.to_public()), two)))


async def test_a_recipient_without_its_identity_is_taken_at_its_word(cipher: RecoveryCipher) -> None:
    safe, ring = x25519.Identity.generate(), await _ring(cipher)
    shared = await cipher.share(ring, _on(_public(safe)))
    await _on(Recipient.from_identity(Secret(str(safe)))).unlock(attrs.evolve(shared, version=ring.version + 1))


async def test_the_new_slot_of_a_root_takes_the_place_of_its_old_one_and_stands_last(cipher: RecoveryCipher) -> None:
    two, three = _on(NamedRoot("two")), _on(NamedRoot("three"))
    ring = await _ring(cipher)
    for other in (two, three, two):
        ring = attrs.evolve(await cipher.share(ring, other), version=ring.version + 1)
    assert [["root:one", "root:three", "root:two"]] == _roots(ring)
    await two.unlock(ring)


async def test_a_ring_that_was_shared_still_makes_its_keys_for_its_own_root(cipher: RecoveryCipher) -> None:
    ring = await cipher.share(await _ring(cipher), _on(NamedRoot("two")))
    assert ["root:one"] == [slot.provider for slot in (await cipher.create_key(ring)).slots]


async def test_who_shares_a_ring_needs_its_root(cipher: RecoveryCipher) -> None:
    with pytest.raises(KeyUnavailable, match="give the root that made the ring"):
        await _on(NamedRoot("two")).share(await _ring(cipher), _on(NamedRoot("three")))


# -- an attacker, who knows every recipient and can write to the store --------------------------------------


async def _forged(safe: Any) -> KeyRing:
    """Return a ring of the attacker's own, under the id of ours: sound in itself, and sealed for our recipient."""
    place = {"app": "tigercore", "keyring": str(_RING), "kek": "1"}
    recipient, blob = str(safe.to_public()), await _public(safe).wrap(bytes(32), place)
    slots = (KeySlot("root:one", blob), KeySlot(recipient, blob))
    key = WrappedKey(1, KeyState.ACTIVE, Kek(1, bytes(32)).check(), slots)
    return await _put(_on(_Known()), KeyRing(_RING, 1, (key,), recovery=(recipient,)))


@final
class _Known(Root):
    """What an attacker has: the key that was made up."""

    async def wrap(self, key: bytes, context: Mapping[str, str]) -> bytes:
        return b""

    async def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        return bytes(32)

    def identity(self) -> str:
        return "known"


async def test_a_ring_that_an_attacker_sealed_for_our_recipient_is_not_opened_by_our_root(
    cipher: RecoveryCipher,
) -> None:
    with pytest.raises(KeyUnavailable, match="not wrapped here"):
        await cipher.unlock(await _forged(x25519.Identity.generate()))


async def test_a_cipher_that_is_open_keeps_its_keys_before_a_forged_ring(cipher: RecoveryCipher) -> None:
    await cipher.unlock(await _ring(cipher))
    sealed = cipher.encrypt(b"secret", context=b"")
    with pytest.raises(KeyUnavailable):
        await cipher.unlock(attrs.evolve(await _forged(x25519.Identity.generate()), version=9))
    assert b"secret" == cipher.decrypt(sealed, context=b"")


async def test_a_forged_ring_of_an_attacker_opens_nothing_of_ours_for_the_recovery_identity() -> None:
    safe, cipher = x25519.Identity.generate(), _on(NamedRoot("one"))
    await cipher.unlock(await _ring(cipher))
    rescuer = _on(Recipient.from_identity(Secret(str(safe))))
    await rescuer.unlock(await _forged(safe))  # who has the recipient can make a ring: it is public
    with pytest.raises(DecryptionFailed):
        rescuer.decrypt(cipher.encrypt(b"secret", context=b""), context=b"")


async def test_a_recipient_that_somebody_added_in_the_store_gets_no_key(cipher: RecoveryCipher) -> None:
    ring = await _ring(cipher)
    spy = _public(x25519.Identity.generate()).identity()
    with pytest.raises(KeyUnavailable, match="changed by something else than tigercore"):
        await cipher.unlock(attrs.evolve(ring, recovery=(spy,)))


# -- a child process ---------------------------------------------------------------------------------------

_FORKING = """
import os, sys, trio
from uuid import UUID
import attrs
from tigercore.errors import KeyUnavailable
from tigercore.model import KeyRing
from tigercore.testing.clock import driver_context
from tigercore_envelope import RecoveryCipher, RecoveryOptions

options = RecoveryOptions(identity_file=sys.argv[1])
RecoveryCipher.create_root(options)

async def unlocked(cipher):
    ring = KeyRing(UUID(int=5), 1)
    ready = await cipher.authenticate(attrs.evolve(ring, keys=(await cipher.create_key(ring),)))
    await cipher.unlock(attrs.evolve(ready, version=1))

async def main():
    async with RecoveryCipher.open(options, driver_context()) as cipher:
        await unlocked(cipher)
        return cipher

def tell(cipher, sealed):
    for deed in (lambda: cipher.decrypt(sealed, context=b""), lambda: cipher.encrypt(b"", context=b""),
                 lambda: cipher.mac(b"", purpose="")):
        try:
            deed()
        except KeyUnavailable as error:
            yield str(error)
        else:
            yield "has keys"

cipher = trio.run(main)
sealed = cipher.encrypt(b"secret", context=b"")
reads, writes = os.pipe()
if (child := os.fork()) == 0:
    shown = [*tell(cipher, sealed), repr(cipher._ring)]
    trio.run(unlocked, cipher)
    os.write(writes, "\\n".join([*shown, *tell(cipher, cipher.encrypt(b"", context=b""))]).encode())
    os._exit(0)
os.waitpid(child, 0)
os.close(writes)
print(os.read(reads, 65536).decode())
print(*tell(cipher, sealed), sep="\\n")
"""
_GONE = "a process that was forked off has no keys: open tigercore in it anew"


def test_a_process_that_was_forked_off_has_no_keys_until_it_unlocks_anew_and_its_parent_keeps_them(
    tmp_path: Any,
) -> None:
    program = [sys.executable, "-W", "error", "-c", _FORKING, str(tmp_path / "safe.key")]
    ran = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    assert [*[_GONE] * 3, "None", *["has keys"] * 3, *["has keys"] * 3] == ran.stdout.splitlines()
