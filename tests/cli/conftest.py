"""A desk: a directory of its own, at which the command is typed and answers."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tigercore import _environ
from tigercore.cli import run

NUMBER = "20191106192858300"
OTHER = "20191106192858301"


@attrs.frozen
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Return the one JSON document of stdout."""
        return json.loads(self.out)

    @property
    def words(self) -> str:
        """Return everything that a person or a log can have seen."""
        return self.out + self.err


@attrs.frozen
class Desk:
    """Type commands here; no terminal is attached."""

    directory: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    pem: str

    def __call__(self, *words: str | Path, stdin: str = "") -> Ended:
        """Run a command in this process."""
        self.monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = run([str(word) for word in words])
        out, err = self.capsys.readouterr()
        return Ended(code, out, err)

    def install(self) -> None:
        """Make an installation here."""
        assert self("init", "--no-recovery").code == 0

    def empty_store(self, *, first: bool = False) -> None:
        """Replace the store by an empty one without a key ring, at the head or at the first revision."""
        for file in self.directory.glob("tigercore.db*"):
            file.unlink()
        assert self("db", "migrate").code == 0
        while first and self("db", "status", "--json").document["current"] != "0001":
            assert self("db", "rollback", "--yes").code == 0

    def portal(self, number: str = NUMBER, *, to: str = "portal", **more: str) -> Path:
        """Write the portal's file of an account and return its directory."""
        directory = self.directory / to / number
        directory.mkdir(parents=True)
        fields = {"tiger_id": "20150001", "account": number, "env": "PROD", "private_key_pk8": _line(self.pem), **more}
        text = "".join(f"{name}={value}\n" for name, value in fields.items())
        (directory / "tiger_openapi_config.properties").write_text(text)
        return directory

    def file(self, name: str, text: str) -> Path:
        """Write a file and return its path."""
        path = self.directory / name
        path.write_text(text)
        return path


def _line(pem: str) -> str:
    return "".join(pem.splitlines()[1:-1])


def token(*, days: float = 30, born: float = 1) -> str:
    """Make a TBHK token that was issued so many days ago and lives for so many more."""
    since, ends = (int(time.time() * 1000 + at * 86_400_000) for at in (-born, days))
    return base64.b64encode(f"{since},{ends}".encode() + bytes(16)).decode()


@pytest.fixture(scope="session")
def pem() -> str:
    """Return a private key that nobody has used before."""
    key = rsa.generate_private_key(65537, 1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def bare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, pem: str
) -> Iterator[Desk]:
    """Return a desk without an installation."""
    for name in [name for name in os.environ if name.startswith(("TIGER", "DATABASE_URL", "ENCRYPTION_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(_environ, "_taken", {})  # a master key of another test, which this process would remember
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    level = logging.getLogger("tigercore").level
    yield Desk(tmp_path / "desk", capsys, monkeypatch, pem)
    logging.getLogger("tigercore").setLevel(level)


@pytest.fixture
def desk(bare: Desk) -> Desk:
    """Return a desk with an empty installation."""
    bare.install()
    return bare


@pytest.fixture
def keeper(desk: Desk) -> Desk:
    """Return a desk with one account."""
    assert desk("account", "import", desk.portal()).code == 0
    return desk


def typed(*words: str | Path, stdin: str | None = "", **environ: str) -> Ended:
    """Run the command as a process of its own, in the present directory."""
    ended = subprocess.run(
        [sys.executable, "-m", "tigercore", *map(str, words)],
        capture_output=True,
        text=True,
        input=stdin,
        env={**os.environ, **environ},
        timeout=60,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


# -- the simulated gateway, which is a process of its own ------------------------------------------------------

LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@attrs.frozen
class Gateway:
    ready: dict[str, Any]
    directory: Path

    def add_fault(self, **fault: Any) -> None:
        body = json.dumps(fault).encode()
        LOCAL.open(urllib.request.Request(f"{self.ready['admin']}/faults", data=body, method="POST")).close()

    def orders(self) -> Any:
        with LOCAL.open(f"{self.ready['admin']}/oracle") as reply:
            return json.load(reply)["orders"]

    def has_seen(self, method: str) -> bool:
        with LOCAL.open(f"{self.ready['admin']}/oracle") as reply:
            return any(each["method"] == method for each in json.load(reply)["executed"])

    def number(self, license: str) -> str:
        developer = next(each for each in self.ready["developers"] if each["license"] == license)
        return str(next(number for number in developer["accounts"] if len(number) == 17))


@pytest.fixture
def gateway(bare: Desk) -> Iterator[Gateway]:
    words = ["simulate", "--port", "0", "--developers", "3", "--out", str(bare.directory / "sim"), "--seed", "1"]
    with subprocess.Popen([sys.executable, "-m", "tigercore", *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Gateway(json.loads(process.stdout.readline()), bare.directory / "sim")
        process.send_signal(signal.SIGINT)
        process.wait(10)


@pytest.fixture
def office(desk: Desk, gateway: Gateway) -> Gateway:
    assert desk("account", "import", gateway.directory).code == 0
    return gateway


def order(office: Gateway, *words: str) -> list[str]:
    """Return the words that place an order."""
    terms = {"symbol": "AAPL", "sec_type": "STK", "market": "US", "currency": "USD", "action": "BUY", "order_id": 7}
    params = {**terms, "order_type": "LMT", "limit_price": 1.5, "total_quantity": 1, "time_in_force": "DAY"}
    return ["call", "PLACE_ORDER", "--account", office.number("TBSG"), "--params", json.dumps(params), *words]


def place(office: Gateway, *words: str) -> Ended:
    """Place an order, by a process of its own."""
    return typed(*order(office, *words))
