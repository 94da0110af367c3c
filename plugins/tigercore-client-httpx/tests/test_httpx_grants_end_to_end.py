"""Grants with the simulated broker, which rotates and ends them as the real one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import trio
from trio.testing import MockClock

from tigercore.errors import NotProcessed, OutcomeUnknown, Rejected, Unauthorized
from tigercore.model import Credentials, Environment, Grant, Secret, Token
from tigercore.operations import operation
from tigercore.ports import Authorization, Endpoint, GatewayRequest, Prompt, Signer
from tigercore_client_httpx import HttpxClient
from tigercore_client_httpx._httpx import httpx
from tigercore_simulator import Answer, Consent, Fault, Kind, Simulator, Terms, open_simulator

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def quick() -> MockClock:
    """Let the time of waiting pass at once; each test names it, or trio would run on its own clock."""
    return MockClock(autojump_threshold=0.1)


@pytest.fixture
async def broker() -> AsyncIterator[Simulator]:
    """Run a broker whose clock is the test's; an access token is good for a minute."""
    terms = Terms(access_life=60.0)
    clock = lambda: NOON + trio.current_time()  # noqa: E731
    async with open_simulator(developers=1, licenses=("TBSG",), clock=clock, terms=terms) as simulator:
        yield simulator


@pytest.fixture
def endpoint(broker: Simulator) -> Endpoint:
    return Endpoint(Environment.SANDBOX, None, broker.url)


@pytest.fixture
def bearer(client: HttpxClient, endpoint: Endpoint) -> Signer:
    return client.signer(Credentials(Secret("any"), None), endpoint)


async def visit(url: str) -> None:
    """Open a page as a browser does, and go where it leads."""
    async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        await browser.get(url)


async def consented(client: HttpxClient, broker: Simulator, *, device: bool = False) -> Token:
    """Ask a person for a grant, who answers as the broker's consent says."""
    wanted = Authorization(Endpoint(Environment.SANDBOX, None, broker.url), broker.issuer.url, None, device)
    async with trio.open_nursery() as nursery:

        def show(prompt: Prompt) -> None:
            url = prompt.url if prompt.user_code is None else f"{prompt.url}?user_code={prompt.user_code}"
            nursery.start_soon(visit, url)

        return await client.authorize(wanted, show)


def positions(broker: Simulator) -> GatewayRequest:
    return GatewayRequest(operation("positions"), {}, next(iter(broker.developers[0].accounts)))


@pytest.mark.parametrize("device", [False, True])
async def test_a_grant_of_either_flow_is_taken_by_the_gateway(
    client: HttpxClient, broker: Simulator, quick: MockClock, bearer: Signer, device: bool
) -> None:
    token = await consented(client, broker, device=device)
    assert await client.probe(bearer, token) is True


async def test_a_person_who_refuses_the_code_gives_none(
    client: HttpxClient, broker: Simulator, quick: MockClock
) -> None:
    broker.issuer.consent = Consent(answer=Answer.DENY)
    with pytest.RaisesGroup(pytest.RaisesExc(Rejected, match="access_denied")):
        await consented(client, broker, device=True)


async def test_a_grant_that_was_given_out_and_not_answered_is_lost_and_the_login_must_be_started_anew(
    client: HttpxClient, broker: Simulator, quick: MockClock
) -> None:
    broker.faults.add(Fault(Kind.RESET_AFTER, method="oauth2_token"))
    told = "invalid_grant: the device code is unknown; .* start the login anew"
    with pytest.RaisesGroup(pytest.RaisesExc(Rejected, match=told)):
        await consented(client, broker, device=True)


@pytest.mark.parametrize("kind", [Kind.RESET_BEFORE, Kind.HTTP_5XX])
async def test_a_grant_that_was_not_given_out_is_there_at_the_next_poll(
    client: HttpxClient, broker: Simulator, quick: MockClock, bearer: Signer, kind: Kind
) -> None:
    broker.faults.add(Fault(kind, method="oauth2_token", count=3))
    token = await consented(client, broker, device=True)
    assert await client.probe(bearer, token) is True


async def test_a_person_may_allow_less_than_was_asked_for(
    client: HttpxClient, broker: Simulator, quick: MockClock, bearer: Signer
) -> None:
    broker.issuer.consent = Consent(scopes=("api.quote:read",))
    token = await consented(client, broker)
    with pytest.raises(Rejected):
        await client.call(positions(broker), bearer, token)
    assert "api.quote:read" == Grant.of(token).scope


async def test_an_access_token_that_has_ended_is_unauthorized_and_nothing_is_renewed_unasked(
    client: HttpxClient, broker: Simulator, quick: MockClock, bearer: Signer
) -> None:
    token = await consented(client, broker)
    await trio.sleep(61)
    with pytest.raises(Unauthorized):
        await client.call(positions(broker), bearer, token)
    assert [] == broker.oracle.refreshes[Grant.of(token).client_id].generations


async def test_a_renewed_grant_is_taken_where_the_old_one_has_ended(
    client: HttpxClient, broker: Simulator, quick: MockClock, bearer: Signer
) -> None:
    token = await consented(client, broker)
    await trio.sleep(61)
    fresh = await client.refresh(bearer, token)
    assert (False, True) == (await client.probe(bearer, token), await client.probe(bearer, fresh))


async def test_a_refresh_token_is_good_once(
    client: HttpxClient, broker: Simulator, quick: MockClock, bearer: Signer
) -> None:
    token = await consented(client, broker)
    await client.refresh(bearer, token)
    with pytest.raises(Unauthorized, match="invalid_grant"):
        await client.refresh(bearer, token)


@pytest.mark.parametrize("kind", [Kind.RESET_AFTER, Kind.CUT])
async def test_a_renewal_that_was_carried_out_and_not_answered_is_unknown_and_carried_out_once(
    client: HttpxClient, broker: Simulator, quick: MockClock, bearer: Signer, kind: Kind
) -> None:
    token = await consented(client, broker)
    broker.faults.add(Fault(kind, method="oauth2_refresh"))
    with pytest.raises(OutcomeUnknown):
        await client.refresh(bearer, token)
    log = broker.oracle.refreshes[Grant.of(token).client_id]
    assert (1, []) == (len(log.generations), log.refused)


async def test_a_renewal_whose_discovery_fails_leaves_the_refresh_token_good(
    client: HttpxClient, broker: Simulator, quick: MockClock, bearer: Signer
) -> None:
    token = await consented(client, broker)
    client.context.clock.advance(3601)  # type: ignore[attr-defined]
    broker.faults.add(Fault(Kind.HTTP_5XX, method="oauth2_metadata"))
    with pytest.raises(NotProcessed):
        await client.refresh(bearer, token)
    assert Grant.of(token).access_token != Grant.of(await client.refresh(bearer, token)).access_token


async def test_a_grant_that_was_revoked_is_good_for_nothing(
    client: HttpxClient, broker: Simulator, quick: MockClock, bearer: Signer
) -> None:
    token = await consented(client, broker)
    await client.revoke(bearer, token)
    assert await client.probe(bearer, token) is False
    with pytest.raises(Unauthorized):
        await client.refresh(bearer, token)


async def test_a_grant_that_was_revoked_may_be_revoked_again(
    client: HttpxClient, broker: Simulator, quick: MockClock, bearer: Signer
) -> None:
    token = await consented(client, broker)
    await client.revoke(bearer, token)
    assert await client.revoke(bearer, token) is None  # type: ignore[func-returns-value]
