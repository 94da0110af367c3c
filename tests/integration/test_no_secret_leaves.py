"""A run at DEBUG, with failures in every layer, leaves no byte of a secret in any file or log."""

from __future__ import annotations

import copy
import io
import logging
import os
import pickle
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.integration.conftest import Opener
from tests.integration.hunt import found
from tigercore import OperationType, Settings, TigerAccount, Tigercore, TigerCoreError, open_tigercore
from tigercore._plugins import choose
from tigercore._ringfile import dump
from tigercore.model import KeyRing, Secret
from tigercore.settings import DriverSettings
from tigercore.testing.clock import driver_context
from tigercore_cipher_local import LocalCipher, LocalOptions, keyfile
from tigercore_envelope import Kek, RecoveryCipher, RecoveryOptions, Root, lp, unseal
from tigercore_simulator import Fault, Kind, Simulator

TRADE = {
    "symbol": "AAPL",
    "sec_type": "STK",
    "currency": "USD",
    "action": "BUY",
    "order_type": "MKT",
    "total_quantity": 1,
}
FAULTS = [Kind.HTTP_429, Kind.CODE_4, Kind.HTTP_5XX, Kind.RESET_AFTER, Kind.CUT, Kind.NOT_JSON, Kind.NESTED_CODE]
Secrets = dict[str, str | bytes]


@pytest.fixture
def kept_in(tmp_path: Path) -> DriverSettings:
    """Return a store whose files can be read."""
    return DriverSettings(driver="sqlite", options={"path": str(tmp_path / "tigercore.db")})


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Catch everything that any logger says at DEBUG, with tracebacks."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def with_locals(error: BaseException) -> Iterator[str]:
    """Format a traceback as a careless error reporter does: with the locals of every frame, but for this test's."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    for each in _traces(trace):
        for frame in each.stack:
            frame.locals = None if frame.filename == __file__ else frame.locals
    return trace.format()


def _traces(trace: traceback.TracebackException | None) -> Iterator[traceback.TracebackException]:
    if trace is not None:
        yield trace
        for each in (trace.__cause__, trace.__context__, *(trace.exceptions or ())):
            yield from _traces(each)


async def fails(log: io.StringIO, deed: Callable[[], Any]) -> None:
    """Do what must fail, and log how."""
    with pytest.raises(TigerCoreError) as caught:
        await deed()
    log.writelines(with_locals(caught.value))


# -- a life ------------------------------------------------------------------------------------------------


async def trade(tiger: Tigercore, gateway: Simulator, account: TigerAccount, log: io.StringIO) -> None:
    """Call the gateway while it fails in every way."""
    for kind in FAULTS:
        gateway.faults.add(Fault(kind, method="place_order", count=1))
        for operation, params in ((OperationType.PLACE_ORDER, TRADE), (OperationType.QUOTE, {})):
            try:
                await tiger.execute(operation, params, account=account)
            except TigerCoreError as error:
                log.writelines(with_locals(error))


async def live(tiger: Tigercore, gateway: Simulator, portal: list[Path], log: io.StringIO) -> Secrets:
    """Use accounts and tokens, well and badly; return the secrets that were in play."""
    secrets: Secrets = {"secret key": f"secret-key-{os.urandom(12).hex()}"}
    for at, folder in enumerate(portal):
        account = await tiger.accounts.create_account_from_properties(folder, secret_key=secrets["secret key"])
        credentials = await tiger.accounts.decrypt_credentials(account)
        secrets[f"tiger_id {at}"] = credentials["tiger_id"].reveal()
        secrets[f"private key {at}"] = credentials["private_key"].reveal()
        await trade(tiger, gateway, account, log)
    holder = next(a for a in await tiger.accounts.list_accounts() if a.needs_token)
    for at in range(2):
        token = await tiger.tokens.token_for(holder)
        assert token is not None
        secrets[f"token {at}"] = token.value.reveal()
        await tiger.tokens.refresh_token(holder)
    return secrets


async def turn(tiger: Tigercore, folder: Path, log: io.StringIO) -> Secrets:
    """Take the key ring through all that can happen to it; return the secrets that were in play."""
    secrets: Secrets = {}
    new, safe = LocalOptions(key_file=str(folder / "new.key")), RecoveryOptions(identity_file=str(folder / "safe.key"))
    LocalCipher.create_root(new)
    RecoveryCipher.create_root(safe)
    secrets |= await keys_of(tiger, LocalOptions(key_file=str(folder / "root.key")))
    async with LocalCipher.open(new, driver_context()) as other, RecoveryCipher.open(safe, driver_context()) as rescuer:
        await tiger.keys.add_recovery(rescuer)
        await fails(log, partial(tiger.keys.add_recovery, other))  # no recipient
        await tiger.keys.rotate(keep_old=True)
        secrets |= await keys_of(tiger, LocalOptions(key_file=str(folder / "root.key")))
        await tiger.keys.rotate()
        await tiger.keys.rekey_root(other)
        secrets |= await keys_of(tiger, new)
    (folder / "ring.json").write_text(dump(tiger.keys.export()))
    log.write(f"{tiger.keys.export()!r} {tiger.keys.status()!r}")
    await panic(tiger, secrets, log)
    await tiger.keys.destroy()
    secrets["recovery identity"] = (folder / "safe.key").read_text().splitlines()[1].removeprefix("AGE-SECRET-KEY-1")
    return secrets | {f"root {name}": keyfile.read(str(folder / f"{name}.key")) for name in ("root", "new")}


async def panic(tiger: Tigercore, secrets: Secrets, log: io.StringIO) -> None:
    """Stop everything, and give one account its new key."""
    account = (await tiger.accounts.list_accounts())[0]
    await tiger.keys.freeze()
    await tiger.keys.condemn()
    await fails(log, partial(tiger.execute, OperationType.QUOTE, {}, account=account))
    secrets["new private key"] = new = private_key()
    await fails(log, partial(tiger.accounts.update_account, account.id, {"private_key": Secret(f"{new[:-9]}x")}))
    await tiger.accounts.update_account(account.id, {"private_key": new})
    await tiger.keys.unfreeze()


def private_key() -> str:
    key = rsa.generate_private_key(65537, 1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def keys_of(tiger: Tigercore, options: LocalOptions) -> Secrets:
    """Return the keys of the ring as bytes: its root is asked for them, as nothing else gives them out."""
    ring, secrets = tiger.keys.export(), Secrets()
    async with LocalCipher.open_root(options) as root:
        keks = {key.version: await _unwrapped(root, ring, key.version) for key in ring.keys if key.slots}
    place = lp(b"tigercore.ctx.1", ring.id.bytes) + lp(b"tc_key_ring", b"hash_key")
    secrets["hash key"] = unseal(ring.hash_key, {version: Kek(version, key) for version, key in keks.items()}, place)
    return secrets | {f"key {version}": key for version, key in keks.items()}


async def _unwrapped(root: Root, ring: KeyRing, version: int) -> bytes:
    slots = next(key.slots for key in ring.keys if key.version == version)
    blob = next(slot.blob for slot in slots if slot.provider == root.identity())
    return await root.unwrap(blob, {"app": "tigercore", "keyring": str(ring.id), "kek": str(version)})


async def spoil(settings: Settings, folder: Path, log: io.StringIO) -> None:
    """Open the store with a wrong root, a damaged one and a ring that was changed."""
    moved = attrs.evolve(settings, cipher=_on(folder / "new.key"))
    damaged = (folder / "new.key").read_bytes().replace(b":", b";", 1)
    (folder / "damaged.key").write_bytes(damaged)
    (folder / "damaged.key").chmod(0o644)
    for cipher in (settings.cipher, _on(folder / "damaged.key"), _on(folder / "none.key")):
        await fails(log, partial(_opened, attrs.evolve(settings, cipher=cipher)))
    _execute(folder, "update tc_account set server_url = 'https://elsewhere.example.com/gateway'")
    await fails(log, partial(_opened, moved))
    _execute(folder, "update tc_key_ring set epoch = 9")
    await fails(log, partial(_opened, moved))


def _on(key_file: Path) -> DriverSettings:
    return DriverSettings(driver="local", options={"key_file": str(key_file)})


async def _opened(settings: Settings) -> None:
    async with open_tigercore(settings) as tiger:
        await tiger.keys.require_good()


def _execute(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "tigercore.db") as connection:
        connection.execute(statement)
    connection.close()


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("tigercore.db*"))}


async def test_no_byte_of_a_secret_is_found_in_any_file_or_log(
    opener: Opener, settings: Settings, gateway: Simulator, portal: list[Path], log: io.StringIO, tmp_path: Path
) -> None:
    held_open = sqlite3.connect(tmp_path / "tigercore.db")  # keeps the WAL on the disk when tigercore closes
    held_open.execute("select * from tc_account").fetchall()
    async with opener() as tiger:
        secrets = await live(tiger, gateway, portal, log)
        secrets |= await turn(tiger, tmp_path, log)
    await spoil(settings, tmp_path, log)
    files = _files(tmp_path)
    held_open.close()
    store = choose(settings).store
    await store.driver.schema(store.options).purge()
    heaps = files | {f"purged {name}": heap for name, heap in _files(tmp_path).items()}
    assert {"tigercore.db", "tigercore.db-wal", "purged tigercore.db"} <= set(heaps)
    assert len(heaps["tigercore.db-wal"]) > 10_000
    heaps |= {"log": log.getvalue().encode(), "export": (tmp_path / "ring.json").read_bytes()}
    assert (True, 18) == (len(heaps["log"]) > 10_000, len(secrets))
    assert [] == found(secrets, heaps)


@pytest.mark.parametrize("kept", [Secret("x"), Kek(1, bytes(32))], ids=["a secret", "a key"])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, *(partial(pickle.dumps, protocol=p) for p in range(6))])
def test_what_holds_a_secret_is_neither_copied_nor_pickled(kept: object, copied: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        copied(kept)
