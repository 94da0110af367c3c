"""Real OpenBao servers. Each is an HTTP client that holds its root token."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.servers.openbao import openbao
from tigercore.model import Secret
from tigercore_cipher_vault import VaultOptions


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """Return a server that the tests of a worker share; each takes a key of its own."""
    with openbao(tmp_path_factory.mktemp("bao")) as client:
        yield client


@pytest.fixture
def own_bao(tmp_path: Path) -> Iterator[httpx2.Client]:
    """Return a server that a test may spoil."""
    with openbao(tmp_path) as client:
        yield client


@pytest.fixture(scope="session")
def tls_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the server with TLS leaves its `vault-ca.pem`."""
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="session")
def tls_bao(tls_home: Path) -> Iterator[httpx2.Client]:
    """Return a server that speaks TLS, with a certificate of its own authority."""
    with openbao(tls_home, tls=True) as client:
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
