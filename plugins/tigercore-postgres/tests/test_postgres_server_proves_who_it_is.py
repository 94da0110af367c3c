import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from tests.servers.postgres import PostgresServer
from tigercore.errors import StoreUnavailable
from tigercore_postgres import PostgresOptions
from tigercore_postgres.engine import store_runner

pytestmark = pytest.mark.postgres

DAY = timedelta(days=1)
SSL_REQUEST = bytes.fromhex("00000008 04d2162f")


def _certificate(
    name: str, key: EllipticCurvePrivateKey, issuer: str, signer: EllipticCurvePrivateKey
) -> x509.Certificate:
    subject, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer))
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number(), now - DAY, now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
        .sign(signer, SHA256())
    )


@attrs.frozen
class Papers:
    """The certificates of an authority and of a stranger, and what `db.example` shows."""

    authority: Path
    stranger: Path
    shown: ssl.SSLContext


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("tls")
    root, strange, key = (generate_private_key(SECP256R1()) for _ in range(3))
    for name, signer in (("authority", root), ("stranger", strange)):
        pem = _certificate(name, signer, name, signer).public_bytes(Encoding.PEM)
        (folder / f"{name}.pem").write_bytes(pem)
    own = _certificate("db.example", key, "authority", root).public_bytes(Encoding.PEM)
    (folder / "own.pem").write_bytes(own + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(folder / "own.pem")
    return Papers(folder / "authority.pem", folder / "stranger.pem", shown)


@attrs.frozen
class Front:
    """What speaks TLS before the server, as many services do: the binaries of the tests are built without it."""

    port: int

    def options(self, host: str, **parameters: str | Path) -> PostgresOptions:
        given = " ".join(f"{name}={value}" for name, value in parameters.items())
        address = f"host={host} hostaddr=127.0.0.1 port={self.port} user=tigercore dbname=postgres gssencmode=disable"
        return PostgresOptions(dsn=f"{address} sslmode=verify-full {given}")


@asynccontextmanager
async def _front(server: PostgresServer, shown: ssl.SSLContext | None) -> AsyncIterator[Front]:
    target = conninfo_to_dict(server.url())

    async def answer(client: trio.SocketStream) -> None:
        assert SSL_REQUEST == await client.receive_some(len(SSL_REQUEST))
        await client.send_all(b"S" if shown else b"N")
        if shown:
            tls = trio.SSLStream(client, shown, server_side=True, https_compatible=True)
            with suppress(trio.BrokenResourceError):  # whom the client refuses, it leaves
                async with tls, await trio.open_unix_socket(f"{target['host']}/.s.PGSQL.{target['port']}") as behind:
                    await _joined(tls, behind)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, listeners)
        yield Front(listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()


async def _joined(one: trio.abc.Stream, other: trio.abc.Stream) -> None:
    async def forward(source: trio.abc.Stream, sink: trio.abc.Stream, scope: trio.CancelScope) -> None:
        with suppress(trio.BrokenResourceError):
            while part := await source.receive_some():
                await sink.send_all(part)
        scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(forward, one, other, nursery.cancel_scope)
        nursery.start_soon(forward, other, one, nursery.cancel_scope)


async def _encrypted(options: PostgresOptions) -> bool:
    async with store_runner(options) as runner:
        return await runner.read(lambda connection: connection.connection.driver_connection.pgconn.ssl_in_use)


async def test_a_server_that_proves_who_it_is_is_spoken_to_in_tls(server: PostgresServer, papers: Papers) -> None:
    async with _front(server, papers.shown) as front:
        assert await _encrypted(front.options("db.example", sslrootcert=papers.authority))


async def test_a_server_with_another_name_is_refused(server: PostgresServer, papers: Papers) -> None:
    async with _front(server, papers.shown) as front:
        with pytest.raises(StoreUnavailable, match="name its authority with sslrootcert=FILE, and the host as"):
            await _encrypted(front.options("other.example", sslrootcert=papers.authority))


async def test_a_server_of_a_stranger_s_authority_is_refused(server: PostgresServer, papers: Papers) -> None:
    async with _front(server, papers.shown) as front:
        with pytest.raises(StoreUnavailable, match="certificate verify failed"):
            await _encrypted(front.options("db.example", sslrootcert=papers.stranger))


async def test_a_server_whose_authority_the_system_does_not_know_is_refused(
    server: PostgresServer, papers: Papers
) -> None:
    async with _front(server, papers.shown) as front:
        with pytest.raises(StoreUnavailable, match="certificate"):
            await _encrypted(front.options("db.example"))


async def test_a_server_without_tls_is_refused(server: PostgresServer) -> None:
    async with _front(server, None) as front:
        with pytest.raises(StoreUnavailable, match="switch TLS on there, or say in the URL that you do without"):
            await _encrypted(front.options("db.example"))


async def test_a_statement_that_runs_in_tls_ends_when_its_task_is_cancelled(
    server: PostgresServer, papers: Papers
) -> None:
    async with (
        _front(server, papers.shown) as front,
        store_runner(front.options("db.example", sslrootcert=papers.authority)) as runner,
    ):
        with trio.fail_after(5), trio.move_on_after(0.3) as scope:
            await runner.read(lambda connection: connection.execute(text("SELECT pg_sleep(30)")))
        assert scope.cancelled_caught
        assert 1 == await runner.read(lambda connection: connection.execute(text("SELECT 1")).scalar_one())
