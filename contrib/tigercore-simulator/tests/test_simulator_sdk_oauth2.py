"""The unmodified official SDK logs in at the simulator's issuer by its own flows, and works with what it gets."""

import logging
from urllib.request import urlopen

import pytest
import trio

from tigercore_simulator import Consent, Terms, open_simulator

pytestmark = [pytest.mark.filterwarnings("ignore")]


@pytest.fixture
async def simulator(clock):
    async with open_simulator(developers=2, seed=7, clock=clock, terms=Terms(interval=1)) as running:
        yield running


@pytest.fixture
def sessions(simulator, tmp_path):
    from tigeropen.auth.oauth2 import OAuth2SessionManager

    return OAuth2SessionManager(issuer=simulator.issuer.url, home=str(tmp_path))


def visit(url):
    with urlopen(url, timeout=10) as page:
        return page.read()


def visit_verification(device):
    visit(device.verification_uri_complete)


async def run(call, *arguments):
    return await trio.to_thread.run_sync(lambda: call(*arguments))


def open_trade(simulator, sessions):
    from tigeropen.auth.oauth2 import OAuth2Authentication
    from tigeropen.tiger_open_config import TigerOpenClientConfig
    from tigeropen.trade.trade_client import TradeClient

    config = TigerOpenClientConfig(enable_dynamic_domain=False)
    config.server_url = simulator.url
    config.retry_max_tries = 1
    config.authentication = OAuth2Authentication(sessions)
    logger = logging.getLogger("quiet")
    logger.setLevel(logging.CRITICAL)
    return TradeClient(config, logger=logger)


async def managed(simulator, sessions):
    trade = await run(open_trade, simulator, sessions)
    return [each.account for each in await run(trade.get_managed_accounts)]


async def test_the_sdk_logs_in_by_its_browser_flow(simulator, sessions):
    await run(sessions.login, visit)
    assert list(simulator.developers[0].accounts) == await managed(simulator, sessions)


async def test_the_sdk_logs_in_by_its_device_flow(simulator, sessions):
    simulator.issuer.consent = Consent(simulator.developers[1].tiger_id)
    await run(sessions.login_with_device_code, visit_verification)
    assert list(simulator.developers[1].accounts) == await managed(simulator, sessions)


async def test_the_sdk_is_told_that_the_person_denied(simulator, sessions):
    from tigeropen.auth.oauth2 import OAuth2Exception

    simulator.issuer.consent = Consent(answer="deny")
    with pytest.raises(OAuth2Exception, match="access_denied"):
        await run(sessions.login, visit)


async def test_the_sdk_is_told_that_the_person_denied_a_device(simulator, sessions):
    from tigeropen.auth.oauth2 import OAuth2Exception

    simulator.issuer.consent = Consent(answer="deny")
    with pytest.raises(OAuth2Exception, match="denied by the user"):
        await run(sessions.login_with_device_code, visit_verification)


async def test_the_sdk_refreshes_an_access_token_that_is_refused(simulator, sessions, clock):
    await run(sessions.login, visit)
    clock.move(3600)
    await managed(simulator, sessions)
    assert 1 == len(simulator.oracle.refreshes[sessions.client_id].generations)


async def test_the_sdk_refreshes_again_and_again(simulator, sessions):
    token = await run(sessions.login, visit)
    for _ in range(3):
        token = await run(sessions.refresh_after_unauthorized, token.access_token)
    assert 3 == len(simulator.oracle.refreshes[sessions.client_id].generations)


async def test_the_sdk_must_log_in_again_once_its_refresh_token_was_rotated_elsewhere(simulator, sessions, app_of):
    from tigeropen.auth.oauth2 import Category, OAuth2Exception

    token = await run(sessions.login, visit)
    other = app_of(simulator)
    other.client_id = sessions.client_id
    await other.refresh({"refresh_token": token.refresh_token})
    with pytest.raises(OAuth2Exception) as caught:
        await run(sessions.refresh_after_unauthorized, token.access_token)
    assert Category.REAUTHORIZATION_REQUIRED == caught.value.category


async def test_the_sdk_logs_out(simulator, sessions, app_of):
    token = await run(sessions.login, visit)
    revoked = await run(sessions.logout)
    assert (True, 401) == (revoked, (await app_of(simulator).call({"access_token": token.access_token}, "accounts"))[0])


async def test_the_sdk_hears_of_a_scope_that_is_missing(simulator, sessions):
    from tigeropen.common.exceptions import ResponseException

    simulator.issuer.consent = Consent(scopes=["api.quote:read"])
    await run(sessions.login, visit)
    with pytest.raises(ResponseException, match="insufficient scope"):
        await managed(simulator, sessions)
