"""OAuth2 from a person's consent to a call, against the simulated issuer: both flows, refresh, revocation."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest
import trio

from tests.integration.conftest import Opener
from tigercore import Tigercore
from tigercore.errors import Rejected, TokenNeedsReauthorisation
from tigercore.model import Authentication, Environment, Grant, TigerAccount, TokenState
from tigercore.ports import Endpoint, Prompt
from tigercore_simulator import Consent, Simulator, open_simulator


@pytest.fixture
async def gateway() -> AsyncIterator[Simulator]:
    async with open_simulator(developers=1, licenses=("TBSG",)) as simulator:
        yield simulator


async def visit(url: str) -> None:
    """Open a page as a browser does, and go where it leads."""
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        await browser.get(url)


async def logged_in(tiger: Tigercore, gateway: Simulator, *, device: bool = False) -> list[TigerAccount]:
    """Log in as a person who consents to whatever the page asks."""
    async with trio.open_nursery() as nursery:

        def show(prompt: Prompt) -> None:
            url = prompt.url if prompt.user_code is None else f"{prompt.url}?user_code={prompt.user_code}"
            nursery.start_soon(visit, url)

        return await tiger.logins.log_in(
            show,
            environment=Environment.SANDBOX,
            server_url=gateway.url,
            issuer=gateway.issuer.url,
            device=device,
        )


async def grant_of(tiger: Tigercore, account: TigerAccount) -> Grant:
    token = await tiger.tokens.token_for(account)
    assert token is not None
    return Grant.of(token)


async def test_a_person_who_consents_in_a_browser_has_accounts_that_work(tiger: Tigercore, gateway: Simulator) -> None:
    accounts = await logged_in(tiger, gateway)
    assert set(gateway.developers[0].accounts) == {each.account_number for each in accounts}
    assert {Authentication.OAUTH2} == {each.authentication for each in accounts}
    assert await tiger.execute("positions", account=accounts[0]) is not None


async def test_a_person_who_refuses_leaves_nothing(tiger: Tigercore, gateway: Simulator) -> None:
    gateway.issuer.consent = Consent(answer="deny")
    with pytest.RaisesGroup(pytest.RaisesExc(Rejected, match="refused")):
        await logged_in(tiger, gateway)
    assert [] == await tiger.accounts.list_accounts()


async def test_a_refresh_brings_another_grant_for_every_account_of_it(tiger: Tigercore, gateway: Simulator) -> None:
    first, second = await logged_in(tiger, gateway)
    before = await grant_of(tiger, first)
    assert (True, None) == await tiger.tokens.refresh_token(first)
    after = await grant_of(tiger, second)
    assert (True, True) == (before.refresh_token != after.refresh_token, before.issued_at < after.issued_at)
    assert await tiger.execute("positions", account=second) is not None


async def test_a_grant_that_was_ended_in_the_portal_is_dead_after_the_next_call(
    tiger: Tigercore, gateway: Simulator
) -> None:
    account = (await logged_in(tiger, gateway))[0]
    gateway.revoke(gateway.developers[0])
    with pytest.raises(Exception, match="tigercore login"):
        await tiger.execute("positions", account=account)
    assert TokenState.NEEDS_REAUTH is (await tiger.tokens.get_token_status(account)).state


async def test_who_logs_out_ends_the_grant_at_its_issuer(tiger: Tigercore, gateway: Simulator) -> None:
    account = (await logged_in(tiger, gateway))[0]
    await tiger.logins.log_out(account)
    with pytest.raises(TokenNeedsReauthorisation):
        await tiger.tokens.token_for(account)


async def test_an_account_whose_grant_has_ended_comes_back_with_a_new_consent(
    tiger: Tigercore, gateway: Simulator
) -> None:
    account = (await logged_in(tiger, gateway))[0]
    await tiger.logins.log_out(account)
    async with trio.open_nursery() as nursery:
        await tiger.logins.log_in_again(
            account, lambda prompt: nursery.start_soon(visit, prompt.url), issuer=gateway.issuer.url
        )
    assert await tiger.execute("positions", account=account) is not None


async def test_a_grant_of_the_sdk_is_taken_over(opener: Opener, gateway: Simulator) -> None:
    async with opener() as tiger:
        accounts = await logged_in(tiger, gateway)
        token = await tiger.tokens.token_for(accounts[0])
        for each in accounts:
            await tiger.accounts.delete_account(each.id)
    assert token is not None
    async with opener() as tiger:
        assert 2 == len(await tiger.logins.adopt(token, Endpoint(Environment.SANDBOX, None, gateway.url)))
