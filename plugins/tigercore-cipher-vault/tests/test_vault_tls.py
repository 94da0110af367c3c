"""Whom a root trusts: certificates of a real OpenBao."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tigercore.errors import KeyUnavailable
from tigercore.model import Secret
from tigercore_cipher_vault import VaultCipher, VaultOptions
from tigercore_envelope import RootUnreachable

_KEY = os.urandom(32)
_CONTEXT = {"app": "tigercore", "kek": "7"}


def _on(bao: httpx2.Client, **changes: Any) -> VaultOptions:
    token = Secret(bao.headers["X-Vault-Token"])
    return VaultOptions(address=str(bao.base_url).rstrip("/"), key="tigercore", token=token, **changes)


async def _wrap(options: VaultOptions) -> bytes:
    async with VaultCipher.open_root(options) as root:
        return await root.wrap(_KEY, _CONTEXT)


async def _unwrap(options: VaultOptions, wrapped: bytes) -> bytes:
    async with VaultCipher.open_root(options) as root:
        return await root.unwrap(wrapped, _CONTEXT)


async def test_a_key_opens_on_with_the_authority_that_is_named(tls_bao: httpx2.Client, tls_home: Path) -> None:
    options = _on(tls_bao, ca_file=str(tls_home / "vault-ca.pem"))
    VaultCipher.create_root(options)
    assert _KEY == await _unwrap(options, await _wrap(options))


async def test_a_certificate_of_an_unknown_authority_is_refused_for_good(tls_bao: httpx2.Client) -> None:
    with pytest.raises(KeyUnavailable, match="is not trusted: name its authority in `ca_file`") as caught:
        await _wrap(_on(tls_bao))
    assert not isinstance(caught.value, RootUnreachable)


def _another_authority(path: Path) -> str:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
    signed = made.add_extension(x509.BasicConstraints(True, None), critical=True).sign(key, SHA256())
    path.write_bytes(signed.public_bytes(Encoding.PEM))
    return str(path)


async def test_an_authority_that_is_named_is_the_only_one_that_is_trusted(
    tls_bao: httpx2.Client, tmp_path: Path
) -> None:
    with pytest.raises(KeyUnavailable, match="is not trusted"):
        await _wrap(_on(tls_bao, ca_file=_another_authority(tmp_path / "ca.pem")))


@pytest.mark.usefixtures("tls_bao")
async def test_a_certificate_for_another_host_is_refused(tls_home: Path, nursery: trio.Nursery) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls_home / "vault-cert.pem", tls_home / "vault-key.pem")
    serve = partial(trio.serve_ssl_over_tcp, _greet, 0, context, host="127.0.0.2")  # the certificate is for 127.0.0.1
    (listener,) = await nursery.start(serve)
    port = listener.transport_listener.socket.getsockname()[1]
    given = VaultOptions(
        address=f"https://127.0.0.2:{port}", key="k", token=Secret("t"), ca_file=str(tls_home / "vault-ca.pem")
    )
    with pytest.raises(KeyUnavailable, match="is not trusted"):
        await _wrap(given)


async def _greet(stream: trio.SSLStream[trio.SocketStream]) -> None:
    with suppress(trio.BrokenResourceError):  # the client hangs up
        await stream.do_handshake()
    await trio.aclose_forcefully(stream)


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file"), ("", "no certificate"), ("no pem", "no certificate")]
)
async def test_a_ca_file_that_is_none_is_refused(tmp_path: Path, content: str | None, why: str) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    options = VaultOptions(address="https://vault.example", key="k", token=Secret("t"), ca_file=str(path))
    with pytest.raises(KeyUnavailable, match=f"ca.pem: {why}"):
        await _wrap(options)
