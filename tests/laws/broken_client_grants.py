"""Clients that are wrong about OAuth2. Each breaks the laws that it names, and keeps all others."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import attrs

from tests.laws._client_base import Client, Suite
from tigercore.errors import OutcomeUnknown, Rejected, Unauthorized
from tigercore.model import Credentials, Grant, Token
from tigercore.ports import Authorization, Endpoint, GatewayRequest, Prompt, Signer
from tigercore.testing.client import Denial, a_token


def swapped(token: Token) -> Token:
    """Return the grant with its two tokens changed round."""
    grant = Grant.of(token)
    return attrs.evolve(grant, access_token=grant.refresh_token, refresh_token=grant.access_token).token()


def is_grant(token: Token | None) -> bool:
    return token is not None and token.value.reveal().startswith("{")


# -- borne and refreshed -----------------------------------------------------------------------------------


class KeysOnly(Client):
    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        if credentials.private_key is None:
            raise ValueError("there is no key")
        self.inner.validate(credentials, endpoint)


class TestKeysOnly(Suite):
    driver, breaks = KeysOnly, frozenset({"test_validate_takes_a_client_without_a_key"})


class BearsTheRefreshToken(Client):
    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        shown = swapped(token) if token is not None and is_grant(token) else token
        return await self.inner.call(request, signer, shown)


class TestBearsTheRefreshToken(Suite):
    driver = BearsTheRefreshToken
    breaks = frozenset({"test_a_call_without_a_key_bears_the_access_token_and_names_no_developer"})


class SameGrantAgain(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        fresh = await self.inner.refresh(signer, token)
        if not is_grant(token):
            return fresh
        return attrs.evolve(Grant.of(fresh), access_token=Grant.of(token).access_token).token()


class TestSameGrantAgain(Suite):
    driver, breaks = SameGrantAgain, frozenset({"test_a_refreshed_grant_is_another_of_the_same_client"})


class BornByTheClock(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        fresh = await self.inner.refresh(signer, token)
        if not is_grant(token):
            return fresh
        now = self.context.clock.now()
        return attrs.evolve(Grant.of(fresh), issued_at=now, expires_at=now + timedelta(hours=1)).token()


class TestBornByTheClock(Suite):
    driver, breaks = BornByTheClock, frozenset({"test_a_refreshed_grant_was_issued_later_whatever_the_clocks_say"})


class RefreshByTheAccessToken(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        return await self.inner.refresh(signer, swapped(token) if is_grant(token) else token)


class TestRefreshByTheAccessToken(Suite):
    driver = RefreshByTheAccessToken
    breaks = frozenset(
        {"test_refresh_shows_the_issuer_the_refresh_token_once", "test_an_error_shows_nothing_of_a_grant"}
    )


class RefreshRetrier(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        try:
            return await self.inner.refresh(signer, token)
        except OutcomeUnknown:
            if not is_grant(token):
                raise
            return await self.inner.refresh(signer, token)


class TestRefreshRetrier(Suite):
    driver, breaks = RefreshRetrier, frozenset({"test_refresh_whose_reply_is_lost_is_unknown_and_not_sent_again"})


class EveryDenialIsTheEnd(Client):
    async def refresh(self, signer: Signer, token: Token) -> Token:
        try:
            return await self.inner.refresh(signer, token)
        except Rejected as error:
            raise Unauthorized(error.method, error.detail) from None


class TestEveryDenialIsTheEnd(Suite):
    driver, breaks = EveryDenialIsTheEnd, frozenset({"test_refresh_that_is_denied_for_another_reason_is_rejected"})


# -- asked for ---------------------------------------------------------------------------------------------


class ShowsNothing(Client):
    async def authorize(self, wanted: Authorization, show: Callable[[Prompt], None]) -> Token:
        return await self.inner.authorize(wanted, lambda prompt: None)


class TestShowsNothing(Suite):
    driver, breaks = ShowsNothing, frozenset({"test_a_person_who_consents_gives_a_grant"})


class AlwaysRegisters(Client):
    async def authorize(self, wanted: Authorization, show: Callable[[Prompt], None]) -> Token:
        return await self.inner.authorize(attrs.evolve(wanted, client_id=None), show)


class TestAlwaysRegisters(Suite):
    driver, breaks = AlwaysRegisters, frozenset({"test_a_client_id_that_was_given_is_the_one_that_asks"})


class AsksOnce(Client):
    async def authorize(self, wanted: Authorization, show: Callable[[Prompt], None]) -> Token:
        if self.inner.gateway.upcoming() == Denial("authorization_pending"):
            raise Rejected("authorize", "nobody has consented")
        return await self.inner.authorize(wanted, show)


class TestAsksOnce(Suite):
    driver, breaks = AsksOnce, frozenset({"test_a_person_who_takes_their_time_is_waited_for"})


class TakesNoForYes(Client):
    async def authorize(self, wanted: Authorization, show: Callable[[Prompt], None]) -> Token:
        while True:
            with suppress(Rejected):
                return await self.inner.authorize(wanted, lambda prompt: None)


class TestTakesNoForYes(Suite):
    driver = TakesNoForYes
    breaks = frozenset(
        {
            "test_a_person_who_consents_gives_a_grant",
            "test_a_person_who_refuses_gives_none",
            "test_a_person_who_never_answers_gives_none",
        }
    )


# -- ended -------------------------------------------------------------------------------------------------


class RevokesTheAccessToken(Client):
    async def revoke(self, signer: Signer, token: Token) -> None:
        await self.inner.revoke(signer, swapped(token) if is_grant(token) else token)


class TestRevokesTheAccessToken(Suite):
    driver, breaks = RevokesTheAccessToken, frozenset({"test_revoke_shows_the_issuer_the_refresh_token_once"})


class RevokeRetrier(Client):
    async def revoke(self, signer: Signer, token: Token) -> None:
        try:
            await self.inner.revoke(signer, token)
        except OutcomeUnknown:
            await self.inner.revoke(signer, token)


class TestRevokeRetrier(Suite):
    driver, breaks = RevokeRetrier, frozenset({"test_revoke_whose_reply_is_lost_is_unknown_and_not_sent_again"})


class RevokesAnything(Client):
    async def revoke(self, signer: Signer, token: Token) -> None:
        if token != a_token():
            await self.inner.revoke(signer, token)


class TestRevokesAnything(Suite):
    driver = RevokesAnything
    breaks = frozenset({"test_revoke_of_a_token_that_is_no_grant_is_rejected_and_nothing_is_sent"})
