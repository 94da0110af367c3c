import pytest

from tigercore.errors import NotProcessed
from tigercore.model import Credentials, Secret
from tigercore.ports import GatewayRequest, Signer
from tigercore.testing._client_suite import PLACE, QUOTE, READ
from tigercore.testing._scripted_client import ScriptedGateway, ScriptedTigerClient
from tigercore.testing.client import Answer, TigerClientContract, a_token


class TestScriptedTigerClient(TigerClientContract):
    @pytest.fixture
    def client(self) -> ScriptedTigerClient:
        return ScriptedTigerClient()

    @pytest.fixture
    def gateway(self, client: ScriptedTigerClient) -> ScriptedGateway:
        return client.gateway

    @pytest.fixture
    def credentials(self) -> Credentials:
        return Credentials(Secret("20150001"), Secret("KEY" + "-and-more" * 8), Secret("institution-secret"))


@pytest.fixture
def client() -> ScriptedTigerClient:
    return ScriptedTigerClient()


@pytest.fixture
def signer(client: ScriptedTigerClient) -> Signer:
    return client.signer(Credentials(Secret("20150001"), Secret("KEY")), client.gateway.endpoint)


async def test_it_answers_a_method_alike_until_told_otherwise(client: ScriptedTigerClient, signer: Signer) -> None:
    client.answer(QUOTE.method, {"price": 1})
    assert [{"price": 1}] * 2 == [await client.call(GatewayRequest(QUOTE, {}), signer, None) for _ in range(2)]


async def test_it_fails_the_account_and_method_that_was_named_and_as_often(
    client: ScriptedTigerClient, signer: Signer
) -> None:
    client.fail("1", READ.method, NotProcessed(READ.method, "as scripted"), times=1)
    await client.call(GatewayRequest(READ, {}, account="2"), signer, None)
    await client.call(GatewayRequest(PLACE, {}, account="1"), signer, None)
    with pytest.raises(NotProcessed, match="as scripted"):
        await client.call(GatewayRequest(READ, {}, account="1"), signer, None)
    assert await client.call(GatewayRequest(READ, {}, account="1"), signer, None) is None


async def test_a_failure_may_be_a_move_of_the_gateway(client: ScriptedTigerClient, signer: Signer) -> None:
    client.fail(None, None, Answer(status=429))
    with pytest.raises(NotProcessed):
        await client.call(GatewayRequest(READ, {}, account="1"), signer, None)


async def test_it_lists_the_calls(client: ScriptedTigerClient, signer: Signer) -> None:
    await client.call(GatewayRequest(READ, {"market": "US"}, account="1"), signer, None)
    assert [("1", READ.method, {"market": "US", "account": "1"})] == client.calls


async def test_it_mints_a_new_token_with_each_refresh(client: ScriptedTigerClient, signer: Signer) -> None:
    tokens = [await client.refresh(signer, a_token()) for _ in range(2)]
    assert tokens[0] != tokens[1]
