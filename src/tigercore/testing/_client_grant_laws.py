"""The laws of the client port on OAuth2: grants are asked for, borne, refreshed and ended."""

from __future__ import annotations

import traceback
from datetime import timedelta

import attrs
import pytest
import trio
from trio.testing import MockClock

from tigercore.errors import ClientError, OutcomeUnknown, Rejected, Unauthorized
from tigercore.model import Credentials, Environment, Grant, Secret, Token
from tigercore.ports import Authorization, Endpoint, GatewayRequest, Prompt, Signer, TigerClient
from tigercore.testing._client_suite import READ, ClientSuite, a_token
from tigercore.testing._gateway import Answer, Denial, Fault, GatewayScript, Move


class ClientGrantLaws(ClientSuite):
    """A grant is a token whose refresh token is shown to its issuer alone, once."""

    @pytest.fixture
    def grant(self, client: TigerClient, gateway: GatewayScript) -> Grant:
        """Return a grant that was given an hour ago."""
        now = client.context.clock.now()
        born, ends = now - timedelta(hours=1), now + timedelta(minutes=5)
        access, again = Secret("an-access-token"), Secret("a-refresh-token")
        return Grant(gateway.issuer, "client-1", access, again, "api.account:read", born, ends)

    @pytest.fixture
    def quick(self) -> MockClock:
        """Let the time of waiting pass at once; what is on its way over a socket is waited for."""
        return MockClock(autojump_threshold=0.1)

    # -- borne -------------------------------------------------------------------------------------------------

    async def test_validate_takes_a_client_without_a_key(self, client: TigerClient) -> None:
        client.validate(Credentials(Secret("client-1"), None), Endpoint(Environment.PRODUCTION))

    async def test_a_call_without_a_key_bears_the_access_token_and_names_no_developer(
        self, client: TigerClient, gateway: GatewayScript, bearer: Signer, grant: Grant
    ) -> None:
        await client.call(GatewayRequest(READ, {"market": "US"}, "12345678"), bearer, grant.token())
        [arrival] = gateway.arrivals
        assert ("", "an-access-token") == (arrival.tiger_id, arrival.token)
        assert ("12345678", "US") == (arrival.params["account"], arrival.params["market"])

    async def test_an_error_shows_nothing_of_a_grant(
        self, client: TigerClient, gateway: GatewayScript, bearer: Signer, grant: Grant
    ) -> None:
        secrets = [grant.access_token.reveal(), grant.refresh_token.reveal()]
        gateway.then(Answer(code=1200, message=f"bad_request:yours: {secrets}"), Denial("invalid_grant", secrets[1]))
        with pytest.raises(ClientError) as called:
            await client.call(GatewayRequest(READ, {}, "12345678"), bearer, grant.token())
        with pytest.raises(ClientError) as refreshed:
            await client.refresh(bearer, grant.token())
        for caught in (called, refreshed):
            shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
            assert [] == [secret for secret in secrets if secret in shown]

    # -- refreshed ---------------------------------------------------------------------------------------------

    async def test_a_refreshed_grant_is_another_of_the_same_client(
        self, client: TigerClient, bearer: Signer, grant: Grant
    ) -> None:
        fresh = Grant.of(await client.refresh(bearer, grant.token()))
        assert (grant.issuer, grant.client_id) == (fresh.issuer, fresh.client_id)
        assert grant.access_token != fresh.access_token
        assert fresh.issued_at < fresh.expires_at

    async def test_a_refreshed_grant_was_issued_later_whatever_the_clocks_say(
        self, client: TigerClient, bearer: Signer, grant: Grant
    ) -> None:
        tomorrow = client.context.clock.now() + timedelta(days=1)
        for token in (grant.token(), attrs.evolve(grant, issued_at=tomorrow, expires_at=tomorrow).token()):
            fresh = await client.refresh(bearer, token)
            assert token.issued_at is not None
            assert fresh.issued_at is not None
            assert token.issued_at < fresh.issued_at

    async def test_refresh_shows_the_issuer_the_refresh_token_once(
        self, client: TigerClient, gateway: GatewayScript, bearer: Signer, grant: Grant
    ) -> None:
        await client.refresh(bearer, grant.token())
        assert ["a-refresh-token"] == [arrival.token for arrival in gateway.arrivals]

    async def test_refresh_whose_reply_is_lost_is_unknown_and_not_sent_again(
        self, client: TigerClient, gateway: GatewayScript, bearer: Signer, grant: Grant
    ) -> None:
        for number, fault in enumerate((Fault.CLOSE_AFTER_READING, Fault.CUT), 1):
            gateway.then(fault)
            with pytest.raises(OutcomeUnknown):
                await client.refresh(bearer, grant.token())
            assert number == len(gateway.arrivals)

    async def test_refresh_of_a_grant_that_has_ended_is_unauthorized(
        self, client: TigerClient, gateway: GatewayScript, bearer: Signer, grant: Grant
    ) -> None:
        for error in ("invalid_grant", "invalid_client"):
            gateway.then(Denial(error))
            with pytest.raises(Unauthorized):
                await client.refresh(bearer, grant.token())

    async def test_refresh_that_is_denied_for_another_reason_is_rejected(
        self, client: TigerClient, gateway: GatewayScript, bearer: Signer, grant: Grant
    ) -> None:
        for error in ("invalid_request", "slow_down"):
            gateway.then(Denial(error))
            with pytest.raises(Rejected):
                await client.refresh(bearer, grant.token())

    # -- asked for ---------------------------------------------------------------------------------------------

    async def test_a_person_who_consents_gives_a_grant(
        self, client: TigerClient, gateway: GatewayScript, quick: MockClock
    ) -> None:
        for device in (False, True):
            prompts, token = await _consented(client, gateway, device=device)
            grant = Grant.of(token)
            assert (gateway.issuer, True) == (grant.issuer, grant.issued_at < grant.expires_at)
            [prompt] = prompts
            assert (device, True) == (prompt.user_code is not None, prompt.expires_in > 0)

    async def test_a_client_id_that_was_given_is_the_one_that_asks(
        self, client: TigerClient, gateway: GatewayScript, quick: MockClock
    ) -> None:
        for device in (False, True):
            _, token = await _consented(client, gateway, device=device, client_id="client-of-mine")
            assert "client-of-mine" == Grant.of(token).client_id

    async def test_a_person_who_takes_their_time_is_waited_for(
        self, client: TigerClient, gateway: GatewayScript, quick: MockClock
    ) -> None:
        gateway.then(Denial("authorization_pending"), Denial("slow_down"), Denial("authorization_pending"))
        _, token = await _consented(client, gateway, device=True)
        assert Grant.of(token).issuer == gateway.issuer

    async def test_a_person_who_refuses_gives_none(
        self, client: TigerClient, gateway: GatewayScript, quick: MockClock
    ) -> None:
        for device in (False, True):
            await _not_consented(client, gateway, [Denial("access_denied")], device=device)

    async def test_a_person_who_never_answers_gives_none(
        self, client: TigerClient, gateway: GatewayScript, quick: MockClock
    ) -> None:
        await _not_consented(client, gateway, [Fault.HANG], device=False)
        await _not_consented(client, gateway, [Denial("authorization_pending"), Denial("expired_token")], device=True)

    # -- ended -------------------------------------------------------------------------------------------------

    async def test_revoke_shows_the_issuer_the_refresh_token_once(
        self, client: TigerClient, gateway: GatewayScript, bearer: Signer, grant: Grant
    ) -> None:
        await client.revoke(bearer, grant.token())
        assert ["a-refresh-token"] == [arrival.token for arrival in gateway.arrivals]

    async def test_revoke_whose_reply_is_lost_is_unknown_and_not_sent_again(
        self, client: TigerClient, gateway: GatewayScript, bearer: Signer, grant: Grant
    ) -> None:
        gateway.then(Fault.CLOSE_AFTER_READING)
        with pytest.raises(OutcomeUnknown):
            await client.revoke(bearer, grant.token())
        assert 1 == len(gateway.arrivals)

    async def test_revoke_of_a_token_that_is_no_grant_is_rejected_and_nothing_is_sent(
        self, client: TigerClient, gateway: GatewayScript, signer: Signer, bearer: Signer
    ) -> None:
        for one in (signer, bearer):
            with pytest.raises(Rejected):
                await client.revoke(one, a_token())
        assert [] == gateway.arrivals


async def _consented(
    client: TigerClient, gateway: GatewayScript, *, device: bool, client_id: str | None = None
) -> tuple[list[Prompt], Token]:
    """Ask for a grant, and let the person do as the script says."""
    prompts: list[Prompt] = []
    wanted = Authorization(gateway.endpoint, gateway.issuer, client_id, device)
    async with trio.open_nursery() as nursery:

        def show(prompt: Prompt) -> None:
            prompts.append(prompt)
            nursery.start_soon(gateway.consent, prompt)

        return prompts, await client.authorize(wanted, show)


async def _not_consented(client: TigerClient, gateway: GatewayScript, moves: list[Move], *, device: bool) -> None:
    gateway.then(*moves)
    with pytest.RaisesGroup(Rejected):
        await _consented(client, gateway, device=device)
