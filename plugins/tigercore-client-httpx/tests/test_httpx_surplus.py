import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tigercore.errors import OutcomeUnknown
from tigercore.operations import operation
from tigercore.ports import GatewayRequest, Signer
from tigercore.testing.client import Answer, Fault, SocketGateway, a_token, token_text
from tigercore_client_httpx import HttpxClient
from tigercore_client_httpx._httpx import httpx
from tigercore_client_httpx.lane import HttpReply, HttpRequest, Lane
from tigercore_client_httpx.surplus import surplus

READ, PLACE = GatewayRequest(operation("positions"), {}), GatewayRequest(operation("place_order"), {})
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"


async def test_reads_share_a_connection(client: HttpxClient, gateway: SocketGateway, signer: Signer) -> None:
    """So the private path is there: without it no connection would be used again."""
    for _ in range(3):
        await client.call(READ, signer, None)
    assert 1 == gateway.connections


async def test_writes_and_refreshes_share_none_and_say_so(
    client: HttpxClient, gateway: SocketGateway, signer: Signer
) -> None:
    gateway.then(Answer(), Answer(), Answer({"token": token_text(datetime(2026, 1, 6, tzinfo=UTC))}))
    for _ in range(2):
        await client.call(PLACE, signer, None)
    await client.refresh(signer, a_token())
    assert (3, ["close"] * 3) == (gateway.connections, [headers["connection"] for headers in gateway.headers])


async def test_a_read_with_a_surplus_reply_is_unknown_and_its_connection_ends(
    client: HttpxClient, gateway: SocketGateway, signer: Signer
) -> None:
    gateway.then(Answer(), Fault.TWICE, Answer({"id": 7}))
    await client.call(READ, signer, None)
    with pytest.raises(OutcomeUnknown, match="more came back"):
        await client.call(READ, signer, None)
    assert ({"id": 7}, 2) == (await client.call(READ, signer, None), gateway.connections)


async def test_a_write_with_a_surplus_reply_has_its_answer(
    client: HttpxClient, gateway: SocketGateway, signer: Signer
) -> None:
    gateway.then(Fault.TWICE)
    assert {"id": 1} == await client.call(PLACE, signer, None)


@pytest.mark.parametrize("extensions", [{}, {"network_stream": object()}])
def test_where_the_library_has_changed_nothing_can_be_told(extensions: dict[str, object]) -> None:
    assert surplus(httpx.Response(200, content=b"", extensions=extensions)) is None


# -- under TLS a surplus reply may be in a record of its own, which neither the socket nor the HTTP parser shows -------


class Corked(trio.abc.Stream):
    """Hold back what is sent until it is let go, so that two records travel in one segment."""

    def __init__(self, inner: trio.SocketStream) -> None:
        self.inner = inner
        self.held: bytearray | None = None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        if self.held is None:
            await self.inner.send_all(data)
        else:
            self.held += data

    async def let_go(self) -> None:
        held, self.held = self.held, None
        await self.inner.send_all(held or b"")

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return await self.inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    lasting = built.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
    alternatives = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = lasting.add_extension(alternatives, critical=True)
    path = tmp_path / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + signed.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return path


async def _serve(context: ssl.SSLContext, replies: list[tuple[bytes, ...]], stream: trio.SocketStream) -> None:
    corked = Corked(stream)
    async with trio.SSLStream(corked, context, server_side=True, https_compatible=True) as secure:
        with suppress(trio.BrokenResourceError):  # the client went away, which is its right
            while await _arrives(secure):
                corked.held = bytearray()
                for record in replies.pop(0):
                    await secure.send_all(record)
                await corked.let_go()


async def _arrives(secure: trio.SSLStream[Corked]) -> bool:
    received = b""
    while not received.endswith(b"\r\n\r\n{}"):
        chunk = await secure.receive_some()
        if not chunk:
            return False
        received += chunk
    return True


@asynccontextmanager
async def _secure_gateway(certificate: Path, replies: list[tuple[bytes, ...]]) -> AsyncIterator[tuple[Lane, str]]:
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=certificate)
    theirs.load_cert_chain(certificate)
    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, partial(_serve, theirs, replies), 0, host="127.0.0.1"))
        async with Lane(ours, 1, 30.0) as lane:
            yield lane, f"https://127.0.0.1:{listener.socket.getsockname()[1]}/"
        nursery.cancel_scope.cancel()


async def _bodies(lane: Lane, url: str, count: int) -> list[bytes]:
    replies: list[HttpReply] = [await lane.post("positions", HttpRequest(url, {}, b"{}"), 5) for _ in range(count)]
    return [reply.body for reply in replies]


async def test_a_surplus_reply_in_a_record_of_its_own_answers_nobody(certificate: Path) -> None:
    async with _secure_gateway(certificate, [(HEAD + b"1", HEAD + b"X"), (HEAD + b"2",)]) as (lane, url):
        assert [b"1", b"2"] == await _bodies(lane, url, 2)


async def test_a_surplus_reply_in_the_same_record_is_unknown(certificate: Path) -> None:
    async with _secure_gateway(certificate, [(HEAD + b"1" + HEAD + b"X",), (HEAD + b"2",)]) as (lane, url):
        with pytest.raises(OutcomeUnknown, match="more came back"):
            await _bodies(lane, url, 1)
        assert [b"2"] == await _bodies(lane, url, 1)


async def test_a_reply_in_two_records_is_one_reply(certificate: Path) -> None:
    async with _secure_gateway(certificate, [(HEAD, b"1"), (HEAD, b"2")]) as (lane, url):
        assert [b"1", b"2"] == await _bodies(lane, url, 2)
