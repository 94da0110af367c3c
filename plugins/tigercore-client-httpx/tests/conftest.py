from collections.abc import AsyncIterator
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tigercore.model import Credentials, Secret
from tigercore.ports import Signer
from tigercore.testing.client import SocketGateway, open_socket_gateway
from tigercore.testing.clock import driver_context
from tigercore_client_httpx import HttpxClient, HttpxOptions


@cache
def _key() -> RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)  # the broker's own size


@pytest.fixture
def key() -> RSAPrivateKey:
    return _key()


@pytest.fixture
def credentials(key: RSAPrivateKey) -> Credentials:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Credentials(Secret("20150001"), Secret(text), Secret("institution-secret"))


@pytest.fixture
async def gateway() -> AsyncIterator[SocketGateway]:
    async with open_socket_gateway() as gateway:
        yield gateway


@pytest.fixture
async def client() -> AsyncIterator[HttpxClient]:
    async with HttpxClient.open(HttpxOptions(), driver_context()) as client:
        yield client


@pytest.fixture
def signer(client: HttpxClient, gateway: SocketGateway, credentials: Credentials) -> Signer:
    return client.signer(credentials, gateway.endpoint)
