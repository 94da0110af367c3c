"""A process that was given its root in the environment, one that was killed, and the command leave no secret behind."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.integration.hunt import found
from tests.integration.test_no_secret_leaves import private_key
from tests.torture.installation import token
from tigercore.model import KeyRing, Secret
from tigercore.ports import DriverContext
from tigercore.testing.clock import driver_context
from tigercore_cipher_local import LocalCipher, LocalOptions, keyfile
from tigercore_sqlite import SqliteOptions, SqliteStore

pytestmark = pytest.mark.floor

_ROOT = Path(__file__).parents[2]
_STORE = '[store]\noptions = {{ path = "tigercore.db" }}\n[cipher]\ndriver = "local"\n{}\n'
Secrets = dict[str, str | bytes]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a directory that holds nothing else."""
    (tmp_path / "desk").mkdir(mode=0o700)
    return tmp_path / "desk"


def _environ(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    ours = {name: text for name, text in os.environ.items() if not name.startswith(("TIGER", "COVERAGE", "DATABASE"))}
    path = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])
    return {**ours, "PYTHONPATH": path, "XDG_CONFIG_HOME": str(folder.parent / "home"), **more}


def _accounts(number: int) -> tuple[list[dict[str, Any]], Secrets]:
    """Return what makes accounts of one developer, and what is secret of them."""
    secrets: Secrets = {
        "tiger_id": str(int.from_bytes(os.urandom(6), "big") + 10**14),
        "private_key": private_key(),
        "secret_key": f"secret-{os.urandom(12).hex()}",
    }
    accounts = [
        {"account_name": f"account {at}", "account_number": str(10_000_000 + at), "license": "TBHK", **secrets}
        for at in range(number)
    ]
    tokens = {f"token {at}": token(at) for at in range(number)}
    return [{**each, "token": text} for each, text in zip(accounts, tokens.values(), strict=True)], secrets | tokens


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


async def _keys(folder: Path, options: LocalOptions, context: DriverContext) -> Secrets:
    store = SqliteStore.open(SqliteOptions(path=str(folder / "tigercore.db")), context)
    async with store as opened, LocalCipher.open_root(options) as root:
        ring = await opened.key_ring()
        assert isinstance(ring, KeyRing)
        slots = [(key, slot) for key in ring.keys for slot in key.slots if slot.provider.startswith("local:")]
        place = {"app": "tigercore", "keyring": str(ring.id)}
        return {
            f"key {key.version}": await root.unwrap(slot.blob, {**place, "kek": str(key.version)})
            for key, slot in slots
        }


def _keys_of(folder: Path, options: LocalOptions) -> Secrets:
    return trio.run(_keys, folder, options, driver_context())


@contextmanager
def _victim(folder: Path, environ: Mapping[str, str], given: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """Start a victim, and tell it what to do; it is ended at the end."""
    with (
        open(folder.parent / "stderr", "w") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "tests.integration.victim"],
            cwd=folder,
            env=_environ(folder, environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        yield process
        process.stdin.close()
        process.wait(60)


# -- the environment ---------------------------------------------------------------------------------------

_MASTER_KEY, _PASSPHRASE = "ENCRYPTION_MASTER_KEY", "TIGERCORE_SECRET_CIPHER__OPTIONS__PASSPHRASE"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize("name", [_MASTER_KEY, _PASSPHRASE])
def test_a_root_from_the_environment_is_nowhere_to_be_seen_once_it_was_read(folder: Path, name: str) -> None:
    raw = os.urandom(32)
    text = base64.b64encode(raw).decode() if name == _MASTER_KEY else f"a passphrase of {raw.hex()}"
    (folder / "tigercore.toml").write_text(_STORE.format(""))
    accounts, secrets = _accounts(1)
    with _victim(folder, {name: text}, {"accounts": accounts, "kill_at": None}) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        heaps = {
            f"{what} of {pid}": Path(f"/proc/{pid}/{what}").read_bytes()
            for pid in json.loads(line)
            for what in ("environ", "cmdline")
        }
    options = LocalOptions(master_key=Secret(text)) if name == _MASTER_KEY else LocalOptions(passphrase=Secret(text))
    secrets |= {"root": text, "bytes of the root": raw, **_keys_of(folder, options)}
    heaps |= {**_files(folder), "stdout": line.encode(), "stderr": (folder.parent / "stderr").read_bytes()}
    assert (0, 8, 4) == (process.returncode, len(secrets), sum(b"PATH=" in heap for heap in heaps.values()) + 2)
    for told in (b"KeyUnavailable: /nowhere: no such file", b"KeyUnavailable: the key ring was changed"):
        assert told in heaps["stderr"]
    assert [] == found(secrets, heaps)


# -- a kill ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kill_at", [0, 1])
def test_a_process_that_is_killed_in_the_midst_of_a_rotation_leaves_no_secret(folder: Path, kill_at: int) -> None:
    key_file = str(folder.parent / "root.key")
    keyfile.create(key_file)
    (folder / "tigercore.toml").write_text(_STORE.format(f'options = {{ key_file = "{key_file}" }}'))
    accounts, secrets = _accounts(2)
    with _victim(folder, {}, {"accounts": accounts, "kill_at": kill_at}) as process:
        assert -signal.SIGKILL == process.wait(60)
    left = _files(folder)
    heaps = {**left, "stderr": (folder.parent / "stderr").read_bytes()}
    secrets |= {"root": keyfile.read(key_file), **_keys_of(folder, LocalOptions(key_file=key_file))}
    assert {"tigercore.db", "tigercore.db-wal"} <= left.keys()
    assert {"key 1", "key 2"} <= secrets.keys()
    assert [] == found(secrets, heaps)


# -- the command -------------------------------------------------------------------------------------------


def _typed(folder: Path, *words: str, stdin: str = "", code: int = 0) -> bytes:
    """Run the command with everything logged, and return what it wrote."""
    ran = subprocess.run(
        [sys.executable, "-m", "tigercore", *words],
        cwd=folder,
        env=_environ(folder, {"TIGERCORE_LOG": "DEBUG"}),
        input=stdin.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert code == ran.returncode, (words, ran.stderr)
    return b" ".join([str(words).encode(), ran.stdout, ran.stderr])


@pytest.fixture
def home(folder: Path) -> tuple[Path, Secrets]:
    """Return where secrets may lie: the portal's files of an account, and a new key for it; and what is in them."""
    home = folder.parent / "home"
    (home / "portal").mkdir(parents=True, mode=0o700)
    (account,), secrets = _accounts(1)
    del secrets["secret_key"]
    secrets["new private key"] = changed = private_key()
    body = "".join(account["private_key"].splitlines()[1:-1])
    fields = {"tiger_id": account["tiger_id"], "account": "10000000", "private_key_pk8": body, "license": "TBHK"}
    text = "".join(f"{name}={value}\n" for name, value in fields.items())
    (home / "portal" / "tiger_openapi_config.properties").write_text(text)
    (home / "portal" / "tiger_openapi_token.properties").write_text(f"token={account['token']}\n")
    (home / "new.pem").write_text(changed)
    (folder / "new.toml").write_text(f'[cipher]\ndriver = "local"\noptions = {{ key_file = "{home / "new.key"}" }}\n')
    return home, secrets


def test_no_command_on_keys_and_roots_shows_or_leaves_a_secret(folder: Path, home: tuple[Path, Secrets]) -> None:
    (directory, secrets), said = home, []
    root, new, safe, pem = (directory / name for name in ("tigercore/root.key", "new.key", "safe.key", "new.pem"))

    def command(*words: str | Path, code: int = 0) -> None:
        said.append(_typed(folder, *map(str, words), code=code))

    command("init", "--recovery-file", safe)
    command("account", "import", directory / "portal")
    command("cipher", "rotate", "--keep-old")
    command("cipher", "rotate")
    secrets |= _keys_of(folder, LocalOptions(key_file=str(root)))
    for words in (["export", "ring.json"], ["export", "-"], ["status", "--json"], ["rekey-root", "--to", "new.toml"]):
        command("cipher", *words)
    command("cipher", "verify", code=1)  # on the old root
    command("cipher", "import", "ring.json", "--force")  # which opens the ring of before
    command("panic", "--yes", "--to", "new.toml")
    secrets |= {"root": keyfile.read(str(root)), "new root": keyfile.read(str(new))}
    keys = _keys_of(folder, LocalOptions(key_file=str(new)))
    root.unlink()
    command("cipher", "rekey-root", "--recovery-file", safe, "--to", "new.toml")
    new.rename(root)
    command("account", "update", "10000000", "--private-key-file", pem)
    for words in (["unfreeze", "--yes"], ["purge", "--yes"], ["verify"]):
        command("cipher", *words)
    secrets |= keys | {"identity": safe.read_text().split()[-1].removeprefix("AGE-SECRET-KEY-1")}
    assert {"key 1", "key 2", "key 3", "new root"} <= secrets.keys()
    assert [] == found(secrets, {**_files(folder), **{f"command {at}": each for at, each in enumerate(said)}})
