"""What an error of a root or a cipher holds in the locals of its frames, which a careless error reporter sends away."""

from __future__ import annotations

import base64
import os
import random
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest
import trio
from pyrage import x25519
from trio.testing import MockClock

from tests.integration.hunt import found
from tigercore.errors import PortError
from tigercore.model import KeyRing, Secret
from tigercore.ports import Cipher
from tigercore.testing.clock import driver_context
from tigercore_cipher_awskms import AwsKmsCipher, AwsKmsOptions
from tigercore_cipher_local import LocalCipher, LocalOptions, keyfile
from tigercore_cipher_local.root import LocalRoot
from tigercore_cipher_vault import VaultCipher, VaultOptions
from tigercore_envelope import Kek, RecoveryCipher, RecoveryOptions, seal, unseal
from tigercore_envelope.envelope import _derive
from tigercore_envelope.recipient import Recipient

Deed = tuple[dict[str, str | bytes], Callable[[], Any]]
_PLACE = {"app": "tigercore", "keyring": str(UUID(int=5)), "kek": "1"}


def _reported(error: BaseException) -> bytes:
    """Return the traceback with the locals of every frame but those of this test."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    chain: list[traceback.TracebackException | None] = [trace]
    for each in chain:
        if each is not None:
            for frame in each.stack:
                frame.locals = None if frame.filename == __file__ else frame.locals
            chain += [each.__cause__, each.__context__, *(each.exceptions or ())]
    return "".join(trace.format()).encode()


async def _leaks(deed: Deed) -> list[tuple[str, str]]:
    secrets, work = deed
    with pytest.raises(PortError) as caught:
        done = work()
        if isinstance(done, Awaitable):
            await done
    return found(secrets, {"the report": _reported(caught.value)})


def _written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    path.chmod(0o600)
    return str(path)


# -- roots -------------------------------------------------------------------------------------------------


def damaged_key_file(folder: Path) -> Deed:
    keyfile.create(str(folder / "good.key"))
    damaged = _written(folder / "bad.key", (folder / "good.key").read_bytes().replace(b":", b";", 1))
    secrets: dict[str, str | bytes] = {"root": keyfile.read(str(folder / "good.key"))}
    return secrets, lambda: LocalCipher.create_root(LocalOptions(key_file=damaged))


def master_key_of_another_size(folder: Path) -> Deed:
    key = os.urandom(33)
    options = LocalOptions(master_key=Secret(base64.b64encode(key).decode()))
    return {"root": key}, lambda: LocalCipher.create_root(options)


def master_key_that_is_no_base64(folder: Path) -> Deed:
    key = base64.b64encode(os.urandom(32)).decode()
    options = LocalOptions(master_key=Secret(f"{key}!"))
    return {"root": key}, lambda: LocalCipher.create_root(options)


def short_passphrase(folder: Path) -> Deed:
    passphrase = os.urandom(5).hex()  # made here: a traceback shows the lines of this file
    options = LocalOptions(passphrase=Secret(passphrase))
    return {"passphrase": passphrase}, lambda: LocalCipher.create_root(options)


def damaged_identity_file(folder: Path) -> Deed:
    identity = str(x25519.Identity.generate())
    options = RecoveryOptions(identity_file=_written(folder / "safe.key", f"{identity}x\n".encode()))
    return {"identity": identity.removeprefix("AGE-SECRET-KEY-1")}, lambda: RecoveryCipher.create_root(options)


def identity_file_with_two(folder: Path) -> Deed:
    identity = str(x25519.Identity.generate())
    options = RecoveryOptions(identity_file=_written(folder / "safe.key", f"{identity}\n{identity}\n".encode()))
    return {"identity": identity.removeprefix("AGE-SECRET-KEY-1")}, lambda: RecoveryCipher.create_root(options)


# -- messages and keys -------------------------------------------------------------------------------------


def message_of_another_place(folder: Path) -> Deed:
    key = os.urandom(32)
    sealed = seal(Kek(1, key), b"secret", b"place")
    return {"key": key}, lambda: unseal(sealed, {1: Kek(1, key)}, b"another")


def tampered_message(folder: Path) -> Deed:
    key = os.urandom(32)
    sealed = seal(Kek(1, key), b"secret", b"")
    message_key, _ = _derive(Kek(1, key), sealed[4:10], sealed[10:42], sealed[42:54], b"")
    return {"key": key, "its key": message_key}, lambda: unseal(
        sealed[:-1] + bytes([sealed[-1] ^ 1]), {1: Kek(1, key)}, b""
    )


def recovery_slot_of_another_version(folder: Path) -> Deed:
    root, key = Recipient.from_identity(Secret(str(x25519.Identity.generate()))), os.urandom(32)

    async def work() -> None:
        await root.unwrap(await root.wrap(key, _PLACE), {**_PLACE, "kek": "2"})

    return {"key": key}, work


async def _shared_with(other: Cipher, seen: dict[str, str | bytes]) -> None:
    cipher = LocalCipher(None, driver_context(), LocalRoot(os.urandom(32)))
    ring = KeyRing(UUID(int=5), 1)
    ring = await cipher.authenticate(attrs.evolve(ring, keys=(await cipher.create_key(ring),)))
    seen["key"] = await cipher._root.unwrap(ring.keys[0].slots[0].blob, _PLACE)
    await cipher.share(ring, other)


def share_with_a_vault_that_is_away(folder: Path) -> Deed:
    secrets: dict[str, str | bytes] = {"token": "a token of this vault"}
    options = VaultOptions(address="http://127.0.0.1:1", key="root", token=Secret("a token of this vault"))

    async def work() -> None:
        async with VaultCipher.open(options, driver_context()) as other:
            await _shared_with(other, secrets)

    return secrets, work


class NoWait(random.Random):
    """Randomness by which nobody waits between two tries."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


def share_with_a_kms_that_is_away(folder: Path) -> Deed:
    secrets: dict[str, str | bytes] = {}
    options = AwsKmsOptions(key_id="alias/x", region="eu-west-1", endpoint_url="http://127.0.0.1:1", timeout=0.5)

    async def work() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            async with AwsKmsCipher.open(options, attrs.evolve(driver_context(), rng=NoWait())) as other:
                await _shared_with(other, secrets)

    return secrets, work


def vault_token_that_is_none(folder: Path) -> Deed:
    token, key = os.urandom(9).hex(), os.urandom(32)
    options = VaultOptions(address="http://127.0.0.1:1", key="root", token=Secret(f"{token}\n{token}"))

    async def work() -> None:
        async with VaultCipher.open_root(options) as root:
            await root.wrap(key, _PLACE)

    return {"token": token, "key": key}, work


def share_with_a_stranger(folder: Path) -> Deed:
    secrets: dict[str, str | bytes] = {}
    one, two = x25519.Identity.generate(), x25519.Identity.generate()
    other = RecoveryCipher(None, driver_context(), Recipient(str(one.to_public()), two))
    return secrets, lambda: _shared_with(other, secrets)


_DEEDS = [
    damaged_key_file,
    master_key_of_another_size,
    master_key_that_is_no_base64,
    short_passphrase,
    damaged_identity_file,
    identity_file_with_two,
    message_of_another_place,
    tampered_message,
    recovery_slot_of_another_version,
    share_with_a_vault_that_is_away,
    share_with_a_kms_that_is_away,
    vault_token_that_is_none,
    share_with_a_stranger,
]


@pytest.mark.parametrize("make", _DEEDS)
def test_no_secret_stands_in_a_frame_of_what_is_raised(make: Callable[[Path], Deed], tmp_path: Path) -> None:
    threads = make is share_with_a_kms_that_is_away  # a clock that jumps would not wait for them
    clock = None if threads else MockClock(autojump_threshold=0)
    assert [] == trio.run(_leaks, make(tmp_path), clock=clock)
