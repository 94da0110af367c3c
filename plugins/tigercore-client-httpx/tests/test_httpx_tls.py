"""No token goes out over TLS that proves nothing, whatever the environment says (protocol 1.9)."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tigercore.errors import NotProcessed
from tigercore.model import Credentials, Environment
from tigercore.ports import Endpoint
from tigercore.testing.client import a_token
from tigercore.testing.clock import driver_context
from tigercore_client_httpx import HttpxClient, HttpxOptions


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate that nobody but its owner vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    lasting = built.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = lasting.add_extension(alternatives, critical=True).sign(key, SHA256())
    path = tmp_path / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + signed.public_bytes(Encoding.PEM))
    return path


@asynccontextmanager
async def stranger(certificate: Path, received: list[bytes]) -> AsyncIterator[Endpoint]:
    """Speak TLS with that certificate, and note what comes through it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def serve(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            async with trio.SSLStream(stream, context, server_side=True, https_compatible=True) as secure:
                received.append(await secure.receive_some())

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        url = f"https://127.0.0.1:{listeners[0].socket.getsockname()[1]}/gateway"
        yield Endpoint(Environment.SANDBOX, server_url=url)
        nursery.cancel_scope.cancel()


async def sent(certificate: Path, credentials: Credentials) -> list[bytes]:
    """Return what a refresh has sent to that stranger, who is not processed."""
    received: list[bytes] = []
    opened = HttpxClient.open(HttpxOptions(), driver_context())
    async with stranger(certificate, received) as endpoint, opened as client:
        with pytest.raises(NotProcessed):
            await client.refresh(client.signer(credentials, endpoint), a_token())
    return received


async def test_a_stranger_with_a_certificate_of_their_own_is_sent_no_token(
    certificate: Path, credentials: Credentials
) -> None:
    assert [] == await sent(certificate, credentials)


async def test_the_environment_makes_nobody_trusted(
    certificate: Path, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert [] == await sent(certificate, credentials)


async def test_the_environment_has_the_keys_of_no_connection_written_down(
    certificate: Path, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(certificate.with_name("keys.log")))
    await sent(certificate, credentials)
    assert ["certificate.pem"] == names(certificate.parent)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
