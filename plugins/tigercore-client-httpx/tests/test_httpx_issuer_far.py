"""An issuer on another machine, over TLS: no endpoint of its is on this one, where a token would go to who listens."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tigercore.errors import Rejected
from tigercore.model import Environment
from tigercore.ports import Endpoint, Prompt
from tigercore.testing.clock import ManualClock
from tigercore_client_httpx.issuer import Issuer
from tigercore_client_httpx.lane import Lane
from tigercore_client_httpx.login import with_code

NAME = "issuer.example.com"
HERE = ("https://127.0.0.1/token", "http://127.0.0.1:9/token", "http://[::1]:9/token", "http://localhost/token")
NAMES = ("authorization", "token", "registration", "device_authorization", "revocation")


class EveryNameIsHere(trio.abc.HostnameResolver):
    """Say of every name that it is this machine, as a hosts file can."""

    async def getaddrinfo(self, host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        await trio.lowlevel.checkpoint()
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", int(port)))]

    async def getnameinfo(self, sockaddr: Any, flags: int) -> Any:
        raise NotImplementedError


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    lasting = built.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
    signed = lasting.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=True).sign(key, SHA256())
    path = tmp_path / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + signed.public_bytes(Encoding.PEM))
    return path


Far = Callable[..., Awaitable[Any]]


@pytest.fixture
async def far(certificate: Path) -> AsyncIterator[Far]:
    """Return what makes an issuer of that name say this in each reply; it gives the issuer and its metadata."""
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=certificate)
    theirs.load_cert_chain(certificate)
    async with trio.open_nursery() as nursery, Lane(ours, 2, 0) as lane:
        trio.socket.set_custom_hostname_resolver(EveryNameIsHere())
        told: dict[str, Any] = {"scopes_supported": ["api.account:read"]}
        serve = partial(
            trio.serve_ssl_over_tcp, partial(_serve, told), 0, theirs, host="127.0.0.1", https_compatible=True
        )
        [listener] = await nursery.start(serve)
        host = f"{NAME}:{listener.transport_listener.socket.getsockname()[1]}"

        async def ask(**changes: str) -> Any:
            places = {f"{name}_endpoint": f"https://{host}/oauth2/{name}" for name in NAMES}
            told.update(places | changes)
            issuer = Issuer(f"https://{host}", Endpoint(Environment.SANDBOX), (host,), lane, ManualClock())
            return issuer, await issuer.metadata(5)

        yield ask
        nursery.cancel_scope.cancel()


async def _serve(told: dict[str, Any], stream: trio.SSLStream[trio.SocketStream]) -> None:
    try:
        async with stream:
            await stream.receive_some()
            body = json.dumps(told).encode()
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    except trio.BrokenResourceError:
        return  # the client went away, which is its right


async def test_an_issuer_on_another_machine_may_name_endpoints_there(far: Far) -> None:
    _, places = await far()
    assert "/oauth2/token" == urlsplit(places.token).path


@pytest.mark.parametrize("url", HERE)
@pytest.mark.parametrize("name", NAMES)
async def test_an_issuer_on_another_machine_may_name_none_on_this_one(far: Far, name: str, url: str) -> None:
    with pytest.raises(Rejected, match=f"{name}_endpoint is on this machine, and the issuer is not"):
        await far(**{f"{name}_endpoint": url})


@pytest.mark.parametrize("name", NAMES)
async def test_an_issuer_that_is_allowed_at_one_port_may_name_no_other(far: Far, name: str) -> None:
    with pytest.raises(Rejected, match=f"{name}_endpoint names '{NAME}'"):
        await far(**{f"{name}_endpoint": f"https://{NAME}/token"})


@pytest.mark.parametrize("url", [f"http://{NAME}/verify", "http://127.0.0.1/verify", "javascript:alert(1)", "verify"])
async def test_a_page_for_the_code_that_is_not_https_is_not_shown(far: Far, url: str) -> None:
    shown: list[Prompt] = []
    issuer, places = await far(device_code="device-1", user_code="WDJB-MJHT", verification_uri=url)
    with pytest.raises(Rejected, match="not https"):
        await with_code(issuer, places, "client-1", shown.append, 5)
    assert [] == shown
