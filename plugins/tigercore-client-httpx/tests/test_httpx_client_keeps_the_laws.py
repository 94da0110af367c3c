import pytest

from tigercore.model import Credentials
from tigercore.testing.client import SocketGateway, TigerClientContract
from tigercore_client_httpx import HttpxClient


class TestHttpxClient(TigerClientContract):
    @pytest.fixture
    def client(self, client: HttpxClient) -> HttpxClient:
        return client

    @pytest.fixture
    def gateway(self, gateway: SocketGateway) -> SocketGateway:
        return gateway

    @pytest.fixture
    def credentials(self, credentials: Credentials) -> Credentials:
        return credentials
