"""Clients that are careless with secrets. Each breaks the laws that it names, and keeps all others."""

from typing import Any

import attrs

from tests.laws._client_base import Client, Suite
from tigercore.errors import ClientError, Rejected
from tigercore.model import Credentials, Secret, Token
from tigercore.ports import Endpoint, GatewayRequest, Signer


class RefusesEveryKey(Client):
    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        raise ValueError("no key is good enough")


class TestRefusesEveryKey(Suite):
    driver = RefusesEveryKey
    breaks = frozenset({"test_validate_takes_a_good_key", "test_validate_takes_a_client_without_a_key"})


class TakesEveryKey(Client):
    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        return

    def signer(self, credentials: Credentials, endpoint: Endpoint) -> Signer:
        key = credentials.private_key and Secret("KEY")
        return self.inner.signer(attrs.evolve(credentials, private_key=key), endpoint)


class TestTakesEveryKey(Suite):
    driver = TakesEveryKey
    breaks = frozenset(
        {
            "test_validate_refuses_a_bad_key_without_showing_it",
            "test_signer_refuses_a_bad_key_without_showing_it",
            "test_validate_refuses_an_endpoint_that_could_steal_requests",
        }
    )


class KeyInTheError(Client):
    def validate(self, credentials: Credentials, endpoint: Endpoint) -> None:
        self.signer(credentials, endpoint)
        self.inner.validate(credentials, endpoint)

    def signer(self, credentials: Credentials, endpoint: Endpoint) -> Signer:
        try:
            return self.inner.signer(credentials, endpoint)
        except ValueError as error:
            key = credentials.private_key
            raise ValueError(f"{key and key.reveal()}: {error}") from None


class TestKeyInTheError(Suite):
    driver = KeyInTheError
    breaks = frozenset(
        {
            "test_validate_refuses_a_bad_key_without_showing_it",
            "test_signer_refuses_a_bad_key_without_showing_it",
        }
    )


class Talkative(Signer):
    def __init__(self, inner: Signer, credentials: Credentials) -> None:
        self.inner = inner
        self.credentials = credentials

    def __repr__(self) -> str:
        return f"<Talkative {self.credentials.tiger_id.reveal()}>"

    def sign(self, content: bytes) -> str:
        return f"signature of {content!r}"


class TalkativeSigner(Client):
    def signer(self, credentials: Credentials, endpoint: Endpoint) -> Signer:
        return Talkative(self.inner.signer(credentials, endpoint), credentials)

    async def send(self, request: GatewayRequest, signer: Signer, token: Token | None) -> Any:
        assert isinstance(signer, Talkative)
        return await self.inner.call(request, signer.inner, token)

    async def refresh(self, signer: Signer, token: Token) -> Token:
        assert isinstance(signer, Talkative)
        return await self.inner.refresh(signer.inner, token)

    async def probe(self, signer: Signer, token: Token | None) -> bool:
        assert isinstance(signer, Talkative)
        return await self.inner.probe(signer.inner, token)

    async def revoke(self, signer: Signer, token: Token) -> None:
        assert isinstance(signer, Talkative)
        await self.inner.revoke(signer.inner, token)


class TestTalkativeSigner(Suite):
    driver, breaks = TalkativeSigner, frozenset({"test_a_signature_is_base64", "test_a_signer_shows_nothing"})


class TokenInTheError(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        shown = f"{error.detail} with the token {token.value.reveal()}" if token else error.detail
        return Rejected(error.method, shown, code=error.code) if token else error


class TestTokenInTheError(Suite):
    driver = TokenInTheError
    breaks = frozenset({"test_an_error_shows_no_secret", "test_an_error_shows_nothing_of_a_grant"})


class ErrorOfTwoLines(Client):
    def judged(self, error: ClientError, request: GatewayRequest, token: Token | None) -> ClientError:
        return Rejected(error.method, f"{error.detail}\n", code=error.code) if isinstance(error, Rejected) else error


class TestErrorOfTwoLines(Suite):
    driver, breaks = ErrorOfTwoLines, frozenset({"test_an_error_is_one_short_printable_line"})
