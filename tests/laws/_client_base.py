"""What the clients that are wrong on purpose have in common."""

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from tigercore.errors import ClientError
from tigercore.model import Credentials, Secret, Token
from tigercore.ports import Authorization, Endpoint, GatewayRequest, NoOptions, Prompt, Signer, TigerClient
from tigercore.testing._scripted_client import ScriptedGateway, ScriptedTigerClient
from tigercore.testing.client import TigerClientContract

UNKNOWN = frozenset(
    {
        "test_a_refused_token_leaves_a_write_unknown",
        "test_http_401_leaves_a_write_unknown",
        "test_a_server_error_code_is_unknown",
        "test_a_code_that_nobody_has_listed_is_unknown",
        "test_http_5xx_is_unknown",
        "test_a_redirect_is_unknown_and_not_followed",
        "test_a_connection_closed_after_reading_is_unknown",
        "test_a_cut_reply_is_unknown",
        "test_an_oversized_reply_is_unknown",
        "test_a_reply_that_is_no_envelope_is_unknown",
        "test_a_reply_that_no_json_parser_should_take_is_unknown",
        "test_a_gateway_that_hangs_is_unknown_when_the_timeout_is_over",
        "test_a_write_that_met_a_refused_token_says_so_by_its_code",
        "test_a_surplus_reply_never_answers_the_next_call",
    }
)


class Client(TigerClient):
    """Keep every law; the broken ones below override what they break."""

    def __init__(self) -> None:
        self.inner = ScriptedTigerClient()
        super().__init__(NoOptions(), self.inner.context)

    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        self.inner.validate(credentials, endpoint)

    def signer(self, credentials: Credentials, endpoint: Endpoint) -> Signer:
        return self.inner.signer(credentials, endpoint)

    async def call(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        try:
            return self.answered(await self.send(request, signer, token))
        except ClientError as error:
            raise self.judged(error, request, token) from None

    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        return await self.inner.call(request, signer, token)

    async def refresh(self, signer: Signer, token: Token) -> Token:
        return await self.inner.refresh(signer, token)

    async def probe(self, signer: Signer, token: Token | None) -> bool:
        return await self.inner.probe(signer, token)

    @property
    def skew(self) -> float | None:
        return self.inner.skew

    async def authorize(self, wanted: Authorization, show: Callable[[Prompt], None]) -> Token:
        return await self.inner.authorize(wanted, show)

    async def revoke(self, signer: Signer, token: Token) -> None:
        await self.inner.revoke(signer, token)

    def answered(self, data: Any) -> Any:
        return data

    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        return error


class Suite(TigerClientContract):
    driver: ClassVar[type[Client]]
    breaks: ClassVar[frozenset[str]]

    @pytest.fixture
    def client(self) -> Client:
        return self.driver()

    @pytest.fixture
    def gateway(self, client: Client) -> ScriptedGateway:
        return client.inner.gateway

    @pytest.fixture
    def credentials(self) -> Credentials:
        return Credentials(Secret("20150001"), Secret("KEY" + "-and-more" * 8), Secret("institution-secret"))
